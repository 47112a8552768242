// Behaviour of the cells that a synthesised network may consist of, for simulating its netlist.
// Each output bit is a net of its own, so that a carry chain is no loop to a simulator that orders
// whole nets. Parameters that are not declared here (inverted clocks, dual carries) are refused by the simulator.

module INV (output O, input I);
  assign O = ~I;
endmodule

module LUT1 (output O, input I0);
  parameter [1:0] INIT = 0;
  assign O = INIT[I0];
endmodule

module LUT2 (output O, input I0, I1);
  parameter [3:0] INIT = 0;
  assign O = INIT[{I1, I0}];
endmodule

module LUT3 (output O, input I0, I1, I2);
  parameter [7:0] INIT = 0;
  assign O = INIT[{I2, I1, I0}];
endmodule

module LUT4 (output O, input I0, I1, I2, I3);
  parameter [15:0] INIT = 0;
  assign O = INIT[{I3, I2, I1, I0}];
endmodule

module LUT5 (output O, input I0, I1, I2, I3, I4);
  parameter [31:0] INIT = 0;
  assign O = INIT[{I4, I3, I2, I1, I0}];
endmodule

module LUT6 (output O, input I0, I1, I2, I3, I4, I5);
  parameter [63:0] INIT = 0;
  assign O = INIT[{I5, I4, I3, I2, I1, I0}];
endmodule

module MUXF7 (output O, input I0, I1, S);
  assign O = (I0 & ~S) | (I1 & S);
endmodule

module MUXF8 (output O, input I0, I1, S);
  assign O = (I0 & ~S) | (I1 & S);
endmodule

module MUXF9 (output O, input I0, I1, S);
  assign O = (I0 & ~S) | (I1 & S);
endmodule

module CARRY4 (output [3:0] CO, output [3:0] O, input CI, CYINIT, input [3:0] DI, S);
  wire c0 = CI | CYINIT;
  wire c1 = (S[0] & c0) | (~S[0] & DI[0]);
  wire c2 = (S[1] & c1) | (~S[1] & DI[1]);
  wire c3 = (S[2] & c2) | (~S[2] & DI[2]);
  wire c4 = (S[3] & c3) | (~S[3] & DI[3]);
  assign O = S ^ {c3, c2, c1, c0};
  assign CO = {c4, c3, c2, c1};
endmodule

module CARRY8 (output [7:0] CO, output [7:0] O, input CI, CI_TOP, input [7:0] DI, S);
  wire c1 = (S[0] & CI) | (~S[0] & DI[0]);
  wire c2 = (S[1] & c1) | (~S[1] & DI[1]);
  wire c3 = (S[2] & c2) | (~S[2] & DI[2]);
  wire c4 = (S[3] & c3) | (~S[3] & DI[3]);
  wire c5 = (S[4] & c4) | (~S[4] & DI[4]);
  wire c6 = (S[5] & c5) | (~S[5] & DI[5]);
  wire c7 = (S[6] & c6) | (~S[6] & DI[6]);
  wire c8 = (S[7] & c7) | (~S[7] & DI[7]);
  assign O = S ^ {c7, c6, c5, c4, c3, c2, c1, CI};
  assign CO = {c8, c7, c6, c5, c4, c3, c2, c1};
endmodule

module FDRE (output reg Q, input C, CE, D, R);
  parameter [0:0] INIT = 0;
  initial Q = INIT;
  always @(posedge C) Q <= ~R & ((CE & D) | (~CE & Q));
endmodule

module FDSE (output reg Q, input C, CE, D, S);
  parameter [0:0] INIT = 1;
  initial Q = INIT;
  always @(posedge C) Q <= S | (CE & D) | (~CE & Q);
endmodule
