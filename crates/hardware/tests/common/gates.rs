//! A circuit through every gate that a synthesis job has: proof, evaluation, RTL simulation, synthesis and netlist simulation.

use super::common::skipped::skipped;
use super::common::{logits, rows};
use super::verilator::{compile, run};
use super::yosys::synthesise;
use bitfront_hardware::circuit::{BuildOptions, Circuit, OutputForm};
use bitfront_hardware::netlist;
use bitfront_hardware::synthesis_report::SynthesisReport;
use bitfront_hardware::verilog::{BenchReport, emit, test_bench, vectors_file};
use bitfront_hardware::{Costs, circuit_costs};
use bitfront_network::IntegerProgram;
use std::path::Path;
use std::process::Command;

/// Vectors of either simulation.
pub(crate) const VECTORS: usize = 2_000;

/// Whether Yosys or Verilator is not on PATH, which is said then.
pub(crate) fn missing_tools() -> bool {
    let lacks = |tool: &str, flag: &str| Command::new(tool).arg(flag).output().is_err();
    let any = lacks("yosys", "-V") || lacks("verilator", "--version");
    if any {
        skipped("yosys or verilator");
    }
    any
}

/// What was said of a circuit and what was counted; every gate passed.
pub(crate) struct Passed {
    pub(crate) costs: Costs,
    pub(crate) counted: SynthesisReport,
    /// As Yosys wrote it.
    #[allow(dead_code, reason = "only some tests read it")]
    pub(crate) netlist: String,
}

impl Passed {
    /// The estimates beside what was counted.
    #[allow(dead_code, reason = "only some tests say it")]
    pub(crate) fn said(&self, name: &str) -> String {
        let (costs, counted) = (&self.costs, &self.counted);
        format!(
            "{name}: LUT {} / {}, FF {} / {}, carry {:?} / {}, levels {:?} / {}, {} cycles",
            costs.lut_estimate,
            counted.lut,
            costs.ff_estimate,
            counted.ff,
            costs.carry_estimate,
            counted.carry,
            costs.levels_estimate,
            counted.levels,
            costs.cycles
        )
    }
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
            OutputForm::Softmax => {
                let softmax = program.softmax().expect("a head with tables");
                let all = softmax.probabilities(&logits).into_iter();
                all.map(i64::from).collect()
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

    let (counted, text) = synthesise(folder, name, &rtl, circuit.multipliers());
    let found = netlist::parse(&text)
        .and_then(|netlist| netlist::simulate(&netlist, &circuit, &inputs, &expected));
    assert_eq!(found, Ok(equal), "{name}: netlist");
    Passed {
        costs: circuit_costs(program, &circuit),
        counted,
        netlist: text,
    }
}
