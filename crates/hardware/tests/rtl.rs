//! The Verilog of random programs, simulated by Verilator, equals their evaluation bit for bit.

mod common;
#[path = "common/verilator.rs"]
mod verilator;

use bitfront_hardware::circuit::{BuildOptions, Circuit, DelayModel};
use bitfront_hardware::verilog::{BenchReport, emit, test_bench, vectors_file};
use bitfront_network::{IntegerOperation, IntegerProgram, Interval, Linear};
use common::{Rule, Spec, program, rows};
use std::path::{Path, PathBuf};
use std::process::Command;
use verilator::{build_runtime, compile, run};

const VECTORS: usize = 2_500;
const ANYTHING: Interval = Interval {
    lo: i64::MIN,
    hi: i64::MAX,
};

/// Builds the bench; returns the path of its binary.
fn build(folder: &Path, root: &str, circuit: &Circuit, name: &str) -> PathBuf {
    let (rtl, bench) = (emit(circuit, name), test_bench(circuit, name));
    compile(folder, root, name, (&rtl, &bench))
}

/// Simulates the program's circuit on corners and on random rows; then checks that one wrong expected
/// bit and one flipped weight bit are both found.
fn simulate(
    folder: &Path,
    root: &str,
    name: &str,
    (program, seed): (&IntegerProgram, u64),
    options: &BuildOptions,
) {
    let circuit = Circuit::build_with(program, options).unwrap();
    circuit.check_against(program).unwrap();
    let inputs = rows(program, VECTORS, seed + 99);
    let evaluate = |circuit: &Circuit| -> Vec<i64> {
        let rows = inputs.chunks(program.candidate.inputs());
        rows.flat_map(|row| circuit.evaluate(row)).collect()
    };
    let expected = evaluate(&circuit);
    let binary = build(folder, root, &circuit, name);
    let vectors = vectors_file(&circuit, &inputs, &expected);
    let rows = expected.len() / circuit.outputs().len();
    assert!(rows >= 2_000);
    let equal = BenchReport {
        vectors: rows as u64,
        mismatches: 0,
        first: None,
    };
    assert_eq!(run(folder, &binary, &vectors), (equal, true), "{name}");

    // One expected bit of the last row wrong.
    let mut wrong = expected.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let found = BenchReport {
        mismatches: 1,
        first: Some(rows as u64 - 1),
        ..equal
    };
    let vectors = vectors_file(&circuit, &inputs, &wrong);
    assert_eq!(run(folder, &binary, &vectors), (found, false), "{name}");

    // One weight bit flipped in the program that the expectation comes from.
    let first = program
        .layers
        .iter()
        .position(|layer| matches!(layer.operation, IntegerOperation::Linear(_)))
        .expect("a layer with a kernel");
    let changed = (0..kernel(&mut program.clone(), first).kernel.len())
        .find_map(|weight| {
            let mut mutant = program.clone();
            let linear = kernel(&mut mutant, first);
            linear.kernel[weight] ^= 1;
            linear.accumulator_range.fill(ANYTHING);
            let rows = inputs.chunks(program.candidate.inputs());
            let logits: Vec<i64> = rows.flat_map(|row| common::logits(&mutant, row)).collect();
            (logits != expected).then_some(logits)
        })
        .expect("a weight of the first layer that matters");
    // The expectation may leave the bus where the mutant passes the circuit's ranges.
    let vectors = vectors_file(&circuit, &inputs, &changed);
    let (report, success) = run(folder, &binary, &vectors);
    assert!(report.mismatches > 0 && !success, "{name}");
}

fn kernel(program: &mut IntegerProgram, layer: usize) -> &mut Linear {
    match &mut program.layers[layer].operation {
        IntegerOperation::Linear(linear) => linear,
        other => panic!("layer {layer} is {other:?}"),
    }
}

#[test]
fn verilog_equals_evaluation_on_every_vector() {
    let found = Command::new("verilator").arg("--version").output();
    if !found.is_ok_and(|output| output.status.success()) {
        common::skipped::skipped("verilator");
        return;
    }
    let slow = DelayModel::default();
    let fast = DelayModel {
        period_ps: 1_500,
        ..slow
    };
    let spec = |widths: &[usize], rule, seed| Spec {
        widths: widths.to_vec(),
        rule,
        seed,
        ..Spec::default()
    };
    let cases = [
        ("rectified", spec(&[8, 6, 5], Rule::Relu, 11), slow),
        (
            "scaled_by_output",
            Spec {
                ragged: true,
                ..spec(&[5, 4, 4, 3], Rule::Signed, 12)
            },
            slow,
        ),
        (
            "symmetric_at_a_fast_clock",
            Spec {
                weight_bits: 6,
                ..spec(&[6, 5, 4], Rule::Symmetric, 13)
            },
            fast,
        ),
        (
            "sparse_steps",
            Spec {
                zeros: 50,
                ragged: true,
                ..spec(&[7, 6, 5, 4], Rule::Steps, 14)
            },
            slow,
        ),
        (
            "wide_and_positive",
            Spec {
                positive: true,
                input_bits: 8,
                ..spec(&[16, 8, 8], Rule::Relu, 15)
            },
            slow,
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let root = build_runtime(folder.path());
    // Convolutions, pools and a batch normalisation; a residual sum, a join and frozen scales; formats
    // channel by channel.
    for (name, delays) in [("image", slow), ("residual", fast), ("widths", slow)] {
        let program = (&common::graphs::frozen(name, 4), 4);
        simulate(
            folder.path(),
            &root,
            name,
            program,
            &BuildOptions {
                delays,
                ..BuildOptions::default()
            },
        );
    }
    for (name, spec, delays) in cases {
        let program = (&program(&spec), spec.seed);
        simulate(
            folder.path(),
            &root,
            name,
            program,
            &BuildOptions {
                delays,
                ..BuildOptions::default()
            },
        );
    }
}
