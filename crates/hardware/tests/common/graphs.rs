//! Frozen candidates of every kind of layer.

use super::Random;
use bitfront_network::{
    Candidate, Fold, Head, IntegerProgram, Layer, Operation, Padding, Part, Weights, Window,
};

fn window(size: &[usize], stride: usize, padding: Padding) -> Window {
    Window {
        size: size.to_vec(),
        strides: vec![stride; size.len()],
        dilation: vec![1; size.len()],
        padding,
    }
}

fn dense(units: usize, kernel: &str) -> Operation {
    Operation::Dense {
        units,
        kernel: kernel.parse().unwrap(),
        bias: Some("quantized_bits(6,1,alpha=1.0)".parse().unwrap()),
        fold: None,
    }
}

fn conv(filters: usize, window: Window, kernel: &str, bias: bool) -> Operation {
    Operation::Conv {
        filters,
        window,
        kernel: kernel.parse().unwrap(),
        bias: bias.then(|| "quantized_bits(6,1,alpha=1.0)".parse().unwrap()),
        fold: None,
    }
}

fn activation(text: &str) -> Operation {
    Operation::Activation {
        quantizer: text.parse().unwrap(),
    }
}

fn channel_activation(texts: &[&str]) -> Operation {
    Operation::ChannelActivation {
        quantizers: texts.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

fn batch_norm(scale_bits: u32, offset_bits: u32) -> Operation {
    Operation::BatchNorm {
        epsilon: 1e-3,
        momentum: 0.99,
        scale_bits,
        offset_bits,
    }
}

fn reading(name: &str, inputs: &[&str], operation: Operation) -> Layer {
    Layer {
        inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
        ..Layer::new(name, operation)
    }
}

fn network(input_shape: &[usize], head: Head, layers: Vec<Layer>) -> Candidate {
    let candidate = Candidate {
        input_shape: input_shape.to_vec(),
        input_quantizer: "quantized_bits(5,1,alpha=1.0)".parse().unwrap(),
        layers,
        head,
        scale_bits: 5,
    };
    candidate.check().unwrap();
    candidate
}

/// Candidates with names.
pub(crate) fn candidates() -> Vec<(&'static str, Candidate)> {
    let bits = "quantized_bits(4,0,alpha=1.0)";
    vec![
        (
            "sequence",
            network(
                &[9, 2],
                Head::ARG_MAX,
                vec![
                    Layer::new("conv1", conv(3, window(&[3], 2, Padding::Same), bits, true)),
                    Layer::new("relu1", activation("quantized_relu(4,1)")),
                    Layer::new(
                        "conv2",
                        Operation::Conv {
                            filters: 3,
                            window: Window {
                                dilation: vec![2],
                                ..window(&[2], 1, Padding::Valid)
                            },
                            kernel: "ternary(alpha=1.0)".parse().unwrap(),
                            bias: None,
                            fold: None,
                        },
                    ),
                    Layer::new("act2", activation("quantized_bits(4,1,alpha=1.0)")),
                    Layer::new("flat", Operation::Flatten),
                    Layer::new("fc", dense(4, "quantized_bits(4,0,alpha='auto')")),
                ],
            ),
        ),
        (
            "image",
            network(
                &[6, 5, 2],
                Head::Linear,
                vec![
                    Layer::new(
                        "pad",
                        Operation::ZeroPadding {
                            border: vec![[1, 0], [0, 2]],
                        },
                    ),
                    Layer::new(
                        "conv1",
                        conv(
                            3,
                            window(&[3, 2], 1, Padding::Valid),
                            "quantized_bits(4,0,alpha='auto_po2')",
                            true,
                        ),
                    ),
                    Layer::new(
                        "pool1",
                        Operation::MaxPool {
                            window: window(&[2, 2], 2, Padding::Same),
                        },
                    ),
                    Layer::new("relu1", activation("quantized_relu(3,1)")),
                    Layer::new(
                        "conv2",
                        conv(2, window(&[2, 2], 1, Padding::Same), bits, false),
                    ),
                    Layer::new("norm2", batch_norm(4, 6)),
                    Layer::new("act2", activation("quantized_bits(4,1,alpha=1.0)")),
                    Layer::new(
                        "pool2",
                        Operation::AveragePool {
                            window: window(&[2, 2], 2, Padding::Same),
                            reciprocal_bits: 6,
                        },
                    ),
                    Layer::new("flat", Operation::Flatten),
                    Layer::new("fc", dense(3, bits)),
                ],
            ),
        ),
        (
            "residual",
            network(
                &[6],
                Head::ARG_MAX,
                vec![
                    Layer::new("fc1", dense(4, bits)),
                    Layer::new("relu1", activation("quantized_relu(4,1)")),
                    Layer::new("fc2", dense(4, "quantized_bits(5,1,alpha=1.0)")),
                    reading("sum", &["relu1", "fc2"], Operation::Add),
                    Layer::new("norm", batch_norm(3, 4)),
                    Layer::new("act", activation("quantized_relu(4,2)")),
                    reading("join", &["act", "relu1", "input"], Operation::Concatenate),
                    reading("twice", &["join", "join"], Operation::Add),
                    Layer::new("shifts", batch_norm(1, 3)),
                    Layer::new("drop", Operation::Dropout { rate: 0.25 }),
                    Layer::new("fc3", dense(3, "binary(alpha='auto')")),
                ],
            ),
        ),
        (
            "depthwise",
            network(
                &[4, 4, 2],
                Head::Sigmoid,
                vec![
                    Layer::new(
                        "depth",
                        Operation::DepthwiseConv {
                            multiplier: 2,
                            window: window(&[2, 3], 1, Padding::Same),
                            kernel: bits.parse().unwrap(),
                            bias: Some("quantized_bits(5,1,alpha=1.0)".parse().unwrap()),
                            fold: Some(Fold {
                                epsilon: 1e-3,
                                momentum: 0.9,
                            }),
                        },
                    ),
                    Layer::new("relu1", activation("quantized_relu(4,1)")),
                    Layer::new(
                        "separable",
                        Operation::SeparableConv {
                            filters: 3,
                            multiplier: 1,
                            window: window(&[2, 2], 1, Padding::Valid),
                            depthwise_kernel: "quantized_bits(4,0,alpha='auto')".parse().unwrap(),
                            pointwise_kernel: "quantized_po2(4,1)".parse().unwrap(),
                            bias: Some("quantized_bits(5,1,alpha=1.0)".parse().unwrap()),
                        },
                    ),
                    Layer::new("act2", activation("quantized_relu_po2(3,2)")),
                    Layer::new("mean", Operation::GlobalAveragePool { reciprocal_bits: 7 }),
                    Layer::new("fc", dense(1, bits)),
                ],
            ),
        ),
        (
            "pools",
            network(
                &[6, 4],
                Head::Linear,
                vec![
                    // Of inputs, and of what an activation made.
                    Layer::new(
                        "pool1",
                        Operation::MaxPool {
                            window: window(&[3], 1, Padding::Valid),
                        },
                    ),
                    Layer::new("fc1", dense(4, "binary(alpha=1.0)")),
                    Layer::new("relu1", activation("quantized_relu(6,3)")),
                    Layer::new(
                        "pool2",
                        Operation::MaxPool {
                            window: window(&[2], 2, Padding::Valid),
                        },
                    ),
                ],
            ),
        ),
        (
            "widths",
            network(
                &[5],
                Head::ARG_MAX,
                vec![
                    // Formats of inputs and of values, channel by channel; one channel is always zero.
                    Layer::new(
                        "inputs",
                        channel_activation(&[
                            "quantized_bits(5,1,alpha=1.0)",
                            "quantized_bits(3,1,alpha=1.0)",
                            "quantized_bits(2,0,alpha=1.0)",
                            "quantized_relu(3,1)",
                            "quantized_bits(7,2,alpha=1.0)",
                        ]),
                    ),
                    Layer::new("fc1", dense(4, bits)),
                    Layer::new(
                        "relu1",
                        channel_activation(&[
                            "quantized_relu(5,2)",
                            "quantized_relu(2,0)",
                            "ap_fixed<4,3,AP_TRN,AP_SAT>",
                            "quantized_relu(1,-6)",
                        ]),
                    ),
                    Layer::new("fc2", dense(3, "quantized_bits(5,1,alpha=1.0)")),
                ],
            ),
        ),
        (
            "channels",
            network(
                &[5, 3],
                Head::Linear,
                vec![
                    // A dense layer at every position, and sums compared as they are.
                    Layer::new("fc1", dense(4, "quantized_bits(4,0,alpha='auto_po2')")),
                    Layer::new(
                        "pool",
                        Operation::MaxPool {
                            window: window(&[2], 1, Padding::Valid),
                        },
                    ),
                    Layer::new("norm", batch_norm(5, 5)),
                ],
            ),
        ),
    ]
}

/// Weights that keep most activations inside their ranges.
pub(crate) fn weights(candidate: &Candidate, seed: u64) -> Weights {
    let mut random = Random(seed);
    Weights::build(candidate, |tensor| {
        let size = tensor.shape.iter().product();
        let mut value = |lo: i64, hi: i64| random.within(lo, hi) as f32 / 1_000.0;
        let of = |part: Part| match part {
            Part::Variance => (300, 2_000),
            Part::Gamma => (-1_500, 1_500),
            _ => (-1_000, 1_000),
        };
        let (lo, hi) = of(tensor.part);
        (0..size).map(|_| value(lo, hi)).collect()
    })
}

/// A frozen candidate by its name.
pub(crate) fn frozen(name: &str, seed: u64) -> IntegerProgram {
    let all = candidates();
    let (_, candidate) = all.iter().find(|(known, _)| *known == name).unwrap();
    IntegerProgram::freeze(candidate, &weights(candidate, seed)).unwrap()
}
