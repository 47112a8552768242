//! A module around a circuit that says which outputs belong to rows: `in_valid` goes beside the pipeline and comes out as
//! `out_valid`. There is no back-pressure: a row may enter with every clock, and comes out whether or not it is taken.

use super::self_check::filled;
use crate::circuit::Circuit;

/// Verilog-2001 of the module `<module_name>_valid` around the one that [`emit`](super::emit) wrote of a circuit without
/// flags.
///
/// Ports: `clk`, `rst` (synchronous, clears the flags alone), `in_valid` with `inputs`, `out_valid` with `outputs`. A row
/// is out [`Circuit::cycles`] edges after it was put on the bus. It takes that many flip-flops, and no LUT.
pub fn with_valid(circuit: &Circuit, module_name: &str) -> String {
    let text = MODULE.replace("@FLAGS@", &flags(circuit));
    filled(&text, circuit, module_name)
}

/// What a circuit with flags has within its own module: a register for each of its cycles.
pub(super) fn flags(circuit: &Circuit) -> String {
    let shifted = match circuit.cycles() {
        1 => "in_valid".to_owned(),
        cycles => format!("{{on_the_way[{}:0], in_valid}}", cycles - 2),
    };
    filled(&FLAGS.replace("@SHIFTED@", &shifted), circuit, "")
}

/// A self-checking Verilog-2001 test bench for it, module `<module_name>_valid_tb`, which reads the same vectors file as
/// that of the plain module.
///
/// Two passes over the rows: one a clock, which must take one clock a row and the latency; then with gaps at random (seed 1,
/// or `+seed=N`) in which the bus carries something else. Rows must come in order, each once, and nothing besides.
/// Whatever of that fails counts as a mismatch.
pub fn valid_bench(circuit: &Circuit, module_name: &str) -> String {
    bench(circuit, &format!("{module_name}_valid"))
}

/// The same for a module of whatever name that has the flags.
pub(super) fn bench(circuit: &Circuit, module_name: &str) -> String {
    filled(BENCH, circuit, module_name)
}

const FLAGS: &str = r"  // A row that enters with in_valid leaves with out_valid.
  reg [@LAST@:0] on_the_way;

  assign out_valid = on_the_way[@LAST@];

  always @(posedge clk) begin
    if (rst) on_the_way <= @CYCLES@'d0;
    else on_the_way <= @SHIFTED@;
  end
";

const MODULE: &str = r"// @MODULE@ with flags beside it: a row that enters with in_valid leaves with out_valid, @CYCLES@ cycles later.
module @MODULE@_valid (
  input wire clk,
  input wire rst,
  input wire in_valid,
  input wire [@IN@:0] inputs,
  output wire out_valid,
  output wire [@OUT@:0] outputs
);
@FLAGS@
  @MODULE@ pipeline (.clk(clk), .inputs(inputs), .outputs(outputs));
endmodule
";

const BENCH: &str = r#"// Streams the rows of a vectors file through @MODULE@: one a clock, then with random gaps.
`timescale 1ns / 1ps
module @MODULE@_tb;
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

  @MODULE@ dut (
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
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
@READ@    mismatches = 0;
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
