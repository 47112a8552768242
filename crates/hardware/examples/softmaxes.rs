//! Synthesises circuits that end in a softmax by tables with Yosys, and prints what each is said to take.
//!
//! `cargo run --release -p bitfront-hardware --example softmaxes`
//!
//! Needs `yosys` on the PATH; about three minutes on an idle core. A row for each precision, number of classes and clock;
//! what the same network's logits alone take stands beside it.

#[path = "../tests/common/mod.rs"]
mod common;

use bitfront_hardware::circuit::{BuildOptions, Circuit, OutputForm};
use bitfront_hardware::circuit_costs;
use bitfront_hardware::synthesis_report::{SynthesisReport, parse, yosys_script};
use bitfront_hardware::verilog::emit;
use bitfront_network::{Head, IntegerProgram, SoftmaxTables};
use common::Spec;
use std::process::Command;

fn program(classes: usize, tables: SoftmaxTables, seed: u64) -> IntegerProgram {
    let mut program = common::program(&Spec {
        widths: vec![8, 8, classes],
        seed,
        ..Spec::default()
    });
    program.candidate.head = Head::Softmax {
        tables: Some(tables),
    };
    program
}

fn synthesised(circuit: &Circuit) -> SynthesisReport {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("net.v"), emit(circuit, "net")).expect("a file");
    let script = yosys_script(circuit.multipliers(), "net.v", "net", "stat.txt", "ltp.txt");
    let output = Command::new("yosys")
        .args(["-q", "-p", &script])
        .current_dir(folder.path())
        .output()
        .expect("yosys");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a report");
    parse(&read("stat.txt"), &read("ltp.txt"), false).expect("a report")
}

fn main() {
    println!(
        "| address, exponential, inverse, output bits | classes | MHz | LUTs of the logits | LUTs said | LUT | error % | FF said | FF | carry said | CARRY4 | levels said | levels | cycles |"
    );
    println!("|{}", "---|".repeat(14));
    let tables = |address_bits, address_fraction, fraction, output_fraction| SoftmaxTables {
        address_bits,
        address_fraction,
        exp_fraction: fraction,
        inverse_fraction: fraction,
        output_fraction,
    };
    let small = tables(6, 3, 8, 8);
    let middle = tables(8, 4, 12, 10);
    let usual = SoftmaxTables::default();
    for (seed, (tables, classes, mhz)) in [
        (small, 3, 200.0),
        (small, 5, 200.0),
        (small, 5, 500.0),
        (small, 10, 200.0),
        (middle, 3, 200.0),
        (middle, 5, 200.0),
        (middle, 5, 500.0),
        (usual, 2, 200.0),
        (usual, 5, 200.0),
        (usual, 5, 500.0),
    ]
    .into_iter()
    .enumerate()
    {
        let program = program(classes, tables, seed as u64);
        let options = BuildOptions {
            output: OutputForm::Softmax,
            ..BuildOptions::new(mhz, Some(1))
        };
        let circuit = Circuit::build_with(&program, &options).expect("a circuit");
        circuit.check_against(&program).expect("a proof");
        let plain = Circuit::build_with(&program, &BuildOptions::new(mhz, Some(1)));
        let plain = circuit_costs(&program, &plain.expect("a circuit"));
        let (said, found) = (circuit_costs(&program, &circuit), synthesised(&circuit));
        println!(
            "| {}, {}, {}, {} | {classes} | {mhz} | {} | {} | {} | {:+.1} | {} | {} | {} | {} | {} | {} | {} |",
            tables.address_bits,
            tables.exp_fraction,
            tables.inverse_fraction,
            tables.output_fraction,
            plain.lut_estimate,
            said.lut_estimate,
            found.lut,
            100.0 * (said.lut_estimate as f64 / found.lut as f64 - 1.0),
            said.ff_estimate,
            found.ff,
            said.carry_estimate.unwrap_or_default(),
            found.carry,
            said.levels_estimate.unwrap_or_default(),
            found.levels,
            said.cycles,
        );
    }
}
