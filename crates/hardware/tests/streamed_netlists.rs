//! Netlists with counters and feedback, clock by clock: equal to integer inference, to Verilator and to the simulator of
//! pipelines, and mutants are caught. Without Yosys or Verilator on PATH the tests say so and pass.

#[path = "common/skipped.rs"]
mod skipped;
#[path = "common/streams.rs"]
mod streams;
#[path = "common/verilator.rs"]
mod verilator;
#[path = "common/yosys.rs"]
mod yosys;

use std::path::Path;
use std::process::Command;

use bitfront_hardware::circuit::{Circuit, Multipliers};
use bitfront_hardware::engine::Engine;
use bitfront_hardware::netlist::{
    NetlistError, parse, simulate, simulate_by_cycles, simulate_streamed,
};
use bitfront_hardware::verilog::{BenchReport, cells, emit};
use skipped::skipped;
use streams::{built, cases, features, rows};
use verilator::{build_runtime, compile, run};
use yosys::synthesise;

fn missing() -> bool {
    let lacks = |program: &str, flag: &str| Command::new(program).arg(flag).output().is_err();
    let any = lacks("yosys", "-V") || lacks("verilator", "--version");
    if any {
        skipped("yosys or verilator");
    }
    any
}

/// What Yosys makes of a module, all of LUTs.
fn netlist_of(folder: &Path, name: &str, rtl: &str) -> String {
    synthesise(folder, name, rtl, Multipliers::Luts).1
}

/// The netlist with its `n`th table of two inputs turned, `rows` of it.
fn mutant(netlist: &str, n: usize, rows: u32) -> Option<String> {
    let (at, _) = netlist.match_indices(".INIT(4'h").nth(n)?;
    let digit = at + ".INIT(4'h".len();
    let value = u32::from_str_radix(&netlist[digit..=digit], 16).unwrap() ^ rows;
    Some(format!(
        "{}{value:x}{}",
        &netlist[..digit],
        &netlist[digit + 1..]
    ))
}

fn equal(vectors: u64) -> BenchReport {
    BenchReport {
        vectors,
        mismatches: 0,
        first: None,
    }
}

#[test]
fn streamed_netlists_equal_integer_inference_and_verilator() {
    if missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let root = build_runtime(folder);
    // Two are like others but for their reuse.
    let others = ["image_reused", "features_serial"];
    for (name, program, reuse) in cases() {
        if others.contains(&name) {
            continue;
        }
        let circuit = built(&program, reuse);
        let codes = rows(&program, 700);
        let expected = program.logits(&codes);
        let inputs: Vec<i64> = codes.iter().map(|code| i64::from(*code)).collect();
        let text = netlist_of(folder, name, &circuit.verilog(name));
        let found = |text: &str, expected: &[i64]| {
            simulate_streamed(&parse(text).unwrap(), &circuit, &inputs, expected).unwrap()
        };
        assert_eq!(found(&text, &expected), equal(700), "{name}");
        // One wrong bit of the last row.
        let mut wrong = expected.clone();
        wrong[700 * program.outputs() - 1] ^= 1;
        let only_last = BenchReport {
            vectors: 700,
            mismatches: 1,
            first: Some(699),
        };
        assert_eq!(found(&text, &wrong), only_last, "{name}");
        // A netlist of many cells takes Verilator and the compiler minutes.
        if name != "features" {
            continue;
        }
        // Verilator has the same of fewer rows, with every beat offered and with pauses.
        let kept = 60 * program.outputs();
        let vectors = circuit.vectors_file(&inputs[..60 * program.inputs()], &expected[..kept]);
        // A netlist leaves pins open.
        let cells = cells(Engine::Yosys);
        let both = format!("/* verilator lint_off PINMISSING */\n{text}\n{cells}");
        let binary = compile(folder, &root, name, (&both, &circuit.test_bench(name)));
        assert_eq!(run(folder, &binary, &vectors), (equal(60), true), "{name}");
    }
}

#[test]
fn a_mutant_of_a_streamed_netlist_is_caught() {
    if missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = features();
    let circuit = built(&program, 3);
    let codes = rows(&program, 700);
    let expected = program.logits(&codes);
    let inputs: Vec<i64> = codes.iter().map(|code| i64::from(*code)).collect();
    let rtl = circuit.verilog("features");
    let simulated = |text: &str| {
        simulate_streamed(&parse(text).unwrap(), &circuit, &inputs, &expected).unwrap()
    };
    let right = netlist_of(folder.path(), "features", &rtl);
    let mutants = (0..).map_while(|n| mutant(&right, n, 0b1111)).step_by(101);
    let (mut caught, mut made) = (0, 0);
    for mutant in mutants {
        made += 1;
        caught += usize::from(simulated(&mutant).mismatches > 0);
    }
    // Rows of low bits of a sum may be rounded away behind it, whatever the row.
    assert!(made > 5 && caught * 2 > made, "{caught} of {made}");
    // One weight of the table of a shared layer, by one bit.
    let (before, after) = rtl.split_once("w0_0 <= ").unwrap();
    let (literal, after) = after.split_once(';').unwrap();
    let (size, value) = literal.split_once("'h").unwrap();
    let value = u64::from_str_radix(value, 16).unwrap() ^ 1;
    let other = format!("{before}w0_0 <= {size}'h{value:x};{after}");
    let other = netlist_of(folder.path(), "features", &other);
    assert!(simulated(&other).mismatches > 0);
    // A beat that comes a clock late: the outputs are right, and the cycles are not those that are said.
    let late = rtl.replacen(
        "reg start;",
        "reg start_; reg start; always @(posedge clk) start <= start_;",
        1,
    );
    let late = late.replacen("start <= rst ?", "start_ <= rst ?", 1);
    assert_ne!(late, rtl);
    let late = netlist_of(folder.path(), "features", &late);
    assert!(simulated(&late).mismatches > 0);
}

#[test]
fn pipelines_are_the_same_in_both_simulators() {
    if missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = features();
    let circuit = Circuit::build(&program).unwrap();
    let codes = rows(&program, 1300);
    let expected = program.logits(&codes);
    let inputs: Vec<i64> = codes.iter().map(|code| i64::from(*code)).collect();
    let right = netlist_of(folder.path(), "net", &emit(&circuit, "net"));
    let both = |text: &str| {
        let netlist = parse(text).unwrap();
        let by_cycles = simulate_by_cycles(&netlist, &circuit, &inputs, &expected).unwrap();
        assert_eq!(
            by_cycles,
            simulate(&netlist, &circuit, &inputs, &expected).unwrap()
        );
        by_cycles
    };
    assert_eq!(both(&right), equal(1300));
    // Wrong ones are wrong on the same rows.
    let reports: Vec<BenchReport> = (0..)
        .map_while(|n| mutant(&right, n, 1))
        .step_by(7)
        .map(|text| both(&text))
        .collect();
    assert!(reports.len() > 5 && reports.iter().any(|report| report.mismatches > 0));
}

#[test]
fn loops_without_a_register_and_other_ports_are_refused_by_name() {
    let circuit = built(&features(), 3);
    let module = |body: &str, ready: &str| {
        format!(
            "module m(clk, rst, in_valid, in_ready, inputs, out_valid, outputs);\n  input clk;\n  input rst;\n  input in_valid;\n  \
             output {ready};\n  input [{}:0] inputs;\n  output out_valid;\n  output [{}:0] outputs;\n  wire a;\n  wire b;\n{body}endmodule\n",
            circuit.inputs().iter().map(|port| port.width).sum::<u32>() - 1,
            circuit.outputs().iter().map(|port| port.width).sum::<u32>() - 1,
        )
    };
    let error = |text: String| {
        let inputs = vec![0; circuit.inputs().len()];
        let expected = vec![0; circuit.outputs().len()];
        let netlist = parse(&text).unwrap();
        simulate_streamed(&netlist, &circuit, &inputs, &expected).unwrap_err()
    };
    // Behind the loop stands a cell with a lower number, which is not named.
    let body = "  INV x (.I(a), .O(out_valid));\n  LUT2 #(.INIT(4'h6)) y (.I0(a), .I1(in_valid), .O(a));\n";
    assert_eq!(
        error(module(body, "in_ready")),
        NetlistError::CombinationalLoop("a[0]".into())
    );
    let found = error(module("", "[1:0] in_ready")).to_string();
    assert_eq!(found, "port in_ready has 2 bits, the circuit's has 1");
    let found = error(module("", "in_ready")).to_string();
    assert!(found.contains("is read and not driven"), "{found}");
}
