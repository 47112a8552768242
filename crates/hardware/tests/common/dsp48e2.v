// A DSP48E2 without registers, written from general knowledge of the block: what its multiplexers choose and its adder does.
// It was not held against the vendor's model, and is run in the one set of parameters that the project's netlists have.
// P = Z + (W + X + Y + carry) and its three other arithmetic modes; no pre-adder, cascades out, patterns or logic modes.
// It is what the project's own multiplier of netlists is held against, and knows more settings than that one takes.
module DSP48E2 (
  input [29:0] A, ACIN,
  input [17:0] B, BCIN,
  input [47:0] C, PCIN,
  input [26:0] D,
  input [3:0] ALUMODE,
  input [4:0] INMODE,
  input [8:0] OPMODE,
  input [2:0] CARRYINSEL,
  input CARRYIN,
  output [47:0] P
);
  parameter ACASCREG = 1, ADREG = 1, ALUMODEREG = 1, AREG = 1, BCASCREG = 1, BREG = 1, CARRYINREG = 1;
  parameter CARRYINSELREG = 1, CREG = 1, DREG = 1, INMODEREG = 1, MREG = 1, OPMODEREG = 1, PREG = 1;
  parameter AMULTSEL = "A", A_INPUT = "DIRECT", BMULTSEL = "B", B_INPUT = "DIRECT";
  parameter USE_MULT = "MULTIPLY", USE_SIMD = "ONE48";
  parameter [47:0] RND = 0;

  initial begin
    if (ACASCREG != 0 || ADREG != 0 || ALUMODEREG != 0 || AREG != 0 || BCASCREG != 0 || BREG != 0 ||
        CARRYINREG != 0 || CARRYINSELREG != 0 || CREG != 0 || DREG != 0 || INMODEREG != 0 || MREG != 0 ||
        OPMODEREG != 0 || PREG != 0 || AMULTSEL != "A" || BMULTSEL != "B" ||
        USE_MULT != "MULTIPLY" || USE_SIMD != "ONE48" || ALUMODE > 3 || CARRYINSEL != 0) begin
      $display("DSP48E2: a setting that this model does not have");
      $finish;
    end
  end

  // Inputs come from the fabric or from the block below.
  wire [29:0] a = (A_INPUT == "DIRECT") ? A : ACIN;
  wire [17:0] b = (B_INPUT == "DIRECT") ? B : BCIN;

  // The multiplier: 27 by 18 bits, two's complement; INMODE[1] gates its A.
  wire [26:0] multiplied = INMODE[1] ? 27'd0 : a[26:0];
  wire [44:0] m = {{18{multiplied[26]}}, multiplied} * {{27{b[17]}}, b};
  wire [47:0] product = {{3{m[44]}}, m};

  // Of the multiplier's two partial products X takes one and Y the other: together they are the product.
  wire [47:0] x = (OPMODE[1:0] == 2'b01) ? product : (OPMODE[1:0] == 2'b11) ? {a, b} : 48'd0;
  wire [47:0] y = (OPMODE[3:2] == 2'b10) ? {48{1'b1}} : (OPMODE[3:2] == 2'b11) ? C : 48'd0;
  wire [47:0] z = (OPMODE[6:4] == 3'b001) ? PCIN
                : (OPMODE[6:4] == 3'b011) ? C
                : (OPMODE[6:4] == 3'b101) ? {{17{PCIN[47]}}, PCIN[47:17]} : 48'd0;
  wire [47:0] w = (OPMODE[8:7] == 2'b10) ? RND : (OPMODE[8:7] == 2'b11) ? C : 48'd0;

  wire [47:0] sum = w + x + y + {47'd0, CARRYIN};
  assign P = (ALUMODE == 4'b0000) ? z + sum
           : (ALUMODE == 4'b0001) ? ~z + sum
           : (ALUMODE == 4'b0010) ? ~(z + sum)
           : z - sum;
endmodule
