//! Every cell against Verilator, and netlists that are refused. Without Verilator on PATH the tests that
//! need it say so and pass.

use super::parse;
use std::path::Path;
use std::process::Command;

#[path = "../../tests/common/every_cell.rs"]
mod every_cell;
use every_cell::every_cell;

/// Clocks that every cell is run for.
const CLOCKS: usize = 6_000;

/// Random words of 18 bits, a clock each.
fn stimulus() -> Vec<u32> {
    let mut state = 5_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 29)) as u32 & 0x3_ffff
    };
    (0..CLOCKS).map(|_| next()).collect()
}

const BENCH: &str = r#"
#include <cstdio>
#include <cstdlib>
#include "Vevery.h"
#include "verilated.h"
int main(int argc, char** argv) {
  VerilatedContext context;
  Vevery top(&context);
  top.clk = 0;
  for (int at = 1; at < argc; at++) {
    top.inputs = std::strtoul(argv[at], nullptr, 10);
    top.eval();
    for (int bit = 0; bit < OUTPUTS; bit++) std::putchar('0' + ((top.outputs[bit / 32] >> (bit % 32)) & 1));
    std::putchar('\n');
    top.clk = 1; top.eval();
    top.clk = 0; top.eval();
  }
}
"#;

/// The outputs of each clock before its edge, as Verilator and the cells' Verilog have them; none without
/// Verilator.
fn by_verilator(
    folder: &Path,
    module: &str,
    outputs: usize,
    stimulus: &[u32],
) -> Option<Vec<String>> {
    if Command::new("verilator").arg("--version").output().is_err() {
        eprintln!("skipped: verilator not on PATH");
        return None;
    }
    let bench = BENCH.replace("OUTPUTS", &outputs.to_string());
    let files = [
        ("every.v", module),
        ("cells.v", crate::verilog::cells()),
        ("bench.cpp", &bench),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let build = Command::new("verilator")
        .args([
            "--cc",
            "--exe",
            "--build",
            "-Wno-fatal",
            "-CFLAGS",
            "-O0",
            "--top-module",
            "every",
        ])
        .args(["every.v", "cells.v", "bench.cpp"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        build.status.success(),
        "{}",
        String::from_utf8_lossy(&build.stderr)
    );
    let run = Command::new(folder.join("obj_dir/Vevery"))
        .args(stimulus.iter().map(u32::to_string))
        .output()
        .unwrap();
    assert!(run.status.success());
    let text = String::from_utf8(run.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

#[test]
fn every_cell_behaves_as_its_verilog() {
    let module = every_cell();
    let netlist = parse(&module).unwrap();
    let stimulus = stimulus();
    let folder = tempfile::tempdir().unwrap();
    let Some(lines) = by_verilator(folder.path(), &module, netlist.outputs.len(), &stimulus) else {
        return;
    };
    assert_eq!(lines.len(), CLOCKS);
    let inputs: Vec<Vec<u64>> = (0..18)
        .map(|bit| {
            let words = stimulus.chunks(64).map(|words| {
                let bits = words.iter().enumerate();
                bits.fold(0, |word, (at, value)| {
                    word | (u64::from(value >> bit & 1) << at)
                })
            });
            words.collect()
        })
        .collect();
    let outputs = netlist.run(&inputs, CLOCKS).unwrap();
    for (clock, line) in lines.iter().enumerate() {
        for (bit, wanted) in line.bytes().enumerate() {
            let found = outputs[bit][clock / 64] >> (clock % 64) & 1;
            assert_eq!(
                found,
                u64::from(wanted - b'0'),
                "output {bit} at clock {clock}"
            );
        }
    }
    // Each output takes both values, so that a wrong one shows; only the table of ones does not.
    let constant = outputs.iter().filter(|history| {
        let ones: u32 = history.iter().map(|word| word.count_ones()).sum();
        ones == 0 || ones as usize >= CLOCKS
    });
    assert_eq!(constant.count(), 6);
}

#[test]
fn loops_open_inputs_and_other_clocks_are_refused() {
    let module = |body: &str| {
        format!(
            "module m(clk, inputs, outputs);\n  input clk;\n  input inputs;\n  output outputs;\n  wire a;\n  wire b;\n{body}endmodule\n"
        )
    };
    let error = |body: &str| {
        let netlist = parse(&module(body)).unwrap();
        netlist.run(&[vec![0]], 8).unwrap_err().to_string()
    };
    let flip_flop = |clock: &str, data: &str| {
        format!(
            "  FDRE #(.INIT(1'hx)) f (.C({clock}), .CE(1'h1), .D({data}), .Q(outputs), .R(1'h0));\n"
        )
    };
    for (body, says) in [
        (flip_flop("clk", "outputs"), "outputs[0] depends on itself"),
        (flip_flop("inputs", "inputs"), "clock is inputs[0]"),
        (flip_flop("clk", "a"), "net a[0] is read and not driven"),
        (
            "  assign a = b;\n  assign b = a;\n  assign outputs = a;\n".to_owned(),
            "outputs[0] depends on itself",
        ),
        (
            "  INV x (.I(inputs), .O(outputs));\n  INV y (.I(inputs), .O(outputs));\n".to_owned(),
            "outputs[0] is driven twice",
        ),
        (
            "  assign outputs = 1'hx;\n".to_owned(),
            "net 1'hx is read and not driven",
        ),
    ] {
        let found = error(&body);
        assert!(found.contains(says), "{body}: {found}");
    }
    let right = parse(&module(&flip_flop("clk", "inputs"))).unwrap();
    assert_eq!(
        right.run(&[vec![0b1011]], 5).unwrap()[0][0] & 0b1_1110,
        0b1_0110
    );
}
