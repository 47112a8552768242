"""Clock edges from a row on the input bus to its outputs, seen in a simulation of the RTL.

One row is held, another one stands for one clock cycle: the outputs must differ after `cycles` edges, and after
no other edge, or the initiation interval is not one.
"""

import random
import re
import subprocess
from pathlib import Path

BENCH = """module bench;
  reg clk = 0;
  reg [{inputs}:0] inputs;
  wire [{outputs}:0] outputs;
  reg [{outputs}:0] held;
  integer edges;
  {top} dut(.clk(clk), .inputs(inputs), .outputs(outputs));
  initial begin
    inputs = {width}'h{first};
    repeat ({settle}) begin #1 clk = 1; #1 clk = 0; end
    held = outputs;
    inputs = {width}'h{second};
    for (edges = 1; edges <= {settle}; edges = edges + 1) begin
      #1 clk = 1; #1 clk = 0;
      if (outputs !== held) $display("differs %0d", edges);
      inputs = {width}'h{first};
    end
    $finish;
  end
endmodule
"""


def edges(verilog, top, settle=40):
    """Edges after which the outputs differ; tries rows until two differ in their outputs."""
    text = Path(verilog).read_text()
    inputs, outputs = (int(n) for n in re.findall(r"^  (?:input|output) wire \[(\d+):0\]", text, re.M))
    draw = random.Random(1)
    for _ in range(10):
        first, second = (f"{draw.getrandbits(inputs + 1):x}" for _ in range(2))
        bench = Path(verilog).with_suffix(".bench")
        bench.write_text(BENCH.format(
            inputs=inputs, outputs=outputs, width=inputs + 1, top=top, first=first, second=second, settle=settle,
        ))
        binary = str(bench) + ".vvp"
        subprocess.run(["iverilog", "-g2005", "-s", "bench", "-o", binary, verilog, bench], check=True)
        ran = subprocess.run(["vvp", "-n", binary], check=True, capture_output=True, text=True)
        if found := [int(n) for n in re.findall(r"differs (\d+)", ran.stdout)]:
            return found
    raise SystemExit(f"{verilog}: no row changes the outputs")
