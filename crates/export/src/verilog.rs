//! The circuit as synthesis jobs build it: Verilog, test benches with vectors, constraints, scripts for
//! Yosys and Vivado; behind an AXI-Stream, or with flags of valid rows, where that is asked for.
//!
//! The rule this module keeps: the circuit is proved against the integer program before it is
//! written, and what the vectors expect is integer inference's. The vectors of a circuit within the ranges of
//! the train rows are such rows, on each of which it is evaluated before.

use bitfront_hardware::circuit::{BuildOptions, Circuit, Observed, Ranges};
use bitfront_hardware::engine::vivado;
use bitfront_hardware::synthesis_report::yosys_script;
use bitfront_hardware::verilog::{
    axi_stream, axi_stream_bench, emit, test_bench, valid_bench, vectors_file, verilog_bench,
    with_valid,
};
use bitfront_network::IntegerProgram;

use crate::error::Refusals;
use crate::{ExportError, File, Options};

/// Name of the module.
pub(crate) const MODULE: &str = "network";

/// Rows of the vectors file.
const VECTORS: usize = 2000;

pub(crate) fn files(
    program: &IntegerProgram,
    circuit: &BuildOptions,
    options: Options<'_>,
) -> Result<Vec<File>, ExportError> {
    let refuse = |reason: String| {
        let mut refusals = Refusals::default();
        refusals.add("the circuit", reason);
        refusals.none("verilog", ())
    };
    let train = options.train_rows.map(|rows| program.input_codes(rows));
    let built = match &train {
        Some(train) if circuit.ranges == Ranges::Data => {
            // Nobody waits here who could stop it.
            let observed = Observed::of(program, train, &|| false);
            observed.map_or_else(
                || Circuit::build_with(program, circuit),
                |observed| Circuit::build_within(program, circuit, &observed),
            )
        }
        _ => Circuit::build_with(program, circuit),
    };
    let circuit = match built {
        Ok(circuit) => circuit,
        Err(error) => return refuse(format!("cannot be built: {error}")).map(|()| Vec::new()),
    };
    if let Err(error) = circuit.check_against(program) {
        return refuse(format!("is another function: {error}")).map(|()| Vec::new());
    }
    let codes = match &train {
        Some(train) if circuit.ranges() == Ranges::Data => spread(program, train),
        _ => vectors(program),
    };
    let inputs: Vec<i64> = codes.iter().map(|code| i64::from(*code)).collect();
    let expected = circuit.output().expected(program, &codes);
    if circuit.ranges() == Ranges::Data {
        let each = inputs
            .chunks(program.inputs())
            .zip(expected.chunks(circuit.outputs().len()));
        for (row, (input, expected)) in each.enumerate() {
            if circuit.evaluate(input) != expected {
                return refuse(format!("is another function, seen on vector {row}"))
                    .map(|()| Vec::new());
            }
        }
    }
    let vectors = vectors_file(&circuit, &inputs, &expected);
    let script = yosys_script(
        circuit.multipliers(),
        "network.v",
        MODULE,
        "cells.txt",
        "path.txt",
    );
    let period_ps = circuit.delays().period_ps;
    let part = options.part.unwrap_or(vivado::DEFAULT_PART);
    let mut files = vec![
        File::text("network.v", emit(&circuit, MODULE)),
        File::text("bench.cpp", test_bench(&circuit, MODULE)),
        File::text("network_tb.v", verilog_bench(&circuit, MODULE)),
        File::text("vectors.txt", vectors),
        File::text("synthesise.ys", script.replace("; ", "\n") + "\n"),
        File::text("constraints.xdc", vivado::constraints("clk", period_ps)),
        File::text("vivado.tcl", vivado::script(MODULE, part)),
    ];
    let mut makefile = MAKEFILE.replace("@PART@", part);
    if options.axi_stream {
        let bench = axi_stream_bench(&circuit, MODULE);
        files.push(File::text("network_axis.v", axi_stream(&circuit, MODULE)));
        files.push(File::text("network_axis_tb.v", bench));
        makefile += AXI_STREAM_TARGET;
    }
    // A circuit with flags of its own needs none around it.
    if options.valid && !circuit.has_valid() {
        let bench = valid_bench(&circuit, MODULE);
        files.push(File::text("network_valid.v", with_valid(&circuit, MODULE)));
        files.push(File::text("network_valid_tb.v", bench));
        makefile += VALID_TARGET;
    }
    files.push(File::text("Makefile", makefile));
    Ok(files)
}

const MAKEFILE: &str = "# `make check` simulates every vector with Verilator, `make check-icarus` with Icarus Verilog;
# `make synthesise` counts cells with Yosys, `make vivado PART=..` places and routes (untested on the real tool).
PART = @PART@

check:
\tverilator --cc --exe --build -Wno-fatal --top-module network network.v bench.cpp
\tobj_dir/Vnetwork vectors.txt

check-icarus:
\tiverilog -g2001 -s network_tb -o network_tb.vvp network.v network_tb.v
\tvvp -n network_tb.vvp | tee network_tb.log
\tgrep -q 'mismatches 0 first -1' network_tb.log

synthesise:
\tyosys -q synthesise.ys

vivado:
\tvivado -mode batch -source vivado.tcl -tclargs $(PART)

.PHONY: check check-icarus synthesise vivado
";

const AXI_STREAM_TARGET: &str = "
# The AXI-Stream module at full speed and under random stalls; `SEED=2` draws others.
SEED = 1
check-axi-stream:
\tiverilog -g2001 -s network_axis_tb -o network_axis_tb.vvp network.v network_axis.v network_axis_tb.v
\tvvp -n network_axis_tb.vvp +seed=$(SEED) | tee network_axis_tb.log
\tgrep -q 'mismatches 0 first -1' network_axis_tb.log

.PHONY: check-axi-stream
";

const VALID_TARGET: &str = "
# The module with in_valid and out_valid: a row a clock, and with random gaps; `SEED=2` draws others.
SEED = 1
check-valid:
\tiverilog -g2001 -s network_valid_tb -o network_valid_tb.vvp network.v network_valid.v network_valid_tb.v
\tvvp -n network_valid_tb.vvp +seed=$(SEED) | tee network_valid_tb.log
\tgrep -q 'mismatches 0 first -1' network_valid_tb.log

.PHONY: check-valid
";

/// As many of the rows as a vectors file has, evenly spread over them, or all.
fn spread(program: &IntegerProgram, codes: &[i32]) -> Vec<i32> {
    let rows: Vec<&[i32]> = codes.chunks_exact(program.inputs()).collect();
    let taken = rows.len().min(VECTORS);
    (0..taken)
        .flat_map(|n| rows[n * rows.len() / taken])
        .copied()
        .collect()
}

/// Rows of input codes: the corners of the input box, rows with one extreme code, then random ones.
pub(crate) fn vectors(program: &IntegerProgram) -> Vec<i32> {
    let inputs = program.inputs();
    let range = program.input.hull();
    let (lo, hi) = (range.lo as i32, range.hi as i32);
    let zero = 0.clamp(lo, hi);
    let mut codes = Vec::with_capacity(VECTORS * inputs);
    for corner in [lo, hi, zero] {
        codes.extend(std::iter::repeat_n(corner, inputs));
    }
    let taken = inputs.min(VECTORS / 4);
    for at in (0..taken).map(|n| n * inputs / taken) {
        for extreme in [lo, hi] {
            codes.extend((0..inputs).map(|i| if i == at { extreme } else { zero }));
        }
    }
    // The same numbers for every network: a counter through a mixing function.
    let mut state = 1u64;
    let width = (range.hi - range.lo + 1) as u64;
    while codes.len() < VECTORS * inputs {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        codes.push((range.lo + ((mixed ^ (mixed >> 31)) % width) as i64) as i32);
    }
    codes
}
