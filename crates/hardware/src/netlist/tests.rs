//! Every cell against Verilator, and netlists that are refused. Without Verilator on PATH the tests that
//! need it say so and pass, or fail with `BITFRONT_REQUIRE_TOOLS=1`.

use super::{Netlist, NetlistError, parse};
use crate::engine::Engine;
use crate::verilog::cells;
use std::path::Path;
use std::process::Command;

#[path = "../../tests/common/every_cell.rs"]
mod every_cell;
use every_cell::{Family, ecp5, every_cell, ice40, ultrascale};

#[path = "../../tests/common/skipped.rs"]
mod skipped;
use skipped::skipped;

/// Clocks that every cell is run for.
const CLOCKS: usize = 6_000;

/// Random words of so many bits, a clock each.
fn stimulus(bits: u32) -> Vec<u64> {
    let mut state = 5_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 29)) & ((1 << bits) - 1)
    };
    (0..CLOCKS).map(|_| next()).collect()
}

const BENCH: &str = r#"
#include <cstdio>
#include <cstdlib>
#include "Vevery.h"
#include "verilated.h"
// Buses of up to 32, of up to 64 and of more bits are of different types.
static int at(IData bus, int bit) { return bus >> bit & 1; }
static int at(QData bus, int bit) { return bus >> bit & 1; }
template <std::size_t N> static int at(const VlWide<N>& bus, int bit) { return bus[bit / 32] >> (bit % 32) & 1; }
int main(int argc, char** argv) {
  VerilatedContext context;
  Vevery top(&context);
  top.clk = 0;
  for (int word = 1; word < argc; word++) {
    top.inputs = std::strtoull(argv[word], nullptr, 10);
    top.eval();
    for (int bit = 0; bit < OUTPUTS; bit++) std::putchar('0' + at(top.outputs, bit));
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
    library: &str,
    outputs: usize,
    stimulus: &[u64],
) -> Option<Vec<String>> {
    if Command::new("verilator").arg("--version").output().is_err() {
        skipped("verilator");
        return None;
    }
    let bench = BENCH.replace("OUTPUTS", &outputs.to_string());
    let files = [
        ("every.v", module),
        ("cells.v", library),
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
        .args(stimulus.iter().map(u64::to_string))
        .output()
        .unwrap();
    assert!(run.status.success());
    let text = String::from_utf8(run.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

fn outputs_of(
    netlist: &Netlist,
    inputs: Vec<Vec<u64>>,
    clocks: usize,
) -> Result<Vec<Vec<u64>>, NetlistError> {
    let read = netlist.run(&[("inputs", inputs)], &["outputs"], clocks)?;
    Ok(read.into_iter().next().unwrap())
}

/// Histories of the outputs, which are those that Verilator finds with the library's Verilog; none without
/// Verilator.
fn equal_to_verilator(
    module: &str,
    netlist: &Netlist,
    library: &str,
    stimulus: &[u64],
) -> Option<Vec<Vec<u64>>> {
    let folder = tempfile::tempdir().unwrap();
    let count = netlist.output("outputs").len();
    let lines = by_verilator(folder.path(), module, library, count, stimulus)?;
    assert_eq!(lines.len(), stimulus.len());
    let inputs: Vec<Vec<u64>> = (0..netlist.input("inputs").len())
        .map(|bit| {
            let words = stimulus.chunks(64).map(|words| {
                let bits = words.iter().enumerate();
                bits.fold(0, |word, (at, value)| word | ((value >> bit & 1) << at))
            });
            words.collect()
        })
        .collect();
    let outputs = outputs_of(netlist, inputs, stimulus.len()).unwrap();
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
    Some(outputs)
}

/// A multiplier without registers as Yosys writes it, its factors and product as given.
fn multiplier(a: &str, b: &str, p: &str) -> String {
    let registers = [
        "ACASC",
        "AD",
        "ALUMODE",
        "A",
        "BCASC",
        "B",
        "CARRYIN",
        "CARRYINSEL",
        "C",
        "D",
        "INMODE",
        "M",
        "OPMODE",
        "P",
    ];
    let registers = registers
        .map(|name| format!(".{name}REG(32'sd0), "))
        .concat();
    format!(
        "  DSP48E2 #({registers}.AMULTSEL(\"A\"), .A_INPUT(\"DIRECT\"), .BMULTSEL(\"B\"), .B_INPUT(\"DIRECT\"), \
         .USE_MULT(\"MULTIPLY\"), .USE_SIMD(\"ONE48\")) c_{p} (.A({a}), .ACIN(30'h00000000), .ALUMODE(4'h0), .B({b}), \
         .BCIN(18'h00000), .C(48'h000000000000), .CARRYIN(1'h0), .CARRYINSEL(3'h0), .D(27'h0000000), \
         .INMODE(5'h00), .OPMODE(9'h005), .P({p}), .PCIN(48'h000000000000));\n"
    )
}

#[test]
fn a_multiplier_behaves_as_the_model_of_its_block() {
    // The same bits as either factor, so that each takes its extremes beside any value of the other.
    let module = format!(
        "module every(clk, inputs, outputs);\n  input clk;\n  input [47:0] inputs;\n  output [95:0] outputs;\n  \
         wire [47:0] p0;\n  wire [47:0] p1;\n{}{}  assign outputs = {{ p1, p0 }};\nendmodule\n",
        multiplier("inputs[29:0]", "inputs[47:30]", "p0"),
        multiplier("inputs[47:18]", "inputs[17:0]", "p1"),
    );
    let netlist = parse(&module).unwrap();
    let mut stimulus = stimulus(48);
    // Zero, minus one, the largest and the smallest of both factors, the bits above A's set and not.
    let a = [0, 0x3fff_ffff, 0x03ff_ffff, 0x3c00_0000, 0x0400_0000, 1];
    for a in a {
        for b in [0, 0x3_ffff, 0x1_ffff, 0x2_0000, 1] {
            stimulus.extend([a | b << 30, b | a << 18]);
        }
    }
    let library = include_str!("../../tests/common/dsp48e2.v");
    let Some(outputs) = equal_to_verilator(&module, &netlist, library, &stimulus) else {
        return;
    };
    assert!(
        outputs
            .iter()
            .all(|history| history.iter().any(|word| *word != 0))
    );
}

#[test]
fn any_other_setting_of_a_multiplier_is_refused() {
    let module = |text: String| {
        format!(
            "module m(clk, inputs, outputs);\n  input clk;\n  input [47:0] inputs;\n  output [47:0] outputs;\n{text}endmodule\n"
        )
    };
    let right = multiplier("inputs[29:0]", "inputs[47:30]", "outputs");
    parse(&module(right.clone())).unwrap();
    for (from, to, says) in [
        (".AREG(32'sd0)", ".AREG(32'sd1)", "parameter AREG"),
        (".MREG(32'sd0), ", "", "parameter MREG"),
        ("\"MULTIPLY\"", "\"NONE\"", "parameter USE_MULT"),
        (
            ".AMULTSEL",
            ".IS_CLK_INVERTED(1'h1), .AMULTSEL",
            "parameter IS_CLK_INVERTED",
        ),
        ("9'h005", "9'h035", "pin OPMODE"),
        ("48'h000000000000)", "inputs)", "pin C"),
        (".INMODE(5'h00), ", "", "pin INMODE"),
        (".ACIN(", ".CLK(clk), .ACIN(", "pin CLK"),
        ("inputs[29:0]", "inputs[26:0]", "27 bits on pin A"),
    ] {
        let wrong = right.replacen(from, to, 1);
        assert_ne!(wrong, right, "{from}");
        let error = parse(&module(wrong)).unwrap_err().to_string();
        assert!(error.contains(says), "{from}: {error}");
    }
}

#[test]
fn every_cell_behaves_as_its_verilog() {
    // Each output takes both values, so that a wrong one shows; only the tables of ones do not.
    let families: [(Engine, Family, usize); 3] = [
        (Engine::Yosys, ultrascale, 6),
        (Engine::Ice40, ice40, 1),
        (Engine::Ecp5, ecp5, 1),
    ];
    for (engine, family, constants) in families {
        let module = every_cell(family);
        let netlist = parse(&module).unwrap();
        let stimulus = stimulus(18);
        let Some(outputs) = equal_to_verilator(&module, &netlist, cells(engine), &stimulus) else {
            return;
        };
        let constant = outputs.iter().filter(|history| {
            let ones: u32 = history.iter().map(|word| word.count_ones()).sum();
            ones == 0 || ones as usize >= CLOCKS
        });
        assert_eq!(constant.count(), constants, "{engine}");
    }
}

#[test]
fn other_settings_of_the_routers_cells_are_refused() {
    let module = |body: &str| {
        format!(
            "module m(clk, inputs, outputs);\n  input clk;\n  input [8:0] inputs;\n  output outputs;\n{body}endmodule\n"
        )
    };
    let register = "TRELLIS_FF #(.CEMUX(\"CE\"), .CLKMUX(\"CLK\"), .GSR(\"DISABLED\"), .LSRMUX(\"LSR\"), .REGSET(\"SET\")) \
        f (.CLK(clk), .CE(inputs[0]), .DI(inputs[1]), .LSR(inputs[2]), .Q(outputs));\n";
    let carry = "CCU2C #(.INIT0(16'h96aa), .INIT1(16'h96aa), .INJECT1_0(\"NO\"), .INJECT1_1(\"NO\")) c (.CIN(inputs[0]), \
        .A0(inputs[1]), .B0(inputs[2]), .C0(inputs[3]), .D0(inputs[4]), .A1(inputs[5]), .B1(inputs[6]), .C1(inputs[7]), \
        .D1(inputs[8]), .S0(outputs));\n";
    let flip_flop =
        "SB_DFFESR f (.C(clk), .E(inputs[0]), .D(inputs[1]), .R(inputs[2]), .Q(outputs));\n";
    let table = "SB_LUT4 #(.LUT_INIT(16'h9669)) t (.I0(inputs[0]), .I1(inputs[1]), .I2(inputs[2]), .I3(inputs[3]), .O(outputs));\n";
    for (right, from, to, says) in [
        (
            register,
            "(\"CLK\")",
            "(\"INV\")",
            "TRELLIS_FF with another parameter CLKMUX",
        ),
        (register, ".GSR(\"DISABLED\"), ", "", "parameter GSR"),
        (register, "(\"LSR\")", "(\"INV\")", "parameter LSRMUX"),
        (
            register,
            ".REGSET(",
            ".SRMODE(\"ASYNC\"), .REGSET(",
            "parameter SRMODE",
        ),
        (
            register,
            ".REGSET(",
            ".LSRMODE(\"PRLD\"), .REGSET(",
            "with parameter LSRMODE",
        ),
        (register, ".CE(inputs[0]), ", "", "0 bits on pin CE"),
        (
            carry,
            ".INJECT1_1(\"NO\")",
            ".INJECT1_1(\"YES\")",
            "parameter INJECT1_1",
        ),
        (carry, ", .INJECT1_0(\"NO\")", "", "parameter INJECT1_0"),
        (
            carry,
            "INIT1(16'h96aa)",
            "INIT1(8'h96)",
            "table INIT1 of 8 bits",
        ),
        (carry, ".CIN(inputs[0]), ", "", "0 bits on pin CIN"),
        (flip_flop, "SB_DFFESR", "SB_DFFR", "cell SB_DFFR"),
        (flip_flop, "SB_DFFESR", "SB_DFFSR", "SB_DFFSR with pin E"),
        (table, "16'h9669", "16'h966x", "table LUT_INIT"),
        (
            table,
            ".I3(inputs[3])",
            ".I4(inputs[3])",
            "SB_LUT4 with pin I4",
        ),
    ] {
        parse(&module(right)).unwrap();
        let wrong = right.replacen(from, to, 1);
        assert_ne!(wrong, right, "{from}");
        let error = parse(&module(&wrong)).unwrap_err().to_string();
        assert!(error.contains(says), "{from}: {error}");
    }
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
        outputs_of(&netlist, vec![vec![0]], 8)
            .unwrap_err()
            .to_string()
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
        outputs_of(&right, vec![vec![0b1011]], 5).unwrap()[0][0] & 0b1_1110,
        0b1_0110
    );
}

#[test]
fn clock_by_clock_every_stream_has_the_history_of_a_pipeline() {
    for family in [ultrascale, ice40, ecp5] {
        streams_are_histories(&parse(&every_cell(family)).unwrap());
    }
}

fn streams_are_histories(netlist: &Netlist) {
    use super::cycles::{Machine, STREAMS};
    let (mut machine, inputs, outputs) = Machine::new(netlist, &["inputs"], &["outputs"]).unwrap();
    // Each stream has stimuli of its own.
    let clocks = 200;
    let words = stimulus(18);
    let stimulus = |stream: usize, clock: usize| words[clock * STREAMS % 5_000 + stream];
    let histories: Vec<Vec<Vec<u64>>> = (0..STREAMS)
        .map(|stream| {
            let inputs: Vec<Vec<u64>> = (0..18)
                .map(|bit| {
                    let mut history = vec![0; clocks / 64 + 1];
                    for clock in 0..clocks {
                        history[clock / 64] |= (stimulus(stream, clock) >> bit & 1) << (clock % 64);
                    }
                    history
                })
                .collect();
            outputs_of(netlist, inputs, clocks).unwrap()
        })
        .collect();
    for clock in 0..clocks {
        for (bit, wire) in inputs[0].iter().enumerate() {
            let mut lanes = [0; STREAMS / 64];
            for stream in 0..STREAMS {
                lanes[stream / 64] |= (stimulus(stream, clock) >> bit & 1) << (stream % 64);
            }
            machine.drive(*wire, lanes);
        }
        machine.settle();
        for (bit, wire) in outputs[0].iter().enumerate() {
            let lanes = machine.read(*wire);
            for (stream, histories) in histories.iter().enumerate() {
                assert_eq!(
                    lanes[stream / 64] >> (stream % 64) & 1,
                    histories[bit][clock / 64] >> (clock % 64) & 1,
                    "output {bit} of stream {stream} at clock {clock}"
                );
            }
        }
        machine.clock();
    }
}
