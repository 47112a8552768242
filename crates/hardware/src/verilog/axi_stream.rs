//! An AXI-Stream module around a circuit: one row a beat, with back-pressure.
//!
//! The pipeline itself never stops: a stall would need an enable on every register. Instead a beat is
//! taken only while a buffer behind the pipeline has room for every row on its way, counted by credits.
//! The buffer holds as many rows as a credit takes to come back, so nothing is lost at full speed.

use crate::circuit::Circuit;

/// Verilog-2001 of the module `<module_name>_axis` around the one that [`emit`](super::emit) wrote.
///
/// Ports: `aclk`, `aresetn` (synchronous, low resets), `s_axis_tdata/tvalid/tready` for rows and
/// `m_axis_tdata/tvalid/tready` for logits. A beat carries the packed bus of the inner module in its
/// lowest bits; `tdata` is filled with zeros to whole bytes. Rows come out in order, one a clock while
/// nobody stalls, [`Circuit::cycles`] + 1 edges after they were taken.
pub fn axi_stream(circuit: &Circuit, module_name: &str) -> String {
    let (input_bits, output_bits) = (circuit.input_bits(), circuit.output_bits());
    let (input_bytes, output_bytes) = (input_bits.div_ceil(8), output_bits.div_ceil(8));
    let cycles = circuit.cycles();
    // A credit comes back when its row has left: through the pipeline, into the buffer, out of it.
    let address_bits = (cycles + 2).next_power_of_two().trailing_zeros();
    let filled = |bits: u32, bytes: u32| match 8 * bytes - bits {
        0 => "head".to_owned(),
        missing => format!("{{{missing}'h0, head}}"),
    };
    let shifted = match cycles {
        1 => "take".to_owned(),
        _ => format!("{{on_the_way[{}:0], take}}", cycles - 2),
    };
    // Credits know which rows are on their way: the pipeline's own flags are not asked.
    let flags = if circuit.has_valid() {
        ".rst(1'b1), .in_valid(1'b0), .out_valid(), "
    } else {
        ""
    };
    TEMPLATE
        .replace("@MODULE@", module_name)
        .replace("@FLAGS@", flags)
        .replace("@INPUT_TOP@", &(8 * input_bytes - 1).to_string())
        .replace("@OUTPUT_TOP@", &(8 * output_bytes - 1).to_string())
        .replace("@IN@", &(input_bits - 1).to_string())
        .replace("@OUT@", &(output_bits - 1).to_string())
        .replace("@CYCLES@", &cycles.to_string())
        .replace("@LAST@", &(cycles - 1).to_string())
        .replace("@SHIFTED@", &shifted)
        .replace("@ROWS@", &(1_u32 << address_bits).to_string())
        .replace("@ROWS_TOP@", &((1_u32 << address_bits) - 1).to_string())
        .replace("@ADDRESS_TOP@", &(address_bits - 1).to_string())
        .replace("@COUNT_TOP@", &address_bits.to_string())
        .replace("@COUNT_BITS@", &(address_bits + 1).to_string())
        .replace("@ADDRESS_BITS@", &address_bits.to_string())
        .replace("@FILLED@", &filled(output_bits, output_bytes))
}

const TEMPLATE: &str = r"// AXI-Stream around @MODULE@: one row a beat, @CYCLES@ cycles and one more through the buffer.
module @MODULE@_axis (
  input wire aclk,
  input wire aresetn,
  input wire [@INPUT_TOP@:0] s_axis_tdata,
  input wire s_axis_tvalid,
  output wire s_axis_tready,
  output wire [@OUTPUT_TOP@:0] m_axis_tdata,
  output wire m_axis_tvalid,
  input wire m_axis_tready
);
  // Rows that may still be taken: room in the buffer less what is on its way there.
  reg [@COUNT_TOP@:0] credits;
  reg [@COUNT_TOP@:0] held;
  reg [@LAST@:0] on_the_way;
  reg [@ADDRESS_TOP@:0] write_at;
  reg [@ADDRESS_TOP@:0] read_at;
  reg [@OUT@:0] buffer [0:@ROWS_TOP@];
  wire [@OUT@:0] outputs;
  wire [@OUT@:0] head = buffer[read_at];
  wire take = s_axis_tvalid & s_axis_tready;
  wire give = m_axis_tvalid & m_axis_tready;
  wire arrive = on_the_way[@LAST@];

  assign s_axis_tready = |credits;
  assign m_axis_tvalid = |held;
  assign m_axis_tdata = @FILLED@;

  @MODULE@ pipeline (.clk(aclk), @FLAGS@.inputs(s_axis_tdata[@IN@:0]), .outputs(outputs));

  always @(posedge aclk) begin
    if (arrive) buffer[write_at] <= outputs;
    if (!aresetn) begin
      credits <= @COUNT_BITS@'d@ROWS@;
      held <= @COUNT_BITS@'d0;
      on_the_way <= @CYCLES@'d0;
      write_at <= @ADDRESS_BITS@'d0;
      read_at <= @ADDRESS_BITS@'d0;
    end else begin
      on_the_way <= @SHIFTED@;
      if (take & ~give) credits <= credits - 1'b1;
      if (give & ~take) credits <= credits + 1'b1;
      if (arrive & ~give) held <= held + 1'b1;
      if (give & ~arrive) held <= held - 1'b1;
      if (arrive) write_at <= write_at + 1'b1;
      if (give) read_at <= read_at + 1'b1;
    end
  end
endmodule
";
