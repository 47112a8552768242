//! Frozen candidates: their circuits, costs, and the laws between the estimates.

mod common;

use bitfront_hardware::circuit::{Circuit, Operation};
use bitfront_hardware::{Costs, Tier0, candidate_costs, program_costs, pruned_candidate_costs};
use bitfront_network::{Candidate, IntegerOperation, IntegerProgram, Operation as Layer, Weights};
use common::{Random, Spec};

fn weights(candidate: &Candidate, seed: u64, zeros: u64) -> Weights {
    let mut random = Random(seed);
    let mut values = |count: usize| -> Vec<f32> {
        (0..count)
            .map(|_| {
                let value = random.within(-1_000, 1_000) as f32 / 1_000.0;
                if random.chance(zeros) { 0.0 } else { value }
            })
            .collect()
    };
    Weights::build(candidate, |tensor| values(tensor.shape.iter().product()))
}

fn frozen(candidate: &Candidate, seed: u64, zeros: u64) -> IntegerProgram {
    IntegerProgram::freeze(candidate, &weights(candidate, seed, zeros)).unwrap()
}

/// Candidates over the families: kernel, bias, activation, input.
fn candidates() -> Vec<Candidate> {
    let families = [
        ("quantized_bits(6,0,alpha=1.0)", "quantized_relu(6,0)"),
        (
            "quantized_bits(4,0,1,alpha='auto_po2')",
            "quantized_relu(4,2)",
        ),
        ("binary(alpha=1.0)", "quantized_bits(4,1,alpha=1.0)"),
        ("ternary(alpha=1.0)", "binary(alpha=1.0)"),
        ("stochastic_binary(alpha=1.0)", "ternary(alpha=1.0)"),
        ("quantized_po2(4,1)", "quantized_relu_po2(4,4)"),
        ("quantized_linear(3,0,alpha=1.0)", "quantized_sigmoid(4)"),
        (
            "quantized_linear(4,0,alpha='auto')",
            "quantized_tanh(4,use_real_tanh=True)",
        ),
        (
            "stochastic_ternary(alpha='auto')",
            "quantized_sigmoid(3,use_real_sigmoid=True)",
        ),
        (
            "ap_fixed<4,1,AP_TRN,AP_SAT>",
            "ap_ufixed<4,2,AP_TRN,AP_SAT>",
        ),
        (
            "quantized_bits(2,1,1,alpha=1.0)",
            "quantized_relu(3,1,negative_slope=0.25)",
        ),
    ];
    families
        .iter()
        .map(|(kernel, activation)| {
            let mut candidate = common::candidate(&Spec {
                widths: vec![8, 7, 6, 4],
                ..Spec::default()
            });
            for layer in &mut candidate.layers {
                match &mut layer.operation {
                    Layer::Dense { kernel: k, .. } => *k = kernel.parse().unwrap(),
                    Layer::Activation { quantizer } => *quantizer = activation.parse().unwrap(),
                    other => panic!("{}", other.kind()),
                }
            }
            candidate
        })
        .collect()
}

/// Promise P1, the part between integer inference and the circuit.
#[test]
fn circuits_of_frozen_candidates_equal_integer_inference() {
    for (seed, candidate) in candidates().iter().enumerate() {
        let program = frozen(candidate, seed as u64, 20);
        let circuit = Circuit::build(&program).unwrap();
        circuit.check_against(&program).unwrap();
        let rows = common::rows(&program, 400, 5);
        let codes: Vec<i32> = rows.iter().map(|&code| code as i32).collect();
        let expected = program.logits(&codes);
        let found: Vec<i64> = rows
            .chunks(candidate.inputs())
            .flat_map(|row| circuit.evaluate(row))
            .collect();
        assert!(found == expected, "{:?}", candidate.layers[0]);
    }
}

#[test]
fn zeros_are_cheaper_and_bits_are_not_affected() {
    let candidate = &candidates()[0];
    let dense = program_costs(&frozen(candidate, 3, 0)).unwrap();
    let sparse = program_costs(&frozen(candidate, 3, 70)).unwrap();
    assert!(sparse.lut_estimate * 2 < dense.lut_estimate);
    assert!(sparse.ebops * 2.0 < dense.ebops);
    assert_eq!(sparse.bits, dense.bits);
    assert_eq!(dense.lut_equivalent, dense.lut_estimate);
    assert_eq!(dense.latency_ns, f64::from(dense.cycles) * 5.0);
}

#[test]
fn costs_before_training_bound_and_resemble_those_after() {
    for candidate in candidates() {
        let before = candidate_costs(&candidate);
        let after = program_costs(&frozen(&candidate, 9, 0)).unwrap();
        assert!(after.ebops <= before.ebops, "{:?}", candidate.layers[0]);
        assert_eq!(
            (after.bits, after.energy_pj),
            (before.bits, before.energy_pj)
        );
        let ratio = before.lut_estimate as f64 / after.lut_estimate as f64;
        assert!(
            (0.4..2.5).contains(&ratio),
            "{ratio} {:?}",
            candidate.layers[0]
        );
    }
}

#[test]
fn weights_that_will_be_pruned_are_foreseen_before_training() {
    let candidate = &candidates()[0];
    let (dense, pruned) = (
        candidate_costs(candidate),
        pruned_candidate_costs(candidate, 0.75),
    );
    assert_eq!(pruned_candidate_costs(candidate, 0.0), dense);
    let after = program_costs(&frozen(candidate, 9, 75)).unwrap();
    let ratio = |before: Tier0| before.lut_estimate as f64 / after.lut_estimate as f64;
    assert!(ratio(dense) > 2.5, "{}", ratio(dense));
    assert!((0.4..2.5).contains(&ratio(pruned)), "{}", ratio(pruned));
    // Zeros are stored, read and bounded as all weights are.
    let same = Tier0 {
        lut_estimate: dense.lut_estimate,
        ..pruned
    };
    assert_eq!(same, dense);
}

#[test]
fn costs_survive_json() {
    let costs = program_costs(&frozen(&candidates()[1], 4, 10)).unwrap();
    let text = serde_json::to_string(&costs).unwrap();
    assert_eq!(serde_json::from_str::<Costs>(&text).unwrap(), costs);
}

#[test]
fn powers_of_two_and_signs_cost_one_adder_a_product_at_most() {
    for index in [2, 5] {
        let candidate = &candidates()[index];
        let circuit = Circuit::build(&frozen(candidate, 6, 0)).unwrap();
        let adders = circuit
            .nodes()
            .iter()
            .filter(|node| matches!(node.operation, Operation::Add { .. }))
            .count();
        // One adder a product, and one more where a whole sum is negative.
        let stack = candidate.dense_stack().unwrap();
        let most = stack.layers.iter().map(|l| (l.inputs + 1) * l.units);
        let most: usize = most.sum();
        assert!(adders <= most, "{adders} > {most}");
    }
}

/// By hand: m n (p a w + a + w + log2 n) of two layers, inputs of 6 bits, weights of 4, rectifiers of 4.
#[test]
fn bit_operations_go_by_declared_widths_and_by_weights_that_are_not_zero() {
    let candidate = common::candidate(&Spec::default());
    let with_zeros = |zeros: u64| {
        let program = frozen(&candidate, 9, zeros);
        let share = |at: usize| {
            let IntegerOperation::Linear(linear) = &program.layers[at].operation else {
                panic!("layer {at} has no kernel")
            };
            let kept = linear.kernel.iter().filter(|weight| **weight != 0).count();
            kept as f64 / linear.kernel.len() as f64
        };
        let first = 12.0 * (share(0) * 24.0 + 10.0 + 2.0);
        let second = 6.0 * (share(2) * 16.0 + 8.0 + 3f64.log2());
        let found = program_costs(&program).unwrap().bops.unwrap();
        assert!(
            (found - first - second).abs() < 1e-9,
            "{found}, {first} and {second}"
        );
        found
    };
    assert!(with_zeros(60) < with_zeros(0));
}
