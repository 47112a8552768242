//! The Verilog of random programs, simulated by Verilator, equals their evaluation bit for bit.

mod common;

use bitfront_hardware::circuit::{BuildOptions, Circuit, DelayModel};
use bitfront_hardware::verilog::{BenchReport, emit, parse_bench_report, test_bench, vectors_file};
use bitfront_network::Interval;
use common::{Rule, Spec, program, rows};
use std::path::Path;
use std::process::Command;

const VECTORS: usize = 2_500;
const ANYTHING: Interval = Interval {
    lo: i64::MIN,
    hi: i64::MAX,
};

fn verilator_is_missing(test: &str) -> bool {
    let found = Command::new("verilator").arg("--version").output();
    let missing = !found.is_ok_and(|output| output.status.success());
    if missing {
        println!("skipped {test}: verilator is not on PATH");
    }
    missing
}

/// Builds the bench; returns the path of its binary.
fn build(folder: &Path, circuit: &Circuit, verilog: &str) -> std::path::PathBuf {
    std::fs::write(folder.join("net.v"), verilog).unwrap();
    std::fs::write(folder.join("bench.cpp"), test_bench(circuit, "net")).unwrap();
    let built = Command::new("verilator")
        .args(["--cc", "--exe", "--build", "-Wno-fatal", "-CFLAGS", "-O0"])
        .args([
            "--top-module",
            "net",
            "--Mdir",
            "built",
            "net.v",
            "bench.cpp",
        ])
        .current_dir(folder)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{log}");
    folder.join("built/Vnet")
}

fn run(folder: &Path, binary: &Path, vectors: &str) -> (BenchReport, bool) {
    std::fs::write(folder.join("vectors.txt"), vectors).unwrap();
    let output = Command::new(binary)
        .arg(folder.join("vectors.txt"))
        .output()
        .unwrap();
    let report = parse_bench_report(&String::from_utf8_lossy(&output.stdout)).unwrap();
    (report, output.status.success())
}

/// Simulates the program's circuit on rows that saturate, on corners and on random rows; then
/// checks that one wrong expected bit and one flipped weight bit in the RTL are both found.
fn simulate(test: &str, spec: &Spec, options: &BuildOptions) {
    if verilator_is_missing(test) {
        return;
    }
    let program = program(spec);
    let circuit = Circuit::build_with(&program, options);
    circuit.check_against(&program).unwrap();
    let inputs = rows(&program, VECTORS, spec.seed + 99);
    let evaluate = |circuit: &Circuit| -> Vec<i64> {
        let rows = inputs.chunks(program.candidate.inputs);
        rows.flat_map(|row| circuit.evaluate(row)).collect()
    };
    let expected = evaluate(&circuit);
    let folder = tempfile::tempdir().unwrap();
    let binary = build(folder.path(), &circuit, &emit(&circuit, "net"));
    let vectors = vectors_file(&circuit, &inputs, &expected);
    let rows = expected.len() / circuit.outputs().len();
    assert!(rows >= 2_000);
    let equal = BenchReport {
        vectors: rows as u64,
        mismatches: 0,
        first: None,
    };
    assert_eq!(
        run(folder.path(), &binary, &vectors),
        (equal, true),
        "{spec:?}"
    );

    // One expected bit of the last row wrong.
    let mut wrong = expected.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let found = BenchReport {
        mismatches: 1,
        first: Some(rows as u64 - 1),
        ..equal
    };
    let vectors = vectors_file(&circuit, &inputs, &wrong);
    assert_eq!(
        run(folder.path(), &binary, &vectors),
        (found, false),
        "{spec:?}"
    );

    // One weight bit flipped in the program that the expectation comes from.
    let changed = (0..program.layers[0].kernel.len())
        .find_map(|weight| {
            let mut mutant = program.clone();
            mutant.layers[0].kernel[weight] ^= 1;
            mutant.layers[0].result_range.fill(ANYTHING);
            let rows = inputs.chunks(program.candidate.inputs);
            let logits: Vec<i64> = rows.flat_map(|row| common::logits(&mutant, row)).collect();
            (logits != expected).then_some(logits)
        })
        .expect("a weight of the first layer that matters");
    let vectors = vectors_file(&circuit, &inputs, &changed);
    let (report, success) = run(folder.path(), &binary, &vectors);
    assert!(report.mismatches > 0 && !success, "{spec:?}");
}

#[test]
fn relu_network() {
    let spec = Spec {
        widths: vec![8, 6, 5],
        seed: 11,
        ..Spec::default()
    };
    simulate("relu_network", &spec, &BuildOptions::default());
}

#[test]
fn signed_network_with_scales_by_output() {
    let spec = Spec {
        widths: vec![5, 4, 4, 3],
        rule: Rule::Signed,
        ragged: true,
        seed: 12,
        ..Spec::default()
    };
    simulate(
        "signed_network_with_scales_by_output",
        &spec,
        &BuildOptions::default(),
    );
}

#[test]
fn symmetric_bounds_at_a_fast_clock() {
    let delays = DelayModel {
        period_ps: 1_500,
        ..DelayModel::default()
    };
    let spec = Spec {
        widths: vec![6, 5, 4],
        rule: Rule::Symmetric,
        weight_bits: 6,
        seed: 13,
        ..Spec::default()
    };
    simulate(
        "symmetric_bounds_at_a_fast_clock",
        &spec,
        &BuildOptions { delays },
    );
}

#[test]
fn step_functions_and_sparse_weights() {
    let spec = Spec {
        widths: vec![7, 6, 5, 4],
        rule: Rule::Steps,
        zeros: 50,
        ragged: true,
        seed: 14,
        ..Spec::default()
    };
    simulate(
        "step_functions_and_sparse_weights",
        &spec,
        &BuildOptions::default(),
    );
}

#[test]
fn wide_buses_and_positive_weights() {
    let spec = Spec {
        widths: vec![16, 8, 8],
        positive: true,
        input_bits: 8,
        seed: 15,
        ..Spec::default()
    };
    simulate(
        "wide_buses_and_positive_weights",
        &spec,
        &BuildOptions::default(),
    );
}
