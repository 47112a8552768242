//! Products of streamed circuits in DSP blocks: as many as Yosys takes, and equal to integer inference in RTL and netlist.
//! Without Yosys and Verilator on PATH the tests that need them say so and pass.

#[path = "common/skipped.rs"]
mod skipped;
#[path = "common/streams.rs"]
mod streams;
#[path = "common/verilator.rs"]
mod verilator;
#[path = "common/yosys.rs"]
mod yosys;

use std::process::Command;

use bitfront_hardware::circuit::Multipliers;
use bitfront_hardware::netlist::{parse, simulate_streamed};
use bitfront_hardware::streamed_costs;
use bitfront_hardware::verilog::BenchReport;
use bitfront_network::{IntegerOperation, IntegerProgram, Interval};
use skipped::skipped;
use streams::{SIX, built_of, coarse, dense, features, program, rows};
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

/// One shared stage of two cycles: each variable, of a range, is multiplied by each pair of weights.
fn pairs(ranges: &[Interval], weights: &[[i64; 2]]) -> IntegerProgram {
    let layers = vec![dense("output", weights.len(), SIX)];
    let mut program = program(&[2 * ranges.len()], "quantized_bits(8,2,alpha=1.0)", layers);
    let IntegerOperation::Linear(linear) = &mut program.layers[0].operation else {
        panic!("a dense layer")
    };
    for (lane, range) in ranges.iter().enumerate() {
        for part in 0..2 {
            let element = part * ranges.len() + lane;
            program.input.range[element] = *range;
            for (output, pair) in weights.iter().enumerate() {
                linear.kernel[element * weights.len() + output] = pair[part];
            }
        }
    }
    program
}

#[test]
fn blocks_are_counted_as_yosys_takes_them_at_every_width() {
    if missing() {
        return;
    }
    let interval = |lo, hi| Interval { lo, hi };
    let folder = tempfile::tempdir().unwrap();
    let signed: Vec<Interval> = [1, 2, 4, 6, 7]
        .map(|bits| interval(-(1 << (bits - 1)), (1 << (bits - 1)) - 1))
        .to_vec();
    let unsigned: Vec<Interval> = [1, 2, 4, 6, 7]
        .map(|bits| interval(0, (1 << bits) - 1))
        .to_vec();
    let odd = vec![
        interval(0, 5),
        interval(-3, 4),
        interval(-63, 40),
        interval(-17, 0),
    ];
    let weights = [
        [0, 1],
        [0, -1],
        [1, -1],
        [2, 4],
        [0, 3],
        [4, 12],
        [-4, -12],
        [7, 5],
        [7, -5],
        [6, 2],
        [31, -32],
        [16, -32],
        [-100, 99],
        // The same in both cycles.
        [1, 1],
        [4, 4],
        [-4, -4],
        [3, 3],
        [-3, -3],
        [6, 6],
        [-12, -12],
        [-128, -128],
        [0, 0],
        // As another pair, and with a zero below.
        [7, 5],
        [14, 10],
    ];
    for (name, ranges) in [("signed", signed), ("unsigned", unsigned), ("odd", odd)] {
        let program = pairs(&ranges, &weights);
        let circuit = built_of(&program, 2, Multipliers::Dsps);
        let said = streamed_costs(&program, &circuit).dsp_estimate;
        let rtl = circuit.verilog("net");
        let (counted, _) = synthesise(folder.path(), "net", &rtl, Multipliers::Dsps);
        println!("{name}: {said} / {}", counted.dsp);
        assert_eq!(said, counted.dsp, "{name}");
        let all = (ranges.len() * weights.len()) as u64;
        assert!(all / 10 < said && said < all, "{name}: {said} of {all}");
    }
}

#[test]
fn flip_flops_of_coarse_weights_are_counted_without_low_zeros() {
    if missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = coarse();
    let circuit = built_of(&program, 2, Multipliers::Luts);
    let said = streamed_costs(&program, &circuit).ff_estimate;
    let rtl = circuit.verilog("net");
    let (counted, _) = synthesise(folder.path(), "net", &rtl, Multipliers::Luts);
    // Nothing that the estimate leaves out is there; a twentieth at most is not there that it counts.
    assert!(
        (said - said / 20..=said).contains(&counted.ff),
        "{said} / {}",
        counted.ff
    );
}

#[test]
fn streamed_circuits_with_blocks_equal_integer_inference() {
    if missing() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let root = build_runtime(folder);
    let program = features();
    let codes = rows(&program, 700);
    let expected = program.logits(&codes);
    let inputs: Vec<i64> = codes.iter().map(|code| i64::from(*code)).collect();
    let equal = |vectors| BenchReport {
        vectors,
        mismatches: 0,
        first: None,
    };
    let mut blocks = Vec::new();
    for (name, multipliers) in [
        ("all", Multipliers::Dsps),
        ("priced", Multipliers::Auto { luts_per_dsp: 25 }),
    ] {
        let circuit = built_of(&program, 3, multipliers);
        let rtl = circuit.verilog(name);
        let said = streamed_costs(&program, &circuit);
        let binary = compile(folder, &root, name, (&rtl, &circuit.test_bench(name)));
        let few = (60 * program.inputs(), 60 * program.outputs());
        let vectors = circuit.vectors_file(&inputs[..few.0], &expected[..few.1]);
        assert_eq!(run(folder, &binary, &vectors), (equal(60), true), "{name}");
        let (counted, netlist) = synthesise(folder, name, &rtl, multipliers);
        println!(
            "{name}: DSP {} / {}, LUT {} / {}, FF {} / {}",
            said.dsp_estimate,
            counted.dsp,
            said.lut_estimate,
            counted.lut,
            said.ff_estimate,
            counted.ff
        );
        assert_eq!(said.dsp_estimate, counted.dsp, "{name}");
        assert_eq!(said.lut_equivalent, said.lut_estimate + 55 * counted.dsp);
        let simulated = |text: &str| {
            simulate_streamed(&parse(text).unwrap(), &circuit, &inputs, &expected).unwrap()
        };
        assert_eq!(simulated(&netlist), equal(700), "{name}");
        blocks.push(counted.dsp);
        // The first block takes the factor of another one.
        let pins: Vec<&str> = netlist
            .lines()
            .filter(|line| line.trim_start().starts_with(".B({"))
            .collect();
        let other = pins.iter().find(|pin| **pin != pins[0]).unwrap();
        let mutant = netlist.replacen(pins[0], other, 1);
        assert!(simulated(&mutant).mismatches > 0, "{name}");
    }
    let dear = built_of(&program, 3, Multipliers::Auto { luts_per_dsp: 500 });
    let dear = streamed_costs(&program, &dear).dsp_estimate;
    assert!(
        blocks[0] > blocks[1] && blocks[1] > dear && dear == 0,
        "{blocks:?}"
    );
}
