//! Circuits that end in the index of the largest logit answer as integer inference does, prove it, and pass every gate.
//! Without Yosys and Verilator on PATH the test that needs them says so and passes.

mod common;
#[path = "common/gates.rs"]
mod gates;
#[path = "common/verilator.rs"]
mod verilator;
#[path = "common/yosys.rs"]
mod yosys;

use bitfront_hardware::circuit::{BuildOptions, Circuit, DelayModel, Operation, OutputForm};
use bitfront_network::{Head, IntegerOperation, IntegerProgram, Linear};
use common::{Rule, Spec, program, rows};

fn options() -> BuildOptions {
    BuildOptions {
        output: OutputForm::ArgMax,
        ..BuildOptions::default()
    }
}

/// A network of so many classes whose logits are often equal.
fn classes(count: usize, seed: u64) -> IntegerProgram {
    program(&Spec {
        widths: vec![4, 5, count],
        input_bits: 4,
        weight_bits: 2,
        activation_bits: 2,
        rule: Rule::Relu,
        seed,
        ..Spec::default()
    })
}

fn last(program: &mut IntegerProgram) -> &mut Linear {
    match &mut program.layers.last_mut().expect("layers").operation {
        IntegerOperation::Linear(linear) => linear,
        other => panic!("the last layer is {other:?}"),
    }
}

/// The lowest index of the largest of a row's logits, by the reference of the tests.
fn expected(program: &IntegerProgram, row: &[i64]) -> i64 {
    let logits = common::logits(program, row);
    let largest = logits.iter().max().expect("logits");
    logits
        .iter()
        .position(|logit| logit == largest)
        .expect("one of them") as i64
}

#[test]
fn the_index_is_that_of_integer_inference_and_ties_go_to_the_lowest() {
    let (mut ties, mut wins) = (0, [0; 9]);
    for count in [2, 3, 4, 5, 7, 9] {
        for seed in 0..4 {
            let program = classes(count, seed);
            let circuit = Circuit::build_with(&program, &options()).unwrap();
            circuit.check_against(&program).unwrap();
            assert_eq!(circuit.outputs().len(), 1);
            let rows = rows(&program, 400, seed + 7);
            let codes: Vec<i32> = rows.iter().map(|&code| code as i32).collect();
            let inferred = OutputForm::ArgMax.expected(&program, &codes);
            for (row, inferred) in rows.chunks(program.inputs()).zip(inferred) {
                let index = expected(&program, row);
                assert_eq!(inferred, index);
                assert_eq!(
                    circuit.evaluate(row),
                    [index],
                    "{count} classes, seed {seed}"
                );
                let logits = common::logits(&program, row);
                let largest = logits[index as usize];
                ties += usize::from(logits[index as usize + 1..].contains(&largest));
                wins[index as usize] += 1;
            }
        }
    }
    assert!(ties > 500, "{ties} ties");
    assert!(
        wins.iter().filter(|&&count| count > 20).count() > 6,
        "{wins:?}"
    );
}

#[test]
fn a_class_that_can_not_win_is_not_compared_and_one_that_always_wins_is_a_constant() {
    let mut program = classes(4, 1);
    let outputs = last(&mut program).outputs;
    for row in last(&mut program).kernel.chunks_mut(outputs) {
        row[2] = 0;
    }
    last(&mut program).bias[2] = -100_000;
    let range = |program: &mut IntegerProgram, code| {
        last(program).accumulator_range[2] = bitfront_network::Interval::point(code);
        let format = &mut program.layers.last_mut().expect("layers").output;
        format.range[2] = bitfront_network::Interval::point(code);
    };
    range(&mut program, -100_000);
    let fewer = Circuit::build_with(&program, &options()).unwrap();
    fewer.check_against(&program).unwrap();
    let compares = |operation: &Operation| matches!(operation, Operation::AtLeast { .. });
    let nodes = fewer.nodes().iter();
    let compared = nodes.filter(|node| compares(&node.operation)).count();
    assert!((1..3).contains(&compared), "{compared}");
    let rows = rows(&program, 200, 3);
    for row in rows.chunks(program.inputs()) {
        assert_eq!(fewer.evaluate(row), [expected(&program, row)]);
    }
    // A circuit that leaves it out does not answer for a network where it may win.
    let mut other = program.clone();
    last(&mut other).bias[2] = 50_000;
    range(&mut other, 50_000);
    assert!(fewer.check_against(&other).is_err());

    last(&mut program).bias[2] = 100_000;
    range(&mut program, 100_000);
    let constant = Circuit::build_with(&program, &options()).unwrap();
    constant.check_against(&program).unwrap();
    assert_eq!(constant.evaluate(&rows[..program.inputs()]), [2]);
    assert_eq!(constant.flip_flops(), 0);
}

#[test]
fn a_circuit_of_other_logits_is_not_proven() {
    let program = classes(5, 2);
    let circuit = Circuit::build_with(&program, &options()).unwrap();
    let mut mutant = program.clone();
    last(&mut mutant).bias[3] ^= 1;
    assert!(circuit.check_against(&mutant).is_err());
    // Nor does a circuit of logits stand for one of the index.
    let logits = Circuit::build(&program).unwrap();
    assert_ne!(logits.outputs().len(), circuit.outputs().len());
}

#[test]
fn values_that_are_no_classes_have_no_largest() {
    let mut program = classes(3, 1);
    program.candidate.head = Head::Linear;
    let error = Circuit::build_with(&program, &options()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer argmax has no circuit: the network's outputs are no classes to choose from; accepted: output `logits`"
    );
    assert!(Circuit::build(&program).is_ok());
}

#[test]
fn the_index_passes_every_gate_and_is_priced_near_what_synthesis_counts() {
    if gates::missing_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = verilator::build_runtime(folder.path());
    let spec = Spec {
        widths: vec![6, 6, 5],
        ragged: true,
        seed: 4,
        ..Spec::default()
    };
    let fast = BuildOptions {
        delays: DelayModel {
            period_ps: 2_000,
            ..DelayModel::default()
        },
        ..options()
    };
    for (name, options) in [("index", options()), ("index_at_a_fast_clock", fast)] {
        let passed = gates::pass(folder.path(), &root, name, &program(&spec), &options);
        let (costs, counted) = (&passed.costs, &passed.counted);
        let said = passed.said(name);
        println!("{said}");
        assert!(
            100 * costs.lut_estimate.abs_diff(counted.lut) <= 10 * counted.lut,
            "{said}"
        );
        assert!(
            100 * costs.ff_estimate.abs_diff(counted.ff) <= 2 * counted.ff,
            "{said}"
        );
    }
}
