//! The fake-quantized pass layer by layer, its precision, its constants and its heads.

#[expect(dead_code, reason = "each test binary uses its part of the generators")]
mod common;

use bitfront_network::{
    Candidate, ForwardOptions, ForwardPrecision, Head, IntegerProgram, Layer, LayerWeights,
    NormalisationConstants, Operation, Padding, Part, Weights, Window, first_beyond_f32, forward,
    forward_precision, forward_trace, forward_with, probabilities,
};
use bitfront_quantizer::Quantizer;
use common::Random;

fn quantizer(text: &str) -> Quantizer {
    text.parse().expect("accepted")
}

fn network(input_shape: Vec<usize>, input: &str, operations: Vec<Operation>) -> Candidate {
    let layer = |(index, operation)| Layer::new(format!("layer{index}"), operation);
    let candidate = Candidate {
        input_shape,
        input_quantizer: quantizer(input),
        layers: operations.into_iter().enumerate().map(layer).collect(),
        head: Head::Linear,
        scale_bits: 12,
    };
    assert_eq!(candidate.check(), Ok(()));
    candidate
}

/// Everything that moves values: zeros, channels side by side, sums, means over all, one axis.
#[test]
fn values_are_moved_by_hand() {
    let named = |name: &str, inputs: &[&str], operation| Layer {
        name: name.into(),
        inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
        operation,
    };
    let mut candidate = network(vec![2, 2], "float", vec![Operation::Flatten]);
    candidate.layers = vec![
        named(
            "zeros",
            &[],
            Operation::ZeroPadding {
                border: vec![[1, 0]],
            },
        ),
        named("twice", &["zeros", "zeros"], Operation::Add),
        named("both", &["twice", "zeros"], Operation::Concatenate),
        named("drop", &[], Operation::Dropout { rate: 0.9 }),
        named(
            "mean",
            &[],
            Operation::GlobalAveragePool { reciprocal_bits: 1 },
        ),
        named("flat", &["both"], Operation::Flatten),
        named("all", &["mean", "flat"], Operation::Concatenate),
    ];
    assert_eq!(candidate.check(), Ok(()));
    let weights = Weights::build(&candidate, |_| Vec::new());
    let rows = [1.0, 2.0, 3.0, 5.0, -1.0, 0.0, 0.5, 1.0];
    let trace = forward_trace(&candidate, &weights, &rows, ForwardPrecision::F64);
    assert_eq!(trace[0][..6], [0.0, 0.0, 1.0, 2.0, 3.0, 5.0]);
    assert_eq!(trace[1][6..], [0.0, 0.0, -2.0, 0.0, 1.0, 2.0]);
    assert_eq!(trace[2][4..8], [2.0, 4.0, 1.0, 2.0]);
    assert_eq!(trace[3], trace[2]);
    let third = |v: f64| v / 3.0;
    assert_eq!(
        trace[4][..4],
        [third(8.0), third(14.0), third(4.0), third(7.0)]
    );
    assert_eq!(trace[5], trace[2]);
    assert_eq!(trace[6][..4], trace[4][..4]);
    assert_eq!(trace[6][4..16], trace[5][..12]);
    assert_eq!(trace[6].len(), 2 * 16);
}

/// Quantized candidates take the mean by their stored reciprocal, float ones by dividing.
#[test]
fn means_are_taken_by_the_stored_reciprocal() {
    let mean = |bits| {
        vec![Operation::GlobalAveragePool {
            reciprocal_bits: bits,
        }]
    };
    let rows = [1.0, 1.0, 1.0];
    let run = |input: &str, bits| {
        let candidate = network(vec![3, 1], input, mean(bits));
        let weights = Weights::build(&candidate, |_| Vec::new());
        forward(&candidate, &weights, &rows, ForwardPrecision::F64)[0]
    };
    assert_eq!(run("float", 2), 1.0);
    // A third with two bits is 3/8, with four 11/32.
    assert_eq!(run("quantized_bits(4,2,alpha=1.0)", 2), 1.125);
    assert_eq!(run("quantized_bits(4,2,alpha=1.0)", 4), 33.0 / 32.0);
}

/// f32 cannot count past 2^24: the pass knows it and takes f64, which is what the integers are.
#[test]
fn sums_beyond_f32_switch_to_f64() {
    // 600 products of 255 * 127 and one of 1 * 1: more than 2^24, and odd.
    let dense = Operation::Dense {
        units: 1,
        kernel: quantizer("quantized_bits(8,7,alpha=1.0)"),
        bias: None,
        fold: None,
    };
    let inputs = 601;
    let candidate = network(
        vec![inputs],
        "quantized_bits(8,8,keep_negative=0,alpha=1.0)",
        vec![dense],
    );
    let mut kernel = vec![127.0; inputs];
    let mut rows = vec![255.0; inputs];
    (kernel[600], rows[600]) = (1.0, 1.0);
    let weights = |kernel: Vec<f32>| Weights {
        layers: vec![LayerWeights {
            parts: [(Part::Kernel, kernel)].into(),
        }],
    };
    let large = weights(kernel.clone());
    assert_eq!(first_beyond_f32(&candidate, &large), Some(0));
    assert_eq!(forward_precision(&candidate, &large), ForwardPrecision::F64);
    let program = IntegerProgram::freeze(&candidate, &large).expect("freezes");
    let integer = program.logits(&program.input_codes(&rows))[0] as f64;
    assert_eq!(integer, 600.0 * 255.0 * 127.0 + 1.0);
    let double = forward(&candidate, &large, &rows, ForwardPrecision::F64)[0];
    let single = forward(&candidate, &large, &rows, ForwardPrecision::F32)[0];
    assert_eq!(double, integer);
    assert_ne!(single, integer, "f32 would have been wrong");
    // The actual weights decide: with smaller ones the same candidate is exact in f32.
    kernel.fill(100.0);
    let small = weights(kernel);
    assert_eq!(first_beyond_f32(&candidate, &small), None);
    assert_eq!(
        forward(&candidate, &small, &rows, ForwardPrecision::F32),
        forward(&candidate, &small, &rows, ForwardPrecision::F64)
    );
}

/// Rows beyond one block give what each gives alone.
#[test]
fn blocks_of_rows_do_not_change_values() {
    let mut random = Random(5);
    let dense = |units: usize| Operation::Dense {
        units,
        kernel: quantizer("quantized_bits(6,0,alpha='auto')"),
        bias: Some(quantizer("quantized_bits(6,0,alpha=1.0)")),
        fold: None,
    };
    let relu = Operation::Activation {
        quantizer: quantizer("quantized_relu(6,0)"),
    };
    let candidate = network(
        vec![16],
        "quantized_bits(8,3,alpha=1.0)",
        vec![dense(900), relu, dense(300)],
    );
    let weights = common::weights(&mut random, &candidate);
    let rows = common::rows(&mut random, &candidate, 300);
    let all = forward(&candidate, &weights, &rows, ForwardPrecision::F32);
    let single: Vec<f64> = rows
        .chunks_exact(16)
        .flat_map(|row| forward(&candidate, &weights, row, ForwardPrecision::F32))
        .collect();
    assert_eq!(all, single);
}

/// What freezing a batch normalisation costs can be seen: the same candidate with real constants.
#[test]
fn float_normalisation_is_an_option() {
    let normalise = Operation::BatchNorm {
        epsilon: 1.0,
        momentum: 0.99,
        scale_bits: 1,
        offset_bits: 2,
    };
    let candidate = network(vec![1], "quantized_bits(8,7,alpha=1.0)", vec![normalise]);
    let weights = Weights::build(&candidate, |spec| match spec.part {
        Part::Gamma => vec![1.4],
        Part::Variance => vec![3.0],
        Part::Mean => vec![2.0],
        _ => vec![0.1],
    });
    let run = |normalisation| {
        let options = ForwardOptions {
            precision: ForwardPrecision::F64,
            normalisation,
        };
        forward_with(&candidate, &weights, &[10.0], options)[0]
    };
    // The factor 0.7 is 0.5 with one bit, and what that leaves of the offset, 0.1 - 2 * 0.5 = -0.9,
    // is -1 with two bits (-0.75 is farther).
    let factor = f64::from(1.4f32) / 2.0;
    let real = 10.0 * factor + (f64::from(0.1f32) - 2.0 * factor);
    assert!((run(NormalisationConstants::Float) - real).abs() < 1e-12);
    assert_eq!(run(NormalisationConstants::Frozen), 10.0 * 0.5 - 1.0);
    let frozen = forward(&candidate, &weights, &[10.0], ForwardPrecision::F64);
    assert_eq!(frozen, [4.0]);
    // A float reference has no frozen constants.
    let mut float = candidate;
    float.input_quantizer = quantizer("float");
    let values = forward(&float, &weights, &[10.0], ForwardPrecision::F64);
    assert!((values[0] - real).abs() < 1e-12);
}

/// A folded normalisation gives what the layer and a normalisation behind it give.
#[test]
fn folding_is_the_normalisation_of_the_sum() {
    let mut random = Random(3);
    let fold = bitfront_network::Fold {
        epsilon: 0.5,
        momentum: 0.99,
    };
    let window = Window {
        size: vec![2, 2],
        strides: vec![1, 1],
        dilation: vec![1, 1],
        padding: Padding::Same,
    };
    let (kernel, bias) = (quantizer("float"), Some(quantizer("float")));
    let layer = |which: usize, fold| match which {
        0 => Operation::Dense {
            units: 4,
            kernel,
            bias,
            fold,
        },
        1 => Operation::Conv {
            filters: 4,
            window: window.clone(),
            kernel,
            bias,
            fold,
        },
        _ => Operation::DepthwiseConv {
            multiplier: 2,
            window: window.clone(),
            kernel,
            bias,
            fold,
        },
    };
    for which in 0..3 {
        let folded = network(vec![3, 3, 2], "float", vec![layer(which, Some(fold))]);
        let normalise = Operation::BatchNorm {
            epsilon: fold.epsilon,
            momentum: fold.momentum,
            scale_bits: 1,
            offset_bits: 1,
        };
        let apart = network(vec![3, 3, 2], "float", vec![layer(which, None), normalise]);
        let weights = common::weights(&mut random, &folded);
        let mut split = Weights::build(&apart, |spec| weights.part(0, spec.part).to_vec());
        assert_eq!(split.shape_fault(&apart), None);
        split.layers.truncate(2);
        let rows = common::rows(&mut random, &folded, 3);
        let rows: Vec<f32> = rows.iter().map(|x| x.clamp(-4.0, 4.0)).collect();
        let one = forward(&folded, &weights, &rows, ForwardPrecision::F64);
        let two = forward(&apart, &split, &rows, ForwardPrecision::F64);
        let largest = two.iter().fold(1.0f64, |most, v| most.max(v.abs()));
        for (one, two) in one.iter().zip(&two) {
            // Folded weights are rounded to f32.
            assert!((one - two).abs() <= largest * 1e-5, "{one} {two}");
        }
    }
}

#[test]
fn heads_make_probabilities() {
    let three = |head| Candidate {
        head,
        ..network(vec![3], "float", vec![Operation::Flatten])
    };
    let outputs = [0.0, 1.0, -1.0, 1000.0, 999.0, -1000.0];
    let soft = probabilities(&three(Head::ARG_MAX), &outputs);
    for row in soft.chunks_exact(3) {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
    assert!((soft[1] / soft[0] - 1f64.exp()).abs() < 1e-12);
    assert!((soft[3] / soft[4] - 1f64.exp()).abs() < 1e-12);
    let logistic = probabilities(&three(Head::Sigmoid), &outputs);
    assert_eq!((logistic[0], logistic[3], logistic[5]), (0.5, 1.0, 0.0));
    assert!((logistic[1] + logistic[2] - 1.0).abs() < 1e-12);
    assert_eq!(probabilities(&three(Head::Linear), &outputs), outputs);
}
