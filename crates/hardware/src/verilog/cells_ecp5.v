// Behaviour of the ECP5 cells that a synthesised network may consist of, for simulating its netlist. Of carries and
// flip-flops only the settings that a network has (halves joined; rising edge, no global reset, reset before enable):
// another one names a module that does not exist.

module LUT4 (output Z, input A, B, C, D);
  parameter [15:0] INIT = 0;
  assign Z = INIT[{D, C, B, A}];
endmodule

module PFUMX (output Z, input ALUT, BLUT, C0);
  assign Z = (C0 & ALUT) | (~C0 & BLUT);
endmodule

module L6MUX21 (output Z, input D0, D1, SD);
  assign Z = (SD & D1) | (~SD & D0);
endmodule

module CCU2C (output S0, S1, COUT, input CIN, A0, B0, C0, D0, A1, B1, C1, D1);
  parameter [15:0] INIT0 = 0;
  parameter [15:0] INIT1 = 0;
  parameter INJECT1_0 = "YES";
  parameter INJECT1_1 = "YES";
  generate
    if (INJECT1_0 != "NO" || INJECT1_1 != "NO") setting_that_no_adder_has refused ();
  endgenerate
  wire p0 = INIT0[{D0, C0, B0, A0}];
  wire p1 = INIT1[{D1, C1, B1, A1}];
  wire g0 = INIT0[{2'b00, B0, A0}];
  wire g1 = INIT1[{2'b00, B1, A1}];
  wire c1 = (p0 & CIN) | (~p0 & g0);
  assign S0 = p0 ^ CIN;
  assign S1 = p1 ^ c1;
  assign COUT = (p1 & c1) | (~p1 & g1);
endmodule

module TRELLIS_FF (output reg Q, input CLK, CE, LSR, DI);
  parameter CEMUX = "1";
  parameter CLKMUX = "CLK";
  parameter GSR = "ENABLED";
  parameter LSRMUX = "LSR";
  parameter REGSET = "RESET";
  parameter SRMODE = "LSR_OVER_CE";
  generate
    if (CLKMUX != "CLK" || GSR != "DISABLED" || LSRMUX != "LSR" || SRMODE != "LSR_OVER_CE")
      setting_that_no_network_has refused ();
  endgenerate
  wire enabled = CEMUX == "1" ? 1'b1 : CEMUX == "INV" ? ~CE : CE;
  wire start = REGSET == "SET" ? 1'b1 : 1'b0;
  initial Q = start;
  always @(posedge CLK) Q <= LSR ? start : (enabled & DI) | (~enabled & Q);
endmodule
