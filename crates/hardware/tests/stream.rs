//! Self-checking benches in Icarus Verilog, or in Verilator where that is missing: the module alone, and
//! its AXI-Stream under random stalls. Each is seen to fail.

mod common;
#[path = "common/gates.rs"]
mod gates;
#[path = "common/verilator.rs"]
mod verilator;
#[path = "common/yosys.rs"]
mod yosys;

use bitfront_hardware::circuit::{BuildOptions, Circuit, Multipliers};
use bitfront_hardware::netlist;
use bitfront_hardware::synthesis_report::{parse, yosys_script};
use bitfront_hardware::verilog::{
    BenchReport, axi_stream, axi_stream_bench, emit, parse_bench_report, test_bench, valid_bench,
    vectors_file, verilog_bench, with_valid,
};
use common::{Spec, program, rows};
use std::path::Path;
use std::process::Command;

const VECTORS: usize = 500;

fn installed(tool: &str, flag: &str) -> bool {
    Command::new(tool)
        .arg(flag)
        .output()
        .is_ok_and(|run| run.status.success())
}

/// Builds `top` from the files and runs it; none without a simulator.
fn simulate(folder: &Path, top: &str, files: &[(&str, &str)]) -> Option<BenchReport> {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let sources = files
        .iter()
        .map(|file| file.0)
        .filter(|name| *name != "vectors.txt");
    let (build, binary) = if installed("iverilog", "-V") {
        let mut build = Command::new("iverilog");
        build.args(["-g2001", "-Wall", "-o", "bench", "-s", top]);
        (build, "bench".to_owned())
    } else if installed("verilator", "--version") {
        let mut build = Command::new("verilator");
        build.args([
            "--binary",
            "--timing",
            "-Wno-fatal",
            "-CFLAGS",
            "-O0",
            "--top-module",
            top,
        ]);
        (build, format!("obj_dir/V{top}"))
    } else {
        common::skipped::skipped("iverilog and verilator");
        return None;
    };
    let mut build = build;
    let built = build.args(sources).current_dir(folder).output().unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let run = Command::new(folder.join(binary))
        .current_dir(folder)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    Some(parse_bench_report(&output).unwrap())
}

struct Case {
    circuit: Circuit,
    inputs: Vec<i64>,
    expected: Vec<i64>,
}

fn case(widths: &[usize], seed: u64) -> Case {
    case_with(widths, seed, &BuildOptions::default())
}

fn case_with(widths: &[usize], seed: u64, options: &BuildOptions) -> Case {
    let program = program(&Spec {
        widths: widths.to_vec(),
        seed,
        ..Spec::default()
    });
    let circuit = Circuit::build_with(&program, options).unwrap();
    let inputs = rows(&program, VECTORS, seed);
    let of_row = |row: &[i64]| circuit.evaluate(row);
    let expected = inputs
        .chunks(program.candidate.inputs())
        .flat_map(of_row)
        .collect();
    Case {
        circuit,
        inputs,
        expected,
    }
}

/// Runs a module with one text instead of another; its bench must find that it is wrong.
fn caught(module: &str, right: &str, mutant: &str, run: impl Fn(&str) -> Option<BenchReport>) {
    let changed = module.replacen(right, mutant, 1);
    assert_ne!(changed, module, "{right}");
    let report = run(&changed).unwrap();
    assert!(
        report.mismatches > 0,
        "{mutant:?} instead of {right:?} passed"
    );
}

#[test]
fn the_plain_bench_compares_every_bit() {
    let folder = tempfile::tempdir().unwrap();
    let Case {
        circuit,
        inputs,
        mut expected,
    } = case(&[6, 5, 3], 31);
    let (rtl, bench) = (emit(&circuit, "net"), verilog_bench(&circuit, "net"));
    let rows = (expected.len() / circuit.outputs().len()) as u64;
    let equal = BenchReport {
        vectors: rows,
        mismatches: 0,
        first: None,
    };
    let run = |expected: &[i64]| {
        let vectors = vectors_file(&circuit, &inputs, expected);
        let files = [
            ("net.v", &*rtl),
            ("bench.v", &*bench),
            ("vectors.txt", &*vectors),
        ];
        simulate(folder.path(), "net_tb", &files)
    };
    let Some(report) = run(&expected) else { return };
    assert_eq!(report, equal);
    let outputs = circuit.outputs().len();
    expected[17 * outputs] ^= 1;
    let wrong = BenchReport {
        mismatches: 1,
        first: Some(17),
        ..equal
    };
    assert_eq!(run(&expected), Some(wrong));
}

#[test]
fn the_stream_loses_nothing_under_stalls_and_runs_at_one_row_a_clock() {
    // A pipeline of several cycles, and one whose buses are whole bytes.
    for (widths, seed) in [(&[6, 5, 4, 3][..], 32), (&[4, 2][..], 33)] {
        let folder = tempfile::tempdir().unwrap();
        let Case {
            circuit,
            inputs,
            expected,
        } = case(widths, seed);
        let (rtl, stream) = (emit(&circuit, "net"), axi_stream(&circuit, "net"));
        let bench = axi_stream_bench(&circuit, "net");
        let vectors = vectors_file(&circuit, &inputs, &expected);
        let run = |stream: &str, vectors: &str| {
            let files = [
                ("net.v", &*rtl),
                ("axis.v", stream),
                ("bench.v", &*bench),
                ("vectors.txt", vectors),
            ];
            simulate(folder.path(), "net_axis_tb", &files)
        };
        let Some(report) = run(&stream, &vectors) else {
            return;
        };
        let rows = (expected.len() / circuit.outputs().len()) as u64;
        assert_eq!(
            (report.vectors, report.mismatches, report.first),
            (rows, 0, None)
        );

        // One wrong bit is found in both passes.
        let mut wrong = expected.clone();
        wrong[40 * circuit.outputs().len()] ^= 1;
        let report = run(&stream, &vectors_file(&circuit, &inputs, &wrong)).unwrap();
        assert_eq!((report.mismatches, report.first), (2, Some(40)));
        // A beat that does not wait, a credit given twice, one never given back, a buffer that is read too early.
        for (right, mutant) in [
            (
                "wire give = m_axis_tvalid & m_axis_tready",
                "wire give = m_axis_tvalid",
            ),
            ("if (take & ~give) credits <= credits - 1'b1;", ""),
            ("if (give & ~take) credits <= credits + 1'b1;", ""),
            (
                "assign m_axis_tvalid = |held",
                "assign m_axis_tvalid = |held | arrive",
            ),
            (
                "if (arrive) write_at <= write_at + 1'b1;",
                "write_at <= write_at + 1'b1;",
            ),
        ] {
            caught(&stream, right, mutant, |changed| run(changed, &vectors));
        }
    }
}

#[test]
fn valid_rows_come_out_once_in_order_whatever_the_gaps() {
    // The flags in a module around the circuit, and in the circuit's own.
    for (widths, seed, own) in [
        (&[6, 5, 4, 3][..], 34, false),
        (&[4, 2][..], 35, false),
        (&[4, 3, 2][..], 37, true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let options = BuildOptions {
            valid: own,
            ..BuildOptions::default()
        };
        let Case {
            circuit,
            inputs,
            expected,
        } = case_with(widths, seed, &options);
        let rtl = emit(&circuit, "net");
        let (valid, bench, top) = if own {
            (rtl.clone(), verilog_bench(&circuit, "net"), "net_tb")
        } else {
            let bench = valid_bench(&circuit, "net");
            (with_valid(&circuit, "net"), bench, "net_valid_tb")
        };
        let run = |valid: &str, expected: &[i64]| {
            let vectors = vectors_file(&circuit, &inputs, expected);
            let mut files = vec![
                ("valid.v", valid),
                ("bench.v", &*bench),
                ("vectors.txt", &*vectors),
            ];
            if !own {
                files.push(("net.v", &*rtl));
            }
            simulate(folder.path(), top, &files)
        };
        let Some(report) = run(&valid, &expected) else {
            return;
        };
        let rows = (expected.len() / circuit.outputs().len()) as u64;
        assert_eq!((report.vectors, report.mismatches), (rows, 0));
        // One wrong bit is found in both passes.
        let mut wrong = expected.clone();
        wrong[40 * circuit.outputs().len()] ^= 1;
        let report = run(&valid, &wrong).unwrap();
        assert_eq!((report.mismatches, report.first), (2, Some(40)));
        for changed in mutants(&circuit, &valid) {
            let report = run(&changed, &expected).unwrap();
            assert!(report.mismatches > 0, "passed: {changed}");
        }
    }
}

/// A flag a cycle early, one that is always there, and one that a reset leaves.
fn mutants(circuit: &Circuit, text: &str) -> Vec<String> {
    let last = circuit.cycles() - 1;
    let out = format!("= on_the_way[{last}]");
    let early = format!("= on_the_way[{}]", last - 1);
    let all = [
        (&*out, &*early),
        (&*out, "= 1'b1"),
        ("if (rst) ", "if (1'b0) "),
    ];
    let changed = all.map(|(right, mutant)| text.replacen(right, mutant, 1));
    assert!(changed.iter().all(|changed| changed != text));
    changed.into()
}

#[test]
fn flags_of_its_own_pass_every_gate_and_take_a_flip_flop_a_cycle() {
    if gates::missing_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = verilator::build_runtime(folder.path());
    let spec = Spec {
        widths: vec![4, 3, 2],
        seed: 38,
        ..Spec::default()
    };
    let program = program(&spec);
    let options = BuildOptions {
        valid: true,
        ..BuildOptions::default()
    };
    let pass = |name, options| gates::pass(folder.path(), &root, name, &program, options);
    let without = BuildOptions::default();
    let plain = pass("plain", &without);
    let flags = pass("flags", &options);
    let cycles = u64::from(plain.costs.cycles);
    assert_eq!(flags.costs.cycles, plain.costs.cycles);
    assert_eq!(flags.costs.ff_estimate, plain.costs.ff_estimate + cycles);
    assert_eq!(flags.counted.ff, flags.costs.ff_estimate);
    assert_eq!(flags.counted.lut, plain.counted.lut);
    assert_eq!(flags.costs.lut_estimate, plain.costs.lut_estimate);

    // Mutants of the RTL in Verilator, and what synthesis makes of them.
    let circuit = Circuit::build_with(&program, &options).unwrap();
    let inputs = rows(&program, gates::VECTORS, 99);
    let each = inputs.chunks(program.inputs());
    let outputs: Vec<i64> = each.flat_map(|row| circuit.evaluate(row)).collect();
    let vectors = vectors_file(&circuit, &inputs, &outputs);
    let bench = test_bench(&circuit, "flags");
    for changed in mutants(&circuit, &emit(&circuit, "flags")) {
        let binary = verilator::compile(folder.path(), &root, "flags", (&changed, &bench));
        let (report, passed) = verilator::run(folder.path(), &binary, &vectors);
        assert!(!passed && report.mismatches > 0, "{report:?}: {changed}");
        let (_, text) = yosys::synthesise(folder.path(), "flags", &changed, Multipliers::Luts);
        let netlist = netlist::parse(&text).unwrap();
        let report = netlist::simulate(&netlist, &circuit, &inputs, &outputs).unwrap();
        assert!(report.mismatches > 0, "{changed}");
    }
    // A netlist without the flags is not simulated as one that has them.
    let plain = netlist::parse(&plain.netlist).unwrap();
    let error = netlist::simulate(&plain, &circuit, &inputs, &outputs).unwrap_err();
    assert_eq!(
        error.to_string(),
        "port in_valid has 0 bits, the circuit's has 1"
    );
}

#[test]
fn flags_of_valid_rows_take_a_flip_flop_a_cycle() {
    if !installed("yosys", "-V") {
        common::skipped::skipped("yosys");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Case { circuit, .. } = case(&[4, 3, 2], 36);
    let text = emit(&circuit, "net") + &with_valid(&circuit, "net");
    std::fs::write(folder.path().join("net.v"), text).unwrap();
    let script = yosys_script(
        circuit.multipliers(),
        "net.v",
        "net_valid",
        "stat.txt",
        "ltp.txt",
    );
    let run = Command::new("yosys")
        .args(["-q", "-p", &script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{log}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let counted = parse(&read("stat.txt"), &read("ltp.txt"), false).unwrap();
    assert_eq!(
        counted.ff,
        circuit.flip_flops() + u64::from(circuit.cycles())
    );
}

#[test]
fn synthesis_takes_the_stream() {
    if !installed("yosys", "-V") {
        common::skipped::skipped("yosys");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Case { circuit, .. } = case(&[4, 2], 33);
    let text = emit(&circuit, "net") + &axi_stream(&circuit, "net");
    std::fs::write(folder.path().join("net.v"), text).unwrap();
    let script = "read_verilog net.v; hierarchy -check -top net_axis; proc; flatten; opt; memory; check -assert; \
                  select -assert-none t:$dlatch";
    let run = Command::new("yosys")
        .args(["-q", "-p", script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
}
