//! Micro-batches and random draws of the engine.

use bitfront_network::{Head, Layer, Operation, Padding, Part, SCALE_BITS, Window};

use super::*;
use crate::initial::starting_weights;
use crate::inputs::Inputs;

/// A network of images with a convolution, something random, and a dense layer.
fn candidate() -> Candidate {
    let window = Window {
        size: vec![3, 3],
        strides: vec![1, 1],
        dilation: vec![1, 1],
        padding: Padding::Same,
    };
    let kernel = "quantized_bits(6,1,alpha=1.0)".parse().unwrap();
    let operations = [
        Operation::Conv {
            filters: 3,
            window: window.clone(),
            kernel,
            bias: Some(kernel),
            fold: None,
        },
        Operation::Activation {
            quantizer: "quantized_relu(4,2,use_stochastic_rounding=1)"
                .parse()
                .unwrap(),
        },
        Operation::DepthwiseConv {
            multiplier: 2,
            window,
            kernel: "stochastic_ternary(alpha='auto')".parse().unwrap(),
            bias: None,
            fold: None,
        },
        Operation::Dropout { rate: 0.3 },
        Operation::Flatten,
        Operation::Dense {
            units: 3,
            kernel,
            bias: Some(kernel),
            fold: None,
        },
    ];
    let layers = operations.into_iter().enumerate();
    Candidate {
        input_shape: vec![4, 5, 2],
        input_quantizer: "float".parse().unwrap(),
        layers: layers
            .map(|(at, o)| Layer::new(format!("l{at}"), o))
            .collect(),
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

#[test]
fn micro_batches_change_no_bit() {
    let candidate = candidate();
    let start = starting_weights(&candidate, 1);
    let x: Vec<f32> = (0..50 * 40)
        .map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0)
        .collect();
    let y: Vec<u8> = (0..50).map(|i| i % 3).collect();
    let padded = Buffer::padded(&x, 40);
    let rows = Rows {
        x: Stored::Values(&padded),
        y: Targets::Classes(&y),
        count: 50,
    };
    let order: Vec<u32> = (0..50).rev().collect();
    let gradients = |micro| {
        let mut engine = Engine::new(Kernels::detect(), &candidate, &start, 5, 50);
        assert!(micro <= engine.micro);
        engine.micro = micro;
        engine.quantize(Mode::Train);
        engine.gradients(rows, &order, Mode::Train);
        engine.float_gradients()
    };
    let whole = gradients(50);
    for micro in [1, 3, 16] {
        assert_eq!(gradients(micro), whole, "{micro}");
    }
}

#[test]
fn every_step_draws_anew() {
    let candidate = candidate();
    let start = starting_weights(&candidate, 1);
    let padded = Buffer::padded(&[0.7; 40], 40);
    let rows = Rows {
        x: Stored::Values(&padded),
        y: Targets::Classes(&[1]),
        count: 1,
    };
    let mut engine = Engine::new(Kernels::detect(), &candidate, &start, 5, 1);
    let mut losses = Vec::new();
    for _ in 0..4 {
        engine.quantize(Mode::Train);
        losses.push(engine.gradients(rows, &[0], Mode::Train).loss);
        engine.steps += 1;
    }
    losses.dedup();
    assert_eq!(losses.len(), 4, "{losses:?}");
    engine.quantize(Mode::Evaluate);
    assert_eq!(engine.evaluate(rows), engine.evaluate(rows));
}

/// Layers by turns on and off the paths on codes: which quantizers and heads, and where an activation is read
/// twice.
fn dense(kernel: &str, bias: Option<&str>, activation: &str, twice: bool) -> Candidate {
    let layer = |units| Operation::Dense {
        units,
        kernel: kernel.parse().unwrap(),
        bias: bias.map(|bias| bias.parse().unwrap()),
        fold: None,
    };
    let quantize = || Operation::Activation {
        quantizer: activation.parse().unwrap(),
    };
    let mut layers = vec![
        Layer::new("fc1", layer(50)),
        Layer::new("q1", quantize()),
        Layer::new("fc2", layer(18)),
        Layer::new("q2", quantize()),
        Layer::new("fc3", layer(18)),
        Layer::new("q3", quantize()),
        Layer::new("fc4", layer(3)),
    ];
    if twice {
        let mut sum = Layer::new("sum", Operation::Add);
        sum.inputs = vec!["q2".into(), "q3".into()];
        layers.insert(6, sum);
    }
    Candidate {
        input_shape: vec![7],
        input_quantizer: "quantized_bits(8,2,alpha=1.0)".parse().unwrap(),
        layers,
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

/// Convolutions that read the input as it is stored, and codes whose zero is not the lowest one at the border. With 8, 16
/// and 16 filters the second reads codes alone, and the flatten leaves its values where they lie.
fn images(first: &str, channels: usize, filters: [usize; 3]) -> Candidate {
    let quantizer = || "quantized_bits(6,0,alpha=1.0)".parse().unwrap();
    let conv = |filters, stride, padding| Operation::Conv {
        filters,
        window: Window {
            size: vec![3, 3],
            strides: vec![stride; 2],
            dilation: vec![1; 2],
            padding,
        },
        kernel: quantizer(),
        bias: Some(quantizer()),
        fold: None,
    };
    let quantize = |quantizer: &str| Operation::Activation {
        quantizer: quantizer.parse().unwrap(),
    };
    Candidate {
        input_shape: vec![8, 7, channels],
        input_quantizer: "quantized_bits(8,2,alpha=1.0)".parse().unwrap(),
        layers: vec![
            Layer::new("conv1", conv(filters[0], 1, Padding::Same)),
            Layer::new("q1", quantize(first)),
            Layer::new("conv2", conv(filters[1], 2, Padding::Same)),
            Layer::new("q2", quantize("quantized_relu(6,3)")),
            Layer::new("conv3", conv(filters[2], 1, Padding::Valid)),
            Layer::new("q3", quantize("quantized_relu(6,3)")),
            Layer::new("flat", Operation::Flatten),
            Layer::new(
                "fc",
                Operation::Dense {
                    units: 3,
                    kernel: quantizer(),
                    bias: None,
                    fold: None,
                },
            ),
        ],
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

#[test]
fn work_done_together_changes_no_bit() {
    let w = Some("quantized_bits(6,0,alpha=1.0)");
    let six = "quantized_bits(6,0,alpha=1.0)";
    let relu = "quantized_relu(6)";
    let candidates = [
        (dense(six, w, relu, false), 3, 1),
        (dense(six, w, relu, true), 2, 1),
        (
            dense(six, None, "quantized_bits(8,1,alpha=1.0)", false),
            3,
            0,
        ),
        (
            dense(six, Some("float"), "quantized_relu(4,1)", false),
            0,
            1,
        ),
        (dense("quantized_bits(6,0,alpha=0.3)", w, relu, false), 0, 1),
        (
            dense(
                "quantized_bits(12,2,alpha=1.0)",
                w,
                "quantized_relu(10)",
                true,
            ),
            0,
            0,
        ),
        (dense("ternary()", w, relu, false), 0, 1),
        (candidate(), 0, 0),
        (images("quantized_relu(6)", 1, [9, 17, 3]), 3, 2),
        (images("quantized_bits(8,1,alpha=1.0)", 3, [9, 17, 3]), 3, 2),
        (images("quantized_relu(6)", 1, [8, 16, 16]), 4, 2),
        (
            images("quantized_bits(8,1,alpha=1.0)", 3, [8, 16, 16]),
            4,
            2,
        ),
    ];
    // With large biases few gradients are zero, and none are left out.
    let candidates = candidates.iter().flat_map(|all| [(all, 0.0), (all, 0.9)]);
    for ((candidate, on_codes, without_zeros), bias) in candidates {
        let mut start = starting_weights(candidate, 4);
        for layer in &mut start.layers {
            if let Some(values) = layer.parts.get_mut(&Part::Bias) {
                for value in values {
                    *value += bias;
                }
            }
        }
        let columns: usize = candidate.input_shape.iter().product();
        let x: Vec<f32> = (0..70 * columns)
            .map(|i| (i * 37 % 101) as f32 / 40.0 - 1.25)
            .collect();
        let y: Vec<u8> = (0..70).map(|i| i % 3).collect();
        let inputs = Inputs::of(candidate, &x);
        let mut quantized = vec![0.0; x.len()];
        let quantizer = &candidate.input_quantizer;
        quantizer.quantize(&x, columns, &mut quantized);
        let padded = Buffer::padded(&quantized, columns);
        let rows = |x| Rows {
            x,
            y: Targets::Classes(&y),
            count: 70,
        };
        let order: Vec<u32> = (0..70).rev().collect();
        let run = |mut engine: Engine, x| {
            let rows = rows(x);
            let mut losses = Vec::new();
            for _ in 0..4 {
                engine.quantize(Mode::Train);
                losses.push(engine.gradients(rows, &order, Mode::Train));
                engine.update(0.01).unwrap();
                engine.quantize(Mode::Evaluate);
                losses.push(engine.evaluate(rows));
            }
            (losses, engine.weights())
        };
        let whole = Engine::one_by_one(Kernels::detect(), candidate, &start, 5, 70);
        let together = Engine::new(Kernels::detect(), candidate, &start, 5, 70);
        let reads_codes =
            |node: &&Node| matches!(&node.work, Work::Weighted(w) if w.codes.is_some());
        let found = together.nodes.iter().filter(reads_codes).count();
        assert_eq!(found, *on_codes, "{candidate:?}");
        // The second layer reads rows wide enough to leave out zeros behind it.
        let leaves_out =
            |node: &&Node| matches!(&node.work, Work::Weighted(w) if w.turned.is_some());
        let found = together.nodes.iter().filter(leaves_out).count();
        assert_eq!(found, *without_zeros, "{candidate:?}");
        let alone =
            |node: &&Node| matches!(&node.work, Work::Activation(a) if a.leaves_out_values());
        let found = together.nodes.iter().filter(alone).count();
        assert_eq!(found, if *on_codes == 4 { 2 } else { 0 }, "{candidate:?}");
        let expected = run(whole, Stored::Values(&padded));
        assert_eq!(run(together, inputs.stored()), expected, "{candidate:?}");
    }
}
