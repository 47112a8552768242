//! Circuits of every kind of layer compute what the integer program computes, and prove it.

mod common;

use bitfront_hardware::circuit::{BuildOptions, Circuit, DelayModel, Operation};
use bitfront_hardware::{Inventory, candidate_costs, program_costs};
use bitfront_network::{ActivationRule, IntegerOperation, IntegerProgram};
use common::graphs::{candidates, frozen, weights};
use common::rows;

/// Promise P1 for layer graphs: the circuit, integer inference and the reference of these tests.
#[test]
fn circuits_of_graphs_equal_integer_inference() {
    for (name, candidate) in candidates() {
        for seed in 0..6 {
            let program = IntegerProgram::freeze(&candidate, &weights(&candidate, seed)).unwrap();
            let circuit = Circuit::build(&program).unwrap();
            circuit.check_against(&program).unwrap();
            let rows = rows(&program, 150, seed + 5);
            let codes: Vec<i32> = rows.iter().map(|&code| code as i32).collect();
            let expected = program.logits(&codes);
            let mut varied = false;
            for (row, logits) in rows
                .chunks(candidate.inputs())
                .zip(expected.chunks(candidate.outputs()))
            {
                assert_eq!(circuit.evaluate(row), logits, "{name} {seed}");
                assert_eq!(common::logits(&program, row), logits, "{name} {seed}");
                varied |= *logits != expected[..logits.len()];
            }
            assert!(varied, "{name} {seed} gives one answer to every row");
        }
    }
}

#[test]
fn a_faster_clock_computes_the_same() {
    let delays = DelayModel {
        period_ps: 1_500,
        ..DelayModel::default()
    };
    for (name, candidate) in candidates() {
        let program = frozen(name, 3);
        let slow = Circuit::build(&program).unwrap();
        let fast = Circuit::build_with(
            &program,
            &BuildOptions {
                delays,
                ..BuildOptions::default()
            },
        )
        .unwrap();
        fast.check_against(&program).unwrap();
        assert!(fast.cycles() > slow.cycles(), "{name}");
        for row in rows(&program, 40, 1).chunks(candidate.inputs()) {
            assert_eq!(fast.evaluate(row), slow.evaluate(row), "{name}");
        }
        for node in fast.nodes() {
            for source in node.operation.sources() {
                let from = fast.node(source);
                let step = u32::from(matches!(node.operation, Operation::Register { .. }));
                if !matches!(from.operation, Operation::Constant { .. }) {
                    assert_eq!(from.stage + step, node.stage, "{name}");
                }
            }
        }
    }
}

/// Every part of a program that a circuit depends on, changed by one: the proof must fail.
#[test]
fn no_changed_part_is_proven() {
    let mut kinds = std::collections::BTreeSet::new();
    for (name, _) in candidates() {
        let program = frozen(name, 2);
        let circuit = Circuit::build(&program).unwrap();
        for index in 0..program.layers.len() {
            for (part, mutant) in mutants(&program, index) {
                let place = format!("{name} {} {part}", program.layers[index].name);
                assert!(circuit.check_against(&mutant).is_err(), "{place}");
                kinds.insert(part);
            }
        }
    }
    let expected = [
        "bias",
        "channel fraction",
        "channel range",
        "fraction",
        "geometry",
        "kernel",
        "level",
        "multiplier",
        "offset",
        "padding",
        "reciprocal",
        "scale",
        "shift",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
}

fn each<T>(values: &mut [T], change: impl Fn(&mut T)) {
    for value in values {
        change(value);
    }
}

fn mutants(program: &IntegerProgram, index: usize) -> Vec<(&'static str, IntegerProgram)> {
    let mut all = Vec::new();
    let mut add = |part, change: &dyn Fn(&mut IntegerOperation)| {
        let mut mutant = program.clone();
        change(&mut mutant.layers[index].operation);
        if mutant != *program {
            all.push((part, mutant));
        }
    };
    let linear = |operation: &mut IntegerOperation,
                  change: &dyn Fn(&mut bitfront_network::Linear)| {
        match operation {
            IntegerOperation::Linear(linear) => change(linear),
            IntegerOperation::Separable { pointwise, .. } => change(pointwise),
            _ => {}
        }
    };
    add("kernel", &|o| {
        linear(o, &|l| each(&mut l.kernel, |v| *v += 2));
    });
    add("bias", &|o| linear(o, &|l| each(&mut l.bias, |v| *v ^= 1)));
    add("multiplier", &|o| {
        linear(o, &|l| each(&mut l.multiplier, |v| *v += 1));
    });
    add("kernel", &|o| {
        if let IntegerOperation::Separable { depthwise, .. } = o {
            each(&mut depthwise.kernel, |w| *w += 2);
        }
    });
    add("scale", &|o| {
        if let IntegerOperation::Affine { multiplier, .. } = o {
            each(multiplier, |m| *m += 2);
        }
    });
    add("offset", &|o| {
        if let IntegerOperation::Affine { offset, .. } = o {
            each(offset, |o| *o ^= 1);
        }
    });
    add("shift", &|o| {
        if let IntegerOperation::Add { shift } = o {
            each(&mut shift[1], |s| *s += 1);
        }
    });
    add("reciprocal", &|o| {
        if let IntegerOperation::Mean { reciprocal, .. } = o {
            *reciprocal.last_mut().unwrap() += 1;
        }
    });
    add("geometry", &|o| {
        if let IntegerOperation::MaxPool(geometry) = o {
            geometry.columns.before += 1;
        }
    });
    add("padding", &|o| {
        if let IntegerOperation::ZeroPadding { border } = o {
            border[0].reverse();
        }
    });
    add("fraction", &|o| {
        if let IntegerOperation::Activation(ActivationRule::Uniform { fraction, .. }) = o {
            *fraction += 1;
        }
    });
    add("channel fraction", &|o| {
        if let IntegerOperation::Activation(ActivationRule::Channels(rules)) = o
            && let ActivationRule::Uniform { fraction, .. } = &mut rules[1]
        {
            *fraction += 1;
        }
    });
    add("channel range", &|o| {
        if let IntegerOperation::Activation(ActivationRule::Channels(rules)) = o
            && let ActivationRule::Uniform { range, .. } = &mut rules[1]
        {
            range.hi -= 1;
        }
    });
    add("level", &|o| {
        if let IntegerOperation::Activation(ActivationRule::Steps { codes, .. }) = o {
            codes.iter_mut().flatten().for_each(|code| *code += 1);
        }
    });
    all
}

#[test]
fn frozen_scales_multiply_finished_sums() {
    // Sums of eight products by a constant of several digits: far fewer adders than digits of all
    // weights times the constant would need.
    let mut program = common::program(&common::Spec {
        widths: vec![8, 4],
        weight_bits: 6,
        ..common::Spec::default()
    });
    let plain = Inventory::of(&Circuit::build(&program).unwrap()).adders;
    if let IntegerOperation::Linear(linear) = &mut program.layers[0].operation {
        linear.multiplier = vec![0b10_0101, 0b1_0000_0001, 43, 0];
    }
    let circuit = Circuit::build(&program).unwrap();
    circuit.check_against(&program).unwrap();
    let scaled = Inventory::of(&circuit).adders;
    // Three digits, two digits, four digits; the last output is its bias alone.
    assert!(scaled < plain + 2 + 1 + 3, "{scaled} {plain}");
    for row in rows(&program, 40, 2).chunks(8) {
        if let IntegerOperation::Linear(linear) = &mut program.layers[0].operation {
            linear.accumulator_range.fill(bitfront_network::Interval {
                lo: i64::MIN,
                hi: i64::MAX,
            });
        }
        assert_eq!(circuit.evaluate(row), common::logits(&program, row));
    }
}

#[test]
fn what_has_no_circuit_is_named() {
    let mut program = common::program(&common::Spec {
        input_bits: 12,
        ..common::Spec::default()
    });
    let rule = ActivationRule::Function("quantized_hswish(13,2)".parse().unwrap());
    program.layers[1].operation = IntegerOperation::Activation(rule);
    let error = Circuit::build(&program).unwrap_err();
    assert_eq!(error.layer, "relu1");
    assert_eq!(program_costs(&program).unwrap_err(), error);
}

#[test]
fn networks_beyond_any_device_are_refused_before_they_are_built() {
    let mut program = common::program(&common::Spec {
        widths: vec![512, 1024],
        weight_bits: 6,
        ..common::Spec::default()
    });
    let error = Circuit::build(&program).unwrap_err();
    assert_eq!(error.layer, "fc1");
    assert!(error.reason.contains("at most 524288"), "{error}");
    // The same with most weights zero is small.
    if let IntegerOperation::Linear(linear) = &mut program.layers[0].operation {
        linear.kernel[1..].fill(0);
    }
    assert!(Circuit::build(&program).is_ok());
}

#[test]
fn costs_of_graphs_are_there_and_bounded() {
    for (name, candidate) in candidates() {
        let before = candidate_costs(&candidate);
        let after = program_costs(&frozen(name, 9)).unwrap();
        assert_eq!(
            (after.bits, after.energy_pj),
            (before.bits, before.energy_pj)
        );
        assert!(after.ebops > 0.0 && after.ebops <= before.ebops, "{name}");
        let ratio = before.lut_estimate as f64 / after.lut_estimate as f64;
        assert!((0.4..2.5).contains(&ratio), "{name} {ratio}");
    }
}
