//! The streamed circuit: Verilog of its stages, a test bench with rows of beats, a Yosys script.
//!
//! The rule this module keeps: before it is written, the circuit is evaluated on every row of the vectors
//! file and must give integer inference's logits; the circuits of its positions are proven as they are built.

use bitfront_hardware::circuit::BuildOptions;
use bitfront_hardware::engine::vivado;
use bitfront_hardware::streamed::{StreamOptions, StreamedCircuit};
use bitfront_hardware::synthesis_report;
use bitfront_network::IntegerProgram;

use crate::error::Refusals;
use crate::verilog::{MODULE, vectors};
use crate::{ExportError, File};

/// Most beats of the vectors file: 2,000 rows of features, fewer of images.
const BEATS: usize = 40_000;

pub(crate) fn files(
    program: &IntegerProgram,
    circuit: &BuildOptions,
    reuse: u32,
) -> Result<Vec<File>, ExportError> {
    let options = StreamOptions {
        reuse,
        circuit: *circuit,
    };
    let refuse = |reason: String| {
        let mut refusals = Refusals::default();
        refusals.add("the streamed circuit", reason);
        refusals.none("verilog", Vec::new())
    };
    let streamed = match StreamedCircuit::build(program, &options) {
        Ok(streamed) => streamed,
        Err(error) => return refuse(format!("cannot be built: {error}")),
    };
    let mut codes = vectors(program);
    let rows = codes.len() / program.inputs();
    let kept = rows.min((BEATS / streamed.beats()).max(20));
    codes.truncate(kept * program.inputs());
    let inputs: Vec<i64> = codes.iter().map(|code| i64::from(*code)).collect();
    let logits = program.logits(&codes);
    let each = inputs
        .chunks(program.inputs())
        .zip(logits.chunks(program.outputs()));
    for (row, (input, expected)) in each.enumerate() {
        if streamed.evaluate(input) != expected {
            return refuse(format!("is another function, seen on row {row} of {kept}"));
        }
    }
    let synthesis = synthesis_report::options(circuit.multipliers);
    let script =
        format!("read_verilog network.v\n{synthesis} -top {MODULE}\ntee -o cells.txt stat\n");
    Ok(vec![
        File::text("network.v", streamed.verilog(MODULE)),
        File::text("bench.cpp", streamed.test_bench(MODULE)),
        File::text("vectors.txt", streamed.vectors_file(&inputs, &logits)),
        File::text("synthesise.ys", script),
        File::text(
            "constraints.xdc",
            vivado::constraints("clk", circuit.delays.period_ps),
        ),
        File::text("Makefile", MAKEFILE.to_owned()),
    ])
}

const MAKEFILE: &str = "# `make check` streams every row with Verilator, without and with pauses; `make synthesise` counts cells with Yosys.
check:
\tverilator --cc --exe --build -Wno-fatal --top-module network network.v bench.cpp
\tobj_dir/Vnetwork vectors.txt

synthesise:
\tyosys -q synthesise.ys

.PHONY: check synthesise
";
