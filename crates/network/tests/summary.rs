//! Shapes, parameters and multiplications of networks whose numbers are published.

use bitfront_network::{Candidate, Head, Layer, Operation, Padding, Window};
use bitfront_quantizer::Quantizer;

fn float() -> Quantizer {
    "float".parse().expect("accepted")
}

fn window(size: usize, stride: usize, padding: Padding) -> Window {
    Window {
        size: vec![size; 2],
        strides: vec![stride; 2],
        dilation: vec![1; 2],
        padding,
    }
}

fn conv(filters: usize, window: Window, bias: bool) -> Operation {
    Operation::Conv {
        filters,
        window,
        kernel: float(),
        bias: bias.then(float),
        fold: None,
    }
}

fn dense(units: usize) -> Operation {
    Operation::Dense {
        units,
        kernel: float(),
        bias: Some(float()),
        fold: None,
    }
}

fn relu() -> Operation {
    let quantizer = "relu".parse().expect("accepted");
    Operation::Activation { quantizer }
}

fn batch_norm() -> Operation {
    Operation::BatchNorm {
        epsilon: 1e-3,
        momentum: 0.99,
        scale_bits: 1,
        offset_bits: 8,
    }
}

fn network(input_shape: Vec<usize>, operations: Vec<Operation>, head: Head) -> Candidate {
    let layer = |(index, operation)| Layer::new(format!("layer{index}"), operation);
    let candidate = Candidate {
        input_shape,
        input_quantizer: float(),
        layers: operations.into_iter().enumerate().map(layer).collect(),
        head,
        scale_bits: 12,
    };
    assert_eq!(candidate.check(), Ok(()));
    candidate
}

/// The convnet of the Keras examples ("Simple MNIST convnet"): its summary as printed there.
#[test]
fn a_small_convnet_of_the_keras_examples() {
    let valid = Padding::Valid;
    let pool = || Operation::MaxPool {
        window: window(2, 2, valid),
    };
    let candidate = network(
        vec![28, 28, 1],
        vec![
            conv(32, window(3, 1, valid), true),
            relu(),
            pool(),
            conv(64, window(3, 1, valid), true),
            relu(),
            pool(),
            Operation::Flatten,
            Operation::Dropout { rate: 0.5 },
            dense(10),
        ],
        Head::ARG_MAX,
    );
    let summary = candidate.summary();
    let shapes: Vec<&[usize]> = summary.iter().map(|s| s.output_shape.as_slice()).collect();
    let expected: [&[usize]; 9] = [
        &[26, 26, 32],
        &[26, 26, 32],
        &[13, 13, 32],
        &[11, 11, 64],
        &[11, 11, 64],
        &[5, 5, 64],
        &[1600],
        &[1600],
        &[10],
    ];
    assert_eq!(shapes, expected);
    let parameters: Vec<u64> = summary.iter().map(|s| s.parameters).collect();
    assert_eq!(parameters, [320, 0, 0, 18_496, 0, 0, 0, 0, 16_010]);
    assert_eq!(parameters.iter().sum::<u64>(), 34_826);
    let multiplications: Vec<u64> = summary.iter().map(|s| s.multiplications).collect();
    // 26*26*9*32, 11*11*9*32*64, 1600*10.
    assert_eq!(
        multiplications,
        [194_688, 0, 0, 2_230_272, 0, 0, 0, 0, 16_000]
    );
}

/// `MobileNet` 1.0 at 224 pixels: 4,253,864 parameters as Keras prints them, 569 million multiply-adds
/// as its paper has it.
#[test]
fn mobilenet() {
    let mut operations = vec![
        conv(32, window(3, 2, Padding::Same), false),
        batch_norm(),
        relu(),
    ];
    let blocks = [
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        (512, 1),
        (512, 1),
        (512, 1),
        (512, 1),
        (512, 1),
        (1024, 2),
        (1024, 1),
    ];
    for (filters, stride) in blocks {
        operations.extend([
            Operation::DepthwiseConv {
                multiplier: 1,
                window: window(3, stride, Padding::Same),
                kernel: float(),
                bias: None,
                fold: None,
            },
            batch_norm(),
            relu(),
            conv(filters, window(1, 1, Padding::Valid), false),
            batch_norm(),
            relu(),
        ]);
    }
    operations.push(Operation::GlobalAveragePool { reciprocal_bits: 8 });
    operations.push(dense(1000));
    // More classes than a class's byte holds: the outputs are values.
    let candidate = network(vec![224, 224, 3], operations, Head::Linear);
    let summary = candidate.summary();
    assert_eq!(summary.iter().map(|s| s.parameters).sum::<u64>(), 4_253_864);
    let products = summary.iter().filter(|s| s.kind != "batch_norm");
    let products: u64 = products.map(|s| s.multiplications).sum();
    assert_eq!(products, 568_740_352);
    let last = &summary[summary.len() - 3];
    assert_eq!(last.output_shape, [7, 7, 1024]);
}

/// A separable layer: `9 * 8 * 2` depthwise weights, `16 * 12` pointwise ones and 12 biases.
#[test]
fn a_separable_layer_by_hand() {
    let separable = Operation::SeparableConv {
        filters: 12,
        multiplier: 2,
        window: window(3, 2, Padding::Same),
        depthwise_kernel: float(),
        pointwise_kernel: float(),
        bias: Some(float()),
    };
    let operations = vec![separable, Operation::Flatten, dense(2)];
    let candidate = network(vec![9, 7, 8], operations, Head::ARG_MAX);
    let summary = &candidate.summary()[0];
    assert_eq!(summary.output_shape, [5, 4, 12]);
    assert_eq!(summary.parameters, 9 * 8 * 2 + 16 * 12 + 12);
    assert_eq!(summary.multiplications, 5 * 4 * (9 * 8 * 2 + 16 * 12));
}
