//! Products in DSP blocks: as many as Yosys takes, and through every gate. Without Yosys and Verilator on PATH the tests
//! that need them say so and pass.

mod common;
#[path = "common/gates.rs"]
mod gates;
#[path = "common/verilator.rs"]
mod verilator;
#[path = "common/yosys.rs"]
mod yosys;

use bitfront_hardware::circuit::{BuildOptions, Circuit, Multipliers, Operation};
use bitfront_hardware::engine::Engine;
use bitfront_hardware::verilog::{cells, emit, test_bench, vectors_file};
use bitfront_network::{IntegerOperation, IntegerProgram, Interval};
use common::{Rule, Spec, logits, program, rows};
use gates::{Passed, VECTORS, missing_tools, pass};
use verilator::{build_runtime, compile, run};
use yosys::synthesise;

fn options(multipliers: Multipliers) -> BuildOptions {
    BuildOptions {
        multipliers,
        ..BuildOptions::default()
    }
}

/// A layer of products of one variable each: of every range, by every factor.
fn products(ranges: &[Interval], factors: &[i64]) -> IntegerProgram {
    let count = ranges.len() * factors.len();
    let mut program = program(&Spec {
        widths: vec![count, count],
        ..Spec::default()
    });
    let layer = &mut program.layers[0];
    let IntegerOperation::Linear(linear) = &mut layer.operation else {
        panic!("a dense layer")
    };
    linear.bias.fill(0);
    linear.kernel.fill(0);
    for product in 0..count {
        program.input.range[product] = ranges[product / factors.len()];
        linear.kernel[product * count + product] = factors[product % factors.len()];
    }
    program
}

#[test]
fn blocks_are_counted_as_yosys_takes_them_at_every_width() {
    if missing_tools() {
        return;
    }
    let factors = [
        3, -5, 6, 7, 8, 11, -13, 21, 23, 28, 31, 33, -45, 63, 64, 85, 127, -129, 255, 257, 511,
        1023,
    ];
    let signed = |bits: u32| Interval {
        lo: -(1_i64 << (bits - 1)),
        hi: (1 << (bits - 1)) - 1,
    };
    let unsigned = |bits: u32| Interval {
        lo: 0,
        hi: (1 << bits) - 1,
    };
    let bits = [1, 2, 3, 4, 5, 6, 8, 10];
    // A bound that is no power of two: its products have a bit less.
    let odd = [
        Interval { lo: 0, hi: 5 },
        Interval { lo: -3, hi: 4 },
        Interval { lo: -63, hi: 40 },
    ];
    for (name, ranges) in [
        ("signed", bits.map(signed).to_vec()),
        ("unsigned", bits.map(unsigned).to_vec()),
        ("odd", odd.to_vec()),
    ] {
        let program = products(&ranges, &factors);
        let circuit = Circuit::build_with(&program, &options(Multipliers::Dsps)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (counted, _) = synthesise(
            folder.path(),
            "net",
            &emit(&circuit, "net"),
            circuit.multipliers(),
        );
        assert_eq!(circuit.dsp_blocks(), counted.dsp, "{name}");
        let operations = circuit.nodes().iter().map(|node| &node.operation);
        let multiplies = |operation: &&Operation| matches!(operation, Operation::Multiply { .. });
        // None of them turned out to be too narrow: what is asked for is what is taken, and only some are.
        let asked = operations.filter(multiplies).count();
        assert_eq!(asked as u64, counted.dsp, "{name}");
        let all = ranges.len() * factors.len();
        assert!(
            all / 4 < asked && asked < 9 * all / 10,
            "{name}: {asked} of {all}"
        );
    }
}

#[test]
fn networks_with_blocks_pass_every_gate() {
    if missing_tools() {
        return;
    }
    let spec = |widths: &[usize], rule, seed| Spec {
        widths: widths.to_vec(),
        input_bits: 8,
        weight_bits: 6,
        activation_bits: 6,
        rule,
        seed,
        ..Spec::default()
    };
    let price = Multipliers::Auto { luts_per_dsp: 20 };
    let folder = tempfile::tempdir().unwrap();
    let root = build_runtime(folder.path());
    for (name, spec, multipliers) in [
        (
            "rectified",
            spec(&[6, 6, 3], Rule::Relu, 3),
            Multipliers::Dsps,
        ),
        (
            "signed_codes",
            spec(&[5, 5, 3], Rule::Signed, 4),
            Multipliers::Dsps,
        ),
        ("priced", spec(&[6, 6, 3], Rule::Relu, 3), price),
    ] {
        let program = program(&spec);
        let plain = Circuit::build(&program).unwrap();
        assert_eq!(plain.dsp_blocks(), 0);
        let Passed {
            costs,
            counted,
            netlist,
        } = pass(folder.path(), &root, name, &program, &options(multipliers));
        println!(
            "{name}: DSP {} / {}, LUT {} / {}, FF {} / {}, levels {:?} / {}",
            costs.dsp_estimate,
            counted.dsp,
            costs.lut_estimate,
            counted.lut,
            costs.ff_estimate,
            counted.ff,
            costs.levels_estimate,
            counted.levels
        );
        assert_eq!(costs.dsp_estimate, counted.dsp, "{name}");
        assert!(counted.dsp > 2, "{name}");
        assert_eq!(costs.lut_equivalent, costs.lut_estimate + 55 * counted.dsp);
        if name != "rectified" {
            continue;
        }
        // Once also with the Verilog model of the block, by a simulator that is not ours.
        let circuit = Circuit::build_with(&program, &options(multipliers)).unwrap();
        let library = format!(
            "{}{}",
            cells(Engine::Yosys),
            include_str!("common/dsp48e2.v")
        );
        let text = format!("{netlist}\n{library}");
        let inputs = rows(&program, VECTORS, 7);
        let expected: Vec<i64> = inputs
            .chunks(program.candidate.inputs())
            .flat_map(|row| logits(&program, row))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let root = build_runtime(folder.path());
        let binary = compile(
            folder.path(),
            &root,
            name,
            (&text, &test_bench(&circuit, name)),
        );
        let vectors = vectors_file(&circuit, &inputs, &expected);
        let (report, equal) = run(folder.path(), &binary, &vectors);
        assert!(equal && report.mismatches == 0 && report.vectors >= VECTORS as u64);
    }
}

#[test]
fn the_price_decides_which_products_are_made_of_adders() {
    let program = program(&Spec {
        widths: vec![8, 10, 4],
        input_bits: 8,
        weight_bits: 7,
        activation_bits: 6,
        ..Spec::default()
    });
    let blocks = |multipliers| {
        let circuit = Circuit::build_with(&program, &options(multipliers)).unwrap();
        circuit.check_against(&program).unwrap();
        circuit.dsp_blocks()
    };
    let auto = |luts_per_dsp| blocks(Multipliers::Auto { luts_per_dsp });
    let priced = [0, 12, 20, 30, 55].map(auto);
    assert_eq!(priced[0], blocks(Multipliers::Dsps));
    assert!(
        priced.is_sorted_by(|a, b| a >= b) && priced[0] > priced[2] && priced[2] > 0,
        "{priced:?}"
    );
    assert_eq!(blocks(Multipliers::Luts), 0);
    assert_eq!(
        priced[4], 0,
        "two adders of some thirteen bits are less than 55 LUTs"
    );
}

#[test]
fn a_clock_that_is_faster_than_a_block_is_said_so() {
    let spec = Spec {
        input_bits: 8,
        weight_bits: 6,
        ..Spec::default()
    };
    let program = program(&spec);
    let build = |mhz, multipliers| {
        let options = BuildOptions {
            multipliers,
            ..BuildOptions::new(mhz, Some(1))
        };
        Circuit::build_with(&program, &options).unwrap()
    };
    let slow = build(400.0, Multipliers::Dsps);
    assert!(slow.dsp_blocks() > 0 && slow.fmax_estimate_mhz() < 400.0);
    assert!(build(400.0, Multipliers::Luts).fmax_estimate_mhz() >= 400.0);
}
