//! Self-checking test benches in Verilog, for simulators that take no C++: the module alone, and behind its
//! AXI-Stream.

use super::valid;
use crate::circuit::Circuit;

/// A Verilog-2001 test bench, module `<module_name>_tb`, for the module that [`emit`](super::emit) wrote.
///
/// It reads `vectors.txt` (see [`vectors_file`](super::vectors_file)) or the file of `+vectors=FILE`, streams the rows
/// back to back, one a clock, and prints `vectors N mismatches M first R` as the C++ bench does. That of a circuit with
/// flags of valid rows is the one of [`valid_bench`](super::valid_bench).
pub fn verilog_bench(circuit: &Circuit, module_name: &str) -> String {
    if circuit.has_valid() {
        return valid::bench(circuit, module_name);
    }
    filled(PLAIN, circuit, module_name)
}

/// The same for the module of [`axi_stream`](super::axi_stream), module `<module_name>_axis_tb`.
///
/// Two passes over the rows: without stalls, which must take one clock a row and the latency; then with
/// both sides stalling at random (seed 1, or `+seed=N`). `tdata` and `tvalid` must stay while `tready` is low,
/// rows must come in order, and none may be lost or doubled. Whatever of that fails counts as a mismatch.
pub fn axi_stream_bench(circuit: &Circuit, module_name: &str) -> String {
    filled(STREAM, circuit, module_name)
}

/// A template for a circuit. `@READ@` stands for what reads the vectors, in every bench the same.
pub(super) fn filled(template: &str, circuit: &Circuit, module_name: &str) -> String {
    let (input_bits, output_bits) = (circuit.input_bits(), circuit.output_bits());
    // Words of a vectors file are whole 32-bit words.
    let word = |bits: u32| (32 * bits.div_ceil(32) - 1).to_string();
    template
        .replace("@READ@", READ)
        .replace("@MODULE@", module_name)
        .replace("@IN@", &(input_bits - 1).to_string())
        .replace("@OUT@", &(output_bits - 1).to_string())
        .replace("@S_TOP@", &(8 * input_bits.div_ceil(8) - 1).to_string())
        .replace("@M_TOP@", &(8 * output_bits.div_ceil(8) - 1).to_string())
        .replace("@IN_WORD@", &word(input_bits))
        .replace("@OUT_WORD@", &word(output_bits))
        .replace("@CYCLES@", &circuit.cycles().to_string())
        .replace("@LAST@", &circuit.cycles().saturating_sub(1).to_string())
}

/// Reads the rows of the vectors file, or of that of `+vectors=FILE`, into `rows` and `wanted`, and counts them.
const READ: &str = r#"    if (!$value$plusargs("vectors=%s", name)) name = "vectors.txt";
    file = $fopen(name, "r");
    count = 0;
    read = 2;
    while (file != 0 && read == 2 && count < ROWS) begin
      read = $fscanf(file, "%h %h\n", rows[count], wanted[count]);
      if (read == 2) count = count + 1;
    end
"#;

const PLAIN: &str = r#"// Streams the rows of a vectors file through @MODULE@, one a clock, and compares every output bit.
`timescale 1ns / 1ps
module @MODULE@_tb;
  parameter ROWS = 65536;
  reg clk = 0;
  reg [@IN_WORD@:0] rows [0:ROWS-1];
  reg [@OUT_WORD@:0] wanted [0:ROWS-1];
  reg [@IN@:0] inputs;
  wire [@OUT@:0] outputs;
  reg [8*256:1] name;
  integer file, read, count, edges, done, mismatches, first;

  @MODULE@ dut (.clk(clk), .inputs(inputs), .outputs(outputs));

  initial begin
@READ@    mismatches = 0;
    first = -1;
    for (edges = 0; count > 0 && edges < count + @CYCLES@ - 1; edges = edges + 1) begin
      inputs = rows[edges < count ? edges : count - 1];
      #5 clk = 1;
      #1 done = edges - (@CYCLES@ - 1);
      if (done >= 0) begin
        if (outputs !== wanted[done][@OUT@:0]) begin
          mismatches = mismatches + 1;
          if (first < 0) first = done;
        end
      end
      #4 clk = 0;
    end
    $display("vectors %0d mismatches %0d first %0d", count, mismatches, first);
    $finish;
  end
endmodule
"#;

const STREAM: &str = r#"// Streams the rows of a vectors file through @MODULE@_axis: at full speed, then with random stalls.
`timescale 1ns / 1ps
module @MODULE@_axis_tb;
  parameter ROWS = 65536;
  reg aclk = 0;
  reg aresetn = 0;
  reg [@IN_WORD@:0] rows [0:ROWS-1];
  reg [@OUT_WORD@:0] wanted [0:ROWS-1];
  reg [@S_TOP@:0] s_tdata = 0;
  reg s_tvalid = 0;
  wire s_tready;
  wire [@M_TOP@:0] m_tdata;
  wire m_tvalid;
  reg m_tready = 0;
  reg [@M_TOP@:0] kept;
  reg was_stalled, takes, gives;
  reg [8*256:1] name;
  integer file, read, count, seed, pass, sent, got, clocks, mismatches, first;

  @MODULE@_axis dut (
    .aclk(aclk), .aresetn(aresetn),
    .s_axis_tdata(s_tdata), .s_axis_tvalid(s_tvalid), .s_axis_tready(s_tready),
    .m_axis_tdata(m_tdata), .m_axis_tvalid(m_tvalid), .m_axis_tready(m_tready)
  );

  task wrong(input integer row);
    begin
      mismatches = mismatches + 1;
      if (first < 0) first = row;
    end
  endtask

  // A clock: what stands before its edge decides what the edge moves.
  task tick;
    begin
      takes = s_tvalid & s_tready;
      gives = m_tvalid & m_tready;
      if (was_stalled && (!m_tvalid || m_tdata !== kept)) wrong(got);
      was_stalled = m_tvalid & ~m_tready;
      kept = m_tdata;
      if (gives) begin
        if (got >= count) wrong(got);
        else if (m_tdata !== wanted[got][@OUT@:0]) wrong(got);
        got = got + 1;
      end
      #5 aclk = 1;
      #5 aclk = 0;
      clocks = clocks + 1;
    end
  endtask

  initial begin
    if (!$value$plusargs("seed=%d", seed)) seed = 1;
@READ@    mismatches = 0;
    first = -1;
    for (pass = 0; pass < 2; pass = pass + 1) begin
      aresetn = 0;
      s_tvalid = 0;
      m_tready = 0;
      was_stalled = 0;
      sent = 0;
      got = 0;
      tick;
      aresetn = 1;
      clocks = 0;
      while (got < count && clocks < 20 * count + 1000) begin
        // Once valid, a beat stays until it is taken.
        if (!s_tvalid || takes) begin
          s_tvalid = sent < count && (pass == 0 || $random(seed) % 3 != 0);
          s_tdata = s_tvalid ? rows[sent] : 0;
          if (s_tvalid) sent = sent + 1;
        end
        // Long stalls fill the buffer, short ones meet its edges.
        m_tready = pass == 0 || ((clocks / 64) % 4 != 3 && $random(seed) % 2 != 0);
        #1 tick;
      end
      if (got != count || (pass == 0 && clocks > count + @CYCLES@ + 1)) wrong(got);
      // Nothing may follow.
      s_tvalid = 0;
      m_tready = 1;
      repeat (2 * @CYCLES@ + 8) #1 tick;
      if (got != count) wrong(got);
    end
    $display("vectors %0d mismatches %0d first %0d", count, mismatches, first);
    $finish;
  end
endmodule
"#;
