//! Circuits compute what their programs compute, and their adders prove it.

mod common;

use bitfront_hardware::circuit::{BuildOptions, Circuit, DelayModel, Operation};
use bitfront_network::{IntegerOperation, IntegerProgram, Interval, Linear};
use common::{Rule, Spec, logits, program, rows};
use proptest::prelude::*;

fn spec() -> impl Strategy<Value = Spec> {
    let rule = prop_oneof![
        Just(Rule::Relu),
        Just(Rule::Signed),
        Just(Rule::Symmetric),
        Just(Rule::Steps)
    ];
    (
        proptest::collection::vec(1..6_usize, 2..5),
        (2..9_u32, 2..7_u32, 2..6_u32),
        (0..100_u64, any::<bool>(), any::<bool>()),
        rule,
        any::<u64>(),
    )
        .prop_map(
            |(widths, bits, (zeros, positive, ragged), rule, seed)| Spec {
                widths,
                input_bits: bits.0,
                weight_bits: bits.1,
                activation_bits: bits.2,
                zeros,
                positive,
                ragged,
                rule,
                seed,
            },
        )
}

fn check(spec: &Spec, count: usize) {
    let program = program(spec);
    let circuit = Circuit::build(&program).unwrap();
    circuit.check_against(&program).unwrap();
    for row in rows(&program, count, spec.seed.wrapping_add(7)).chunks(program.candidate.inputs()) {
        assert_eq!(circuit.evaluate(row), logits(&program, row), "{spec:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn evaluates_as_the_program_does(spec in spec()) {
        check(&spec, 60);
    }

    #[test]
    fn operands_stand_one_stage_before_registers_and_in_the_same_stage_elsewhere(spec in spec()) {
        let circuit = Circuit::build_with(&program(&spec), &BuildOptions {
            delays: DelayModel { period_ps: 1_500, ..DelayModel::default() },
            ..BuildOptions::default()
        }).unwrap();
        for (index, node) in circuit.nodes().iter().enumerate() {
            for source in node.operation.sources() {
                prop_assert!((source.0 as usize) < index);
                let from = circuit.node(source);
                let step = u32::from(matches!(node.operation, Operation::Register { .. }));
                if !matches!(from.operation, Operation::Constant { .. }) {
                    prop_assert_eq!(from.stage + step, node.stage);
                }
            }
        }
        for operand in circuit.output_operands() {
            prop_assert_eq!(circuit.node(operand.wire).stage, circuit.cycles());
        }
    }
}

#[test]
fn a_wide_layer_evaluates_as_the_program_does() {
    let spec = Spec {
        widths: vec![16, 16, 16, 5],
        weight_bits: 6,
        input_bits: 8,
        ..Spec::default()
    };
    check(&spec, 500);
}

fn linear(program: &mut IntegerProgram, layer: usize) -> &mut Linear {
    match &mut program.layers[layer].operation {
        IntegerOperation::Linear(linear) => linear,
        other => panic!("layer {layer} is {other:?}"),
    }
}

/// The proof must be able to fail: one changed weight, one changed bias.
#[test]
fn a_changed_weight_or_bias_is_not_proven() {
    let spec = Spec::default();
    let good = program(&spec);
    let circuit = Circuit::build(&good).unwrap();
    for layer in [0, 2] {
        let mut weight = good.clone();
        linear(&mut weight, layer).kernel[1] ^= 1;
        assert!(
            circuit.check_against(&weight).is_err(),
            "weight of layer {layer}"
        );
        let mut bias = good.clone();
        linear(&mut bias, layer).bias[1] ^= 1;
        assert!(
            circuit.check_against(&bias).is_err(),
            "bias of layer {layer}"
        );
    }
}

#[test]
fn zero_weights_vanish_and_powers_of_two_are_wires() {
    let mut program = program(&Spec {
        widths: vec![3, 2],
        ..Spec::default()
    });
    let layer = linear(&mut program, 0);
    layer.kernel = vec![4, 0, 0, -2, 0, 0];
    layer.bias = vec![0, 5];
    layer.accumulator_range = vec![Interval { lo: -128, hi: 124 }, Interval { lo: -57, hi: 69 }];
    let circuit = Circuit::build(&program).unwrap();
    circuit.check_against(&program).unwrap();
    let adders = |circuit: &Circuit| {
        let is_adder =
            |n: &&bitfront_hardware::circuit::Node| matches!(n.operation, Operation::Add { .. });
        circuit.nodes().iter().filter(is_adder).count()
    };
    assert_eq!(adders(&circuit), 1);
    assert_eq!(circuit.evaluate(&[3, 7, 1]), [12, -9]);
    assert_eq!(circuit.cycles(), 2);
    // Two of three inputs are read: 2 x 6 bits in. Out: 6 bits (of 8, two are zero) and, as the lowest
    // bit of 5 - 2x is always one, 7 bits of 8.
    assert_eq!(circuit.flip_flops(), 12 + 6 + 7);
}

#[test]
fn a_faster_clock_takes_more_cycles_and_the_same_function() {
    let spec = Spec {
        widths: vec![8, 8, 5],
        weight_bits: 6,
        ..Spec::default()
    };
    let program = program(&spec);
    let slow = Circuit::build(&program).unwrap();
    let delays = DelayModel {
        period_ps: 1_500,
        ..DelayModel::default()
    };
    let fast = Circuit::build_with(
        &program,
        &BuildOptions {
            delays,
            ..BuildOptions::default()
        },
    )
    .unwrap();
    assert!(fast.cycles() > slow.cycles());
    // Both keep the period that they were cut for, and say so.
    assert!(slow.critical_path_ps() <= 5_000 && slow.fmax_estimate_mhz() >= 200.0);
    assert!(fast.critical_path_ps() <= 1_500);
    assert!(fast.levels_estimate() < slow.levels_estimate());
    assert!(fast.flip_flops() > slow.flip_flops());
    for row in rows(&program, 100, 3).chunks(8) {
        assert_eq!(fast.evaluate(row), slow.evaluate(row));
    }
}

#[test]
fn a_clock_that_one_adder_misses_is_not_promised() {
    let program = program(&Spec {
        widths: vec![4, 3],
        ..Spec::default()
    });
    let options = BuildOptions::new(2_000.0, Some(1));
    let circuit = Circuit::build_with(&program, &options).unwrap();
    assert_eq!(circuit.delays().period_ps, 500);
    // 300 ps of a register, 500 ps of a LUT and its route, and the carries.
    assert!(circuit.critical_path_ps() > 800);
    assert!(circuit.fmax_estimate_mhz() < 1_250.0);
}
