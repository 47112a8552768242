//! A module around a circuit that says which outputs belong to rows: `in_valid` goes beside the pipeline and comes out as
//! `out_valid`. There is no back-pressure: a row may enter with every clock, and comes out whether or not it is taken.

use crate::circuit::Circuit;

/// Verilog-2001 of the module `<module_name>_valid` around the one that [`emit`](super::emit) wrote.
///
/// Ports: `clk`, `rst` (synchronous, clears the flags alone), `in_valid` with `inputs`, `out_valid` with `outputs`. A row
/// is out [`Circuit::cycles`] edges after it was put on the bus. It takes that many flip-flops, and no LUT but for
/// what `rst` may take.
pub fn with_valid(circuit: &Circuit, module_name: &str) -> String {
    let shifted = match circuit.cycles() {
        1 => "in_valid".to_owned(),
        cycles => format!("{{on_the_way[{}:0], in_valid}}", cycles - 2),
    };
    filled(MODULE, circuit, module_name).replace("@SHIFTED@", &shifted)
}

/// A self-checking Verilog-2001 test bench for it, module `<module_name>_valid_tb`, which reads the same vectors file as
/// that of the plain module.
///
/// Two passes over the rows: one a clock, which must take one clock a row and the latency; then with gaps at random (seed 1,
/// or `+seed=N`) in which the bus carries something else. Rows must come in order, each once, and nothing besides.
/// Whatever of that fails counts as a mismatch.
pub fn valid_bench(circuit: &Circuit, module_name: &str) -> String {
    filled(BENCH, circuit, module_name)
}

fn filled(template: &str, circuit: &Circuit, module_name: &str) -> String {
    let (input_bits, output_bits) = (circuit.input_bits(), circuit.output_bits());
    // Words of a vectors file are whole 32-bit words.
    let word = |bits: u32| (32 * bits.div_ceil(32) - 1).to_string();
    template
        .replace("@MODULE@", module_name)
        .replace("@IN@", &(input_bits - 1).to_string())
        .replace("@OUT@", &(output_bits - 1).to_string())
        .replace("@IN_WORD@", &word(input_bits))
        .replace("@OUT_WORD@", &word(output_bits))
        .replace("@CYCLES@", &circuit.cycles().to_string())
        .replace("@LAST@", &(circuit.cycles() - 1).to_string())
}

const MODULE: &str = r"// @MODULE@ with flags beside it: a row that enters with in_valid leaves with out_valid, @CYCLES@ cycles later.
module @MODULE@_valid (
  input wire clk,
  input wire rst,
  input wire in_valid,
  input wire [@IN@:0] inputs,
  output wire out_valid,
  output wire [@OUT@:0] outputs
);
  reg [@LAST@:0] on_the_way;

  assign out_valid = on_the_way[@LAST@];

  @MODULE@ pipeline (.clk(clk), .inputs(inputs), .outputs(outputs));

  always @(posedge clk) begin
    if (rst) on_the_way <= @CYCLES@'d0;
    else on_the_way <= @SHIFTED@;
  end
endmodule
";

const BENCH: &str = r#"// Streams the rows of a vectors file through @MODULE@_valid: one a clock, then with random gaps.
`timescale 1ns / 1ps
module @MODULE@_valid_tb;
  parameter ROWS = 65536;
  reg clk = 0;
  reg rst = 1;
  reg in_valid = 0;
  reg [@IN_WORD@:0] rows [0:ROWS-1];
  reg [@OUT_WORD@:0] wanted [0:ROWS-1];
  reg [@IN_WORD@:0] row;
  wire out_valid;
  wire [@OUT@:0] outputs;
  reg [8*256:1] name;
  integer file, read, count, seed, pass, sent, got, clocks, mismatches, first;

  @MODULE@_valid dut (
    .clk(clk), .rst(rst), .in_valid(in_valid), .inputs(row[@IN@:0]), .out_valid(out_valid), .outputs(outputs)
  );

  task wrong(input integer at);
    begin
      mismatches = mismatches + 1;
      if (first < 0) first = at;
    end
  endtask

  task clock;
    begin
      #5 clk = 1;
      #1 if (in_valid) sent = sent + 1;
      if (out_valid !== 1'b0) begin
        if (out_valid !== 1'b1 || got >= count) wrong(got);
        else if (outputs !== wanted[got][@OUT@:0]) wrong(got);
        got = got + 1;
      end
      #4 clk = 0;
    end
  endtask

  initial begin
    if (!$value$plusargs("vectors=%s", name)) name = "vectors.txt";
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
    file = $fopen(name, "r");
    count = 0;
    read = 2;
    while (file != 0 && read == 2 && count < ROWS) begin
      read = $fscanf(file, "%h %h\n", rows[count], wanted[count]);
      if (read == 2) count = count + 1;
    end
    mismatches = 0;
    first = -1;
    row = 0;
    sent = 0;
    for (pass = 0; pass < 2; pass = pass + 1) begin
      // A reset takes back what is on its way: of the row before it nothing may come out.
      got = 0;
      rst = 0;
      in_valid = pass;
      if (pass == 1) clock;
      rst = 1;
      in_valid = 0;
      #5 clk = 1;
      #1 if (out_valid !== 1'b0) wrong(0);
      #4 clk = 0;
      rst = 0;
      sent = 0;
      got = 0;
      for (clocks = 0; got < count && clocks < 16 * (count + @CYCLES@); clocks = clocks + 1) begin
        in_valid = sent < count && (pass == 0 || $random(seed) % 3 == 0);
        row = in_valid ? rows[sent] : ~rows[sent > 0 ? sent - 1 : 0];
        clock;
      end
      if (got != count || (pass == 0 && clocks != count + @CYCLES@ - 1)) wrong(got);
      in_valid = 0;
      for (clocks = 0; clocks <= @CYCLES@; clocks = clocks + 1) clock;
    end
    $display("vectors %0d mismatches %0d first %0d", count, mismatches, first);
    $finish;
  end
endmodule
"#;
