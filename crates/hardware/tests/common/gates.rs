//! A circuit through every gate that a synthesis job has: proof, evaluation, RTL simulation, synthesis and netlist simulation.

use super::common::{logits, rows};
use super::verilator::{compile, run};
use bitfront_hardware::circuit::{BuildOptions, Circuit, Multipliers, OutputForm};
use bitfront_hardware::netlist;
use bitfront_hardware::synthesis_report::{SynthesisReport, parse, yosys_script};
use bitfront_hardware::verilog::{BenchReport, emit, test_bench, vectors_file};
use bitfront_hardware::{Costs, circuit_costs};
use bitfront_network::IntegerProgram;
use std::path::Path;
use std::process::Command;

/// Vectors of either simulation.
pub(crate) const VECTORS: usize = 2_000;

/// What was said of a circuit and what was counted; every gate passed.
pub(crate) struct Passed {
    pub(crate) costs: Costs,
    pub(crate) counted: SynthesisReport,
    /// As Yosys wrote it.
    #[allow(dead_code, reason = "only some tests read it")]
    pub(crate) netlist: String,
}

/// Takes a program through the gates in `folder`, where Verilator's run-time library lies; fails at the first that is not
/// passed.
pub(crate) fn pass(
    folder: &Path,
    root: &str,
    name: &str,
    program: &IntegerProgram,
    options: &BuildOptions,
) -> Passed {
    let circuit = Circuit::build_with(program, options).unwrap();
    circuit.check_against(program).unwrap();
    let inputs = rows(program, VECTORS, 99);
    let each = || inputs.chunks(program.candidate.inputs());
    let of_row = |row: &[i64]| {
        let logits = logits(program, row);
        let largest = logits.iter().max();
        match options.output {
            OutputForm::Logits => logits,
            OutputForm::ArgMax => {
                let index = logits.iter().position(|logit| Some(logit) == largest);
                index.map(|index| index as i64).into_iter().collect()
            }
        }
    };
    let expected: Vec<i64> = each().flat_map(of_row).collect();
    let evaluated: Vec<i64> = each().flat_map(|row| circuit.evaluate(row)).collect();
    assert_eq!(evaluated, expected, "{name}: evaluation");
    let equal = BenchReport {
        vectors: each().count() as u64,
        mismatches: 0,
        first: None,
    };

    let (rtl, bench) = (emit(&circuit, name), test_bench(&circuit, name));
    let binary = compile(folder, root, name, (&rtl, &bench));
    let vectors = vectors_file(&circuit, &inputs, &expected);
    assert_eq!(run(folder, &binary, &vectors), (equal, true), "{name}: RTL");

    let counted = synthesise(folder, name, &circuit);
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    let text = read("netlist.v");
    let found = netlist::parse(&text)
        .and_then(|netlist| netlist::simulate(&netlist, &circuit, &inputs, &expected));
    assert_eq!(found, Ok(equal), "{name}: netlist");
    Passed {
        costs: circuit_costs(program, &circuit),
        counted,
        netlist: text,
    }
}

/// Synthesises `NAME.v` of a folder and leaves `netlist.v` there.
pub(crate) fn synthesise(folder: &Path, name: &str, circuit: &Circuit) -> SynthesisReport {
    let script = yosys_script(circuit, &format!("{name}.v"), name, "stat.txt", "ltp.txt");
    let script = script + "; check -assert; splitnets; write_verilog -noattr netlist.v";
    let output = Command::new("yosys")
        .args(["-q", "-p", &script])
        .current_dir(folder)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {log}");
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    parse(
        &read("stat.txt"),
        &read("ltp.txt"),
        circuit.multipliers() != Multipliers::Luts,
    )
    .unwrap()
}
