// Behaviour of the iCE40 cells that a synthesised network may consist of, for simulating its netlist. Flip-flops start
// at zero. Cells with asynchronous resets or on the falling edge are not declared: no network has them.

module SB_LUT4 (output O, input I0, I1, I2, I3);
  parameter [15:0] LUT_INIT = 0;
  assign O = LUT_INIT[{I3, I2, I1, I0}];
endmodule

module SB_CARRY (output CO, input I0, I1, CI);
  assign CO = (I0 & I1) | (I0 & CI) | (I1 & CI);
endmodule

module SB_DFF (output reg Q, input C, D);
  initial Q = 0;
  always @(posedge C) Q <= D;
endmodule

module SB_DFFE (output reg Q, input C, E, D);
  initial Q = 0;
  always @(posedge C) Q <= (E & D) | (~E & Q);
endmodule

module SB_DFFSR (output reg Q, input C, R, D);
  initial Q = 0;
  always @(posedge C) Q <= ~R & D;
endmodule

module SB_DFFSS (output reg Q, input C, S, D);
  initial Q = 0;
  always @(posedge C) Q <= S | D;
endmodule

// The enable holds back the reset, too.
module SB_DFFESR (output reg Q, input C, E, R, D);
  initial Q = 0;
  always @(posedge C) Q <= (E & ~R & D) | (~E & Q);
endmodule

module SB_DFFESS (output reg Q, input C, E, S, D);
  initial Q = 0;
  always @(posedge C) Q <= (E & (S | D)) | (~E & Q);
endmodule
