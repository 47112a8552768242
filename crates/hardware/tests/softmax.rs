//! Circuits that end in the softmax of their network's tables answer as integer inference does, prove it, and pass every
//! gate. Without Yosys and Verilator on PATH the test that needs them says so and passes.

mod common;
#[path = "common/gates.rs"]
mod gates;
#[path = "common/verilator.rs"]
mod verilator;
#[path = "common/yosys.rs"]
mod yosys;

use bitfront_hardware::circuit::{BuildOptions, Circuit, DelayModel, Operation, OutputForm};
use bitfront_hardware::verilog::{emit, test_bench, vectors_file};
use bitfront_network::{Head, IntegerOperation, IntegerProgram, Interval, Linear, SoftmaxTables};
use common::{Random, Rule, Spec, program, rows};

fn options() -> BuildOptions {
    BuildOptions {
        output: OutputForm::Softmax,
        ..BuildOptions::default()
    }
}

/// Tables of little precision: small circuits.
const SMALL: SoftmaxTables = SoftmaxTables {
    address_bits: 6,
    address_fraction: 3,
    exp_fraction: 8,
    inverse_fraction: 8,
    output_fraction: 8,
};

/// A network of so many classes with a softmax by tables.
fn classes(count: usize, tables: SoftmaxTables, seed: u64) -> IntegerProgram {
    let mut program = program(&Spec {
        widths: vec![4, 5, count],
        input_bits: 4,
        weight_bits: 3,
        activation_bits: 3,
        ragged: seed % 2 == 1,
        rule: Rule::Relu,
        seed,
        ..Spec::default()
    });
    program.candidate.head = Head::Softmax {
        tables: Some(tables),
    };
    program
}

fn last(program: &mut IntegerProgram) -> &mut Linear {
    match &mut program.layers.last_mut().expect("layers").operation {
        IntegerOperation::Linear(linear) => linear,
        other => panic!("the last layer is {other:?}"),
    }
}

/// Softmax by tables of a row, from the definition of the tables alone: what they hold is worked out here in real numbers.
fn expected(program: &IntegerProgram, row: &[i64]) -> Vec<i64> {
    let logits = common::logits(program, row);
    let Head::Softmax {
        tables: Some(tables),
    } = program.candidate.head
    else {
        panic!("a head with tables");
    };
    let power = |bits: u32| 2f64.powi(bits as i32);
    let largest = *logits.iter().max().expect("logits");
    let exponentials = logits.iter().map(|logit| {
        let distance = (largest - logit) as f64 * 2f64.powi(-program.output_fraction);
        let address = (distance * power(tables.address_fraction)).floor();
        let address = address.min(power(tables.address_bits) - 1.0);
        let real = (-address / power(tables.address_fraction)).exp();
        (real * power(tables.exp_fraction)).round_ties_even() as i64
    });
    let exponentials: Vec<i64> = exponentials.collect();
    let one = 1_i64 << tables.exp_fraction;
    let most = (logits.len() as i64 - 1) * one;
    let shift = (0..64)
        .find(|shift| most >> shift < 1 << tables.address_bits)
        .expect("a shift");
    let bucket = (exponentials.iter().sum::<i64>() - one) >> shift;
    let middle = (one + (bucket << shift)) as f64 + f64::from((1 << shift) - 1) / 2.0;
    let inverse = (power(tables.exp_fraction + tables.inverse_fraction) / middle).round() as i64;
    let unit = power(tables.exp_fraction + tables.inverse_fraction) / power(tables.output_fraction);
    exponentials
        .into_iter()
        .map(|exponential| ((exponential * inverse) as f64 / unit).floor() as i64)
        .collect()
}

#[test]
fn probabilities_are_those_of_integer_inference() {
    let mut random = Random(5);
    let mut varied = 0;
    for count in [2, 3, 5, 9, 18] {
        for seed in 0..8 {
            let mut tables = SoftmaxTables {
                address_bits: random.within(4, 9) as u32,
                address_fraction: random.within(0, 6) as u32,
                exp_fraction: random.within(4, 12) as u32,
                inverse_fraction: random.within(4, 12) as u32,
                output_fraction: random.within(1, 24) as u32,
            };
            if count == 18 {
                // Sums of so many that a bucket of them is larger than the least.
                (tables.address_bits, tables.exp_fraction) = (4, 4);
            }
            let program = classes(count, tables, seed);
            let circuit = Circuit::build_with(&program, &options()).unwrap();
            circuit.check_against(&program).unwrap();
            assert_eq!(circuit.outputs().len(), count);
            let rows = rows(&program, 300, seed + 7);
            let codes: Vec<i32> = rows.iter().map(|&code| code as i32).collect();
            let inferred = OutputForm::Softmax.expected(&program, &codes);
            let each = rows.chunks(program.inputs()).zip(inferred.chunks(count));
            for (row, inferred) in each {
                let probabilities = expected(&program, row);
                assert_eq!(inferred, probabilities, "{tables:?}, {count} classes");
                assert_eq!(
                    circuit.evaluate(row),
                    probabilities,
                    "{tables:?}, {count} classes, seed {seed}"
                );
                varied += usize::from(probabilities.iter().filter(|&&p| p > 0).count() > 1);
            }
        }
    }
    assert!(varied > 2_000, "{varied}");
}

#[test]
fn a_class_that_can_not_win_has_a_known_exponential() {
    let mut program = classes(4, SMALL, 2);
    let outputs = last(&mut program).outputs;
    for row in last(&mut program).kernel.chunks_mut(outputs) {
        row[2] = 0;
    }
    for (bias, constants) in [(-100_000, 1), (100_000, 4)] {
        last(&mut program).bias[2] = bias;
        last(&mut program).accumulator_range[2] = Interval::point(bias);
        let format = &mut program.layers.last_mut().expect("layers").output;
        format.range[2] = Interval::point(bias);
        let circuit = Circuit::build_with(&program, &options()).unwrap();
        circuit.check_against(&program).unwrap();
        let tables = circuit
            .nodes()
            .iter()
            .filter(|node| matches!(node.operation, Operation::Table { .. }))
            .count();
        let fewer = if constants == 4 { 0 } else { 4 };
        assert_eq!(tables, fewer, "{constants} known exponentials");
        for row in rows(&program, 200, 3).chunks(program.inputs()) {
            assert_eq!(circuit.evaluate(row), expected(&program, row));
        }
        // A circuit that knows it does not answer for a network where it is otherwise.
        let mut other = program.clone();
        last(&mut other).bias[2] = 0;
        last(&mut other).accumulator_range[2] = Interval::point(0);
        let format = &mut other.layers.last_mut().expect("layers").output;
        format.range[2] = Interval::point(0);
        assert!(circuit.check_against(&other).is_err());
    }
}

#[test]
fn a_circuit_of_other_logits_or_tables_is_not_proven() {
    let program = classes(5, SMALL, 2);
    let circuit = Circuit::build_with(&program, &options()).unwrap();
    let mut mutant = program.clone();
    last(&mut mutant).bias[3] ^= 1;
    assert!(circuit.check_against(&mutant).is_err());
    let more = |tables: &mut SoftmaxTables, setting: usize| match setting {
        0 => tables.address_bits += 1,
        1 => tables.address_fraction += 1,
        2 => tables.exp_fraction += 1,
        3 => tables.inverse_fraction += 1,
        _ => tables.output_fraction += 1,
    };
    for setting in 0..5 {
        let mut tables = SMALL;
        more(&mut tables, setting);
        mutant = program.clone();
        mutant.candidate.head = Head::Softmax {
            tables: Some(tables),
        };
        assert!(circuit.check_against(&mutant).is_err(), "setting {setting}");
    }
    // Its own logits are another circuit.
    let logits = Circuit::build(&program).unwrap();
    logits.check_against(&program).unwrap();
    assert_ne!(logits.output_bits(), circuit.output_bits());
}

#[test]
fn what_has_no_softmax_is_named() {
    let build = |program: &IntegerProgram| {
        let error = Circuit::build_with(program, &options()).unwrap_err();
        error.to_string()
    };
    let mut program = classes(3, SMALL, 1);
    program.candidate.head = Head::ARG_MAX;
    assert_eq!(
        build(&program),
        "layer softmax has no circuit: the network's head has no softmax tables; accepted: output `logits`"
    );
    let wide = SoftmaxTables {
        address_bits: 13,
        ..SMALL
    };
    assert_eq!(
        build(&classes(3, wide, 1)),
        "layer softmax has no circuit: its 3 tables have 13 address bits; accepted are at most 12, and 65536 entries in all"
    );
}

#[test]
fn a_softmax_passes_every_gate_and_is_priced_near_what_synthesis_counts() {
    if gates::missing_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = verilator::build_runtime(folder.path());
    let fast = BuildOptions {
        delays: DelayModel {
            period_ps: 2_000,
            ..DelayModel::default()
        },
        ..options()
    };
    let program = classes(3, SMALL, 4);
    for (name, options) in [("softmax", options()), ("softmax_at_a_fast_clock", fast)] {
        let passed = gates::pass(folder.path(), &root, name, &program, &options);
        let (costs, counted) = (&passed.costs, &passed.counted);
        let said = passed.said(name);
        println!("{said}");
        assert!(
            100 * costs.lut_estimate.abs_diff(counted.lut) <= 10 * counted.lut,
            "{said}"
        );
        assert_eq!(costs.ff_estimate, counted.ff, "{said}");
    }
    // One choice of a product that takes the number twice for none at all.
    let circuit = Circuit::build_with(&program, &options()).unwrap();
    let (rtl, bench) = (emit(&circuit, "mutant"), test_bench(&circuit, "mutant"));
    let choice = rtl
        .lines()
        .find(|line| line.contains(" : ("))
        .expect("a choice");
    let (start, end) = choice.split_once(" ? ").expect("a condition");
    let wrong = rtl.replace(choice, &format!("{start} ^ 1'b1 ? {end}"));
    let binary = verilator::compile(folder.path(), &root, "mutant", (&wrong, &bench));
    let inputs = rows(&program, gates::VECTORS, 99);
    let each = inputs.chunks(program.inputs());
    let outputs: Vec<i64> = each.flat_map(|row| circuit.evaluate(row)).collect();
    let vectors = vectors_file(&circuit, &inputs, &outputs);
    let (report, passed) = verilator::run(folder.path(), &binary, &vectors);
    assert!(!passed && report.mismatches > 0, "{report:?}");
}
