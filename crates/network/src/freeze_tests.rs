//! Integer programs of single layers, worked out by hand, and what is refused.

use crate::{Candidate, FreezeError, IntegerOperation, IntegerProgram, Interval, Part, Weights};

/// Freezes a network over an input of `quantized_bits(4,1)`, whose codes are -8..=7 quarters;
/// weights by layer and part, in the order of the candidate's tensors.
fn freeze(shape: &str, layers: &str, weights: &[&[f32]]) -> Result<IntegerProgram, FreezeError> {
    let json = format!(
        r#"{{"input_shape": {shape}, "input_quantizer": "quantized_bits(4,1,alpha=1.0)",
        "layers": [{layers}], "head": {{"kind": "linear"}}, "scale_bits": 3}}"#
    );
    let candidate: Candidate = serde_json::from_str(&json).expect("a candidate");
    let mut weights = weights.iter();
    let weights = match candidate.check_shapes() {
        Ok(()) => Weights::build(&candidate, |_| weights.next().expect("a tensor").to_vec()),
        Err(_) => Weights::default(),
    };
    IntegerProgram::freeze(&candidate, &weights)
}

fn interval(lo: i64, hi: i64) -> Interval {
    Interval { lo, hi }
}

#[test]
fn real_scales_become_constants_and_zero_columns_ask_for_nothing() {
    // Column 0: levels 1 and -1 of ternary at the scale 0.7; with 3 bits it lies between 5/8 and
    // 3/4, nearer to 3/4. Column 1 is zero.
    let layer = r#"{"name": "a", "operation": {"kind": "dense", "units": 2,
        "kernel": "ternary(alpha='auto')", "bias": "quantized_bits(8,0,alpha=1.0)", "fold": null}}"#;
    let program = freeze("[2]", layer, &[&[0.7, 0.0, -0.7, 0.0], &[0.0, 0.5]]).expect("freezes");
    let IntegerOperation::Linear(linear) = &program.layers[0].operation else {
        panic!("a dense layer is linear");
    };
    assert_eq!(linear.kernel, [1, 0, -1, 0]);
    assert_eq!(linear.multiplier, [3, 1]);
    assert_eq!(linear.product_shift, [0, 0]);
    // The bias of column 0 is zero, so it does not widen the sum to 7 fraction bits: quarters times
    // quarters. Column 1 is the bias alone.
    let output = &program.layers[0].output;
    assert_eq!(output.fraction, [4, 7]);
    assert_eq!(output.range, [interval(-45, 45), interval(64, 64)]);
    assert_eq!(linear.bias, [0, 64]);
    // Partial sums in any order: x0 - x1 alone reach 3 * (7 + 8).
    assert_eq!(
        linear.accumulator_range,
        [interval(-45, 45), interval(0, 64)]
    );
    assert_eq!(program.trace(&[7, -8]), [[45, 64]]);
    // Logits come to the finest fraction.
    assert_eq!(program.logits(&[7, -8]), [45 << 3, 64]);
    assert_eq!(program.output_fraction, 7);
}

#[test]
fn inputs_that_meet_only_zeros_ask_for_no_bits() {
    // Beside the input's quarters stand the finer steps of `a`, which no weight reads.
    let layers = r#"
        {"name": "a", "operation": {"kind": "activation", "quantizer": "quantized_relu(6,0)"}},
        {"name": "c", "inputs": ["input", "a"], "operation": {"kind": "concatenate"}},
        {"name": "d", "operation": {"kind": "dense", "units": 1,
            "kernel": "quantized_bits(4,0,alpha=1.0)", "bias": null, "fold": null}}"#;
    let program = freeze("[1]", layers, &[&[0.5, 0.0]]).expect("freezes");
    let IntegerOperation::Linear(linear) = &program.layers[2].operation else {
        panic!("a dense layer is linear");
    };
    assert_eq!(linear.input_shift, [0, 0]);
    let output = &program.layers[2].output;
    // Eighths of the weights times quarters.
    assert_eq!(output.fraction, [5]);
    assert_eq!(output.range, [interval(-32, 28)]);
}

#[test]
fn borders_and_branches_by_hand() {
    let window = r#"{"size": [2], "strides": [1], "dilation": [1], "padding": "same"}"#;
    // a: [x0 + 2 x1, x1 + 2 * border]; b: max; c: a (halves) beside the input (quarters), added.
    let layers = format!(
        r#"{{"name": "a", "operation": {{"kind": "depthwise_conv", "multiplier": 1,
            "window": {window}, "kernel": "quantized_relu(4,2)", "bias": null, "fold": null}}}},
           {{"name": "b", "inputs": ["input"],
             "operation": {{"kind": "max_pool", "window": {window}}}}},
           {{"name": "c", "inputs": ["a", "b"], "operation": {{"kind": "add"}}}},
           {{"name": "d", "operation": {{"kind": "average_pool", "reciprocal_bits": 3,
             "window": {{"size": [3], "strides": [2], "dilation": [1], "padding": "same"}}}}}}"#
    );
    let program = freeze("[2, 1]", &layers, &[&[1.0, 2.0]]).expect("freezes");
    let formats: Vec<_> = program
        .layers
        .iter()
        .map(|layer| (layer.output.fraction[0], layer.output.range[0]))
        .collect();
    // Kernel codes 4 and 8 with 2 fraction bits: sums of products in sixteenths.
    assert_eq!(formats[0], (4, interval(-8 * 12, 7 * 12)));
    assert_eq!(formats[1], (2, interval(-8, 7)));
    assert_eq!(formats[2], (4, interval(-8 * 16, 7 * 16)));
    let IntegerOperation::Add { shift } = &program.layers[2].operation else {
        panic!("c is a sum");
    };
    assert_eq!(*shift, [[0], [2]]);
    // One window of two inside: a half, exactly.
    let IntegerOperation::Mean { reciprocal, .. } = &program.layers[3].operation else {
        panic!("d is a mean");
    };
    assert_eq!(*reciprocal, [0, 0, 1, 0]);
    assert_eq!(formats[3], (5, interval(-8 * 32, 7 * 32)));
    // Inputs -8 and 5: a = [-32 + 40, 20]; b = [5, 5]; c = [28, 40]; d = 68 of 32nds.
    let trace = program.trace(&[-8, 5]);
    assert_eq!(trace, [vec![8, 20], vec![5, 5], vec![28, 40], vec![68]]);
}

#[test]
fn counts_that_are_no_powers_of_two_share_an_exponent() {
    let layer = r#"{"name": "a", "operation": {"kind": "average_pool", "reciprocal_bits": 3,
        "window": {"size": [3], "strides": [1], "dilation": [1], "padding": "same"}}}"#;
    let program = freeze("[4, 1]", layer, &[]).expect("freezes");
    let IntegerOperation::Mean { reciprocal, .. } = &program.layers[0].operation else {
        panic!("a mean");
    };
    // 1/3 with 3 bits is 5/16, and a half is 8/16.
    assert_eq!(*reciprocal, [0, 0, 8, 5]);
    assert_eq!(program.layers[0].output.fraction, [6]);
    assert_eq!(program.layers[0].output.range, [interval(-128, 112)]);
    assert_eq!(program.trace(&[1, 2, 3, -8]), [[24, 30, -15, -40]]);
}

#[test]
fn normalisation_by_hand() {
    let layer = r#"{"name": "a", "operation": {"kind": "batch_norm", "epsilon": 1.0,
        "momentum": 0.9, "scale_bits": 2, "offset_bits": 4}}"#;
    // Channel 0: scale -3/2, offset 0.25 + 1.5 * 1; channel 1: scale 0, offset 0.5.
    let gamma: &[f32] = &[-3.0, 0.0];
    let weights = [gamma, &[0.25, 0.5], &[1.0, 5.0], &[3.0, 3.0]];
    let program = freeze("[2]", layer, &weights).expect("freezes");
    let expected = IntegerOperation::Affine {
        multiplier: vec![-3, 0],
        product_shift: vec![0, 0],
        offset: vec![14, 1],
    };
    assert_eq!(program.layers[0].operation, expected);
    assert_eq!(program.layers[0].output.fraction, [3, 1]);
    let ranges = [interval(-7, 38), interval(1, 1)];
    assert_eq!(program.layers[0].output.range, ranges);
    assert_eq!(program.trace(&[2, 2]), [[8, 1]]);
}

#[test]
fn refusals_name_the_place_and_the_reason() {
    let refused = |layers: &str, weights: &[&[f32]]| {
        freeze("[2]", layers, weights)
            .expect_err("refused")
            .to_string()
    };
    let dense = |kernel: &str| {
        format!(
            r#"{{"name": "a", "operation": {{"kind": "dense", "units": 1, "kernel": "{kernel}",
            "bias": null, "fold": null}}}}"#
        )
    };
    let message = refused(&dense("float"), &[&[1.0, 1.0]]);
    assert!(
        message.starts_with("a.kernel has no exact integer form: float"),
        "{message}"
    );
    let message = refused(&dense("bernoulli(alpha=1.0)"), &[&[1.0, 1.0]]);
    assert!(
        message.contains("a.kernel") && message.contains("draws at random"),
        "{message}"
    );
    let message = refused(&dense("ternary(alpha=1.0)"), &[&[1.0, f32::NAN]]);
    assert!(
        message.contains("a.kernel") && message.contains("NaN"),
        "{message}"
    );
    let message = refused(&dense("ternary(alpha=1.0)"), &[&[1.0]]);
    assert_eq!(message, "a.kernel: 1 weights; its shape needs 2");

    let normal = r#"{"name": "n", "operation": {"kind": "batch_norm", "epsilon": 1.0,
        "momentum": 0.9, "scale_bits": 2, "offset_bits": 4}}"#;
    let ones: &[f32] = &[1.0, 1.0];
    let message = refused(normal, &[ones, ones, ones, &[1.0, -1.0]]);
    assert!(
        message.contains("n has no") && message.contains("variance -1"),
        "{message}"
    );
    // An offset far below the step of what it is added to.
    let message = refused(normal, &[ones, &[0.0, 1e-30], &[0.0, 0.0], ones]);
    assert!(message.starts_with("n output 1 needs 1"), "{message}");
    // Ever finer steps, in a sum that stays narrow.
    let scale = (0..80)
        .map(|at| {
            format!(
                r#"{{"name": "n{at}", "operation": {{"kind": "batch_norm", "epsilon": 1.0,
                "momentum": 0.9, "scale_bits": 2, "offset_bits": 4}}}}"#
            )
        })
        .collect::<Vec<_>>()
        .join(",");
    let tiny: &[f32] = &[1.0 / 4096.0, 1.0 / 4096.0];
    let zero: &[f32] = &[0.0, 0.0];
    let weights = [tiny, zero, zero, &[3.0, 3.0]].repeat(80);
    let message = refused(&scale, &weights);
    assert!(message.contains("multiples of 2^-9"), "{message}");
    let error = freeze("[2]", r#"{"name": "f", "operation": {"kind": "add"}}"#, &[]);
    let error = error.expect_err("a fault of the graph");
    assert_eq!(
        error.to_string(),
        "f: reads 1 tensors; accepted are two or more"
    );
}

#[test]
fn folded_weights_are_quantized_after_folding() {
    let layer = r#"{"name": "a", "operation": {"kind": "dense", "units": 1,
        "kernel": "quantized_bits(4,0,alpha=1.0)", "bias": "quantized_bits(4,0,alpha=1.0)",
        "fold": {"epsilon": 1.0, "momentum": 0.9}}}"#;
    // Factor 1/2: kernel 0.5 * 0.5 = 2/8; bias (0.25 - 1) / 2 + 0.5 = 1/8.
    let weights: [&[f32]; 6] = [&[0.5, 0.0], &[0.25], &[1.0], &[0.5], &[1.0], &[3.0]];
    let program = freeze("[2]", layer, &weights).expect("freezes");
    let IntegerOperation::Linear(linear) = &program.layers[0].operation else {
        panic!("a dense layer is linear");
    };
    assert_eq!(
        (&linear.kernel[..], &linear.bias[..]),
        (&[2, 0][..], &[4][..])
    );
    let order = program.candidate.tensors();
    let parts: Vec<Part> = order.iter().map(|spec| spec.part).collect();
    assert_eq!(
        parts[2..],
        [Part::Gamma, Part::Beta, Part::Mean, Part::Variance]
    );
}

#[test]
fn borders_are_zeros_even_where_inputs_are_not() {
    // Inputs moved to 8..=23 quarters; the second tap reads the border at the last output.
    let layers = r#"{"name": "a", "operation": {"kind": "batch_norm", "epsilon": 1.0,
            "momentum": 0.9, "scale_bits": 1, "offset_bits": 1}},
        {"name": "b", "operation": {"kind": "conv", "filters": 1, "bias": null, "fold": null,
            "window": {"size": [2], "strides": [1], "dilation": [1], "padding": "same"},
            "kernel": "quantized_relu(4,2)"}}"#;
    let weights: [&[f32]; 5] = [&[2.0], &[4.0], &[0.0], &[3.0], &[1.0, 2.0]];
    let program = freeze("[3, 1]", layers, &weights).expect("freezes");
    assert_eq!(program.layers[0].output.range, [interval(8, 23)]);
    assert_eq!(program.layers[1].output.range, [interval(8 * 4, 23 * 12)]);
    assert_eq!(program.trace(&[-8, -8, -8])[1], [96, 96, 32]);
}
