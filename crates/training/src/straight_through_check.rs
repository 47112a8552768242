//! Gradients through quantizers against a plain loop in f64, family by family.

use bitfront_kernel::{Buffer, Kernels};
use bitfront_network::{DenseStack, Part, StackLayer};
use bitfront_quantizer::Quantizer;

use crate::engine::{Engine, Rows};
use crate::extent::Mode;
use crate::initial::starting_weights;
use crate::inputs::Stored;
use crate::random::{Purpose, stream, uniform};
use crate::train::Targets;

/// Kernel and bias of each layer.
type Tensors = Vec<[Vec<f64>; 2]>;

fn stack(kernel: &str, bias: &str, activation: &str) -> DenseStack {
    let layer = |name: &str, inputs, units, last: bool| StackLayer {
        name: name.to_owned(),
        inputs,
        units,
        kernel: kernel.parse().unwrap(),
        bias: bias.parse().unwrap(),
        activation: (!last).then(|| (format!("{name}_out"), activation.parse().unwrap())),
    };
    DenseStack {
        inputs: 3,
        input_quantizer: "float".parse().unwrap(),
        layers: vec![
            layer("fc1", 3, 17, false),
            layer("fc2", 17, 6, false),
            layer("fc3", 6, 4, true),
        ],
        positions: vec![0, 2, 4],
    }
}

/// 150 rows: two whole micro-batches and a part.
fn rows() -> (Vec<f32>, Vec<u8>) {
    let mut words = stream(5, Purpose::Initial, 9);
    let x = (0..450).map(|_| uniform(&mut words, 2.0)).collect();
    let y = (0..150_u32)
        .map(|row| ((row * 7 + row / 5) % 4) as u8)
        .collect();
    (x, y)
}

/// Values of a quantizer in f64, rounded through f32 as the engine's are.
fn quantized(q: &Quantizer, x: &[f64], columns: usize) -> Vec<f64> {
    let x: Vec<f32> = x.iter().map(|v| *v as f32).collect();
    let mut y = vec![0.0; x.len()];
    q.quantize(&x, columns, &mut y);
    y.into_iter().map(f64::from).collect()
}

fn slope(q: &Quantizer, x: &[f64], columns: usize) -> Vec<f64> {
    let x: Vec<f32> = x.iter().map(|v| *v as f32).collect();
    let mut g = vec![1.0; x.len()];
    q.straight_through(&x, columns, &mut g);
    g.into_iter().map(f64::from).collect()
}

/// Mean loss and the gradients by kernel and bias of each layer, row by row in f64.
fn plain(candidate: &DenseStack, parameters: &Tensors, x: &[f32], y: &[u8]) -> (f64, Tensors) {
    let count = y.len() as f64;
    let mut loss = 0.0;
    let mut total: Tensors = parameters
        .iter()
        .map(|[w, b]| [vec![0.0; w.len()], vec![0.0; b.len()]])
        .collect();
    let quantized_parameters: Tensors = (candidate.layers.iter().zip(parameters))
        .map(|(layer, [w, b])| {
            [
                quantized(&layer.kernel, w, layer.units),
                quantized(&layer.bias, b, layer.units),
            ]
        })
        .collect();
    for (row, label) in x.chunks(candidate.inputs).zip(y) {
        let mut inputs = vec![row.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>()];
        let mut sums = Vec::new();
        for (layer, [w, b]) in candidate.layers.iter().zip(&quantized_parameters) {
            let input = &inputs[inputs.len() - 1];
            let sum: Vec<f64> = (0..layer.units)
                .map(|j| {
                    b[j] + input
                        .iter()
                        .enumerate()
                        .map(|(i, v)| v * w[i * layer.units + j])
                        .sum::<f64>()
                })
                .collect();
            let output = match &layer.activation {
                Some((_, q)) => quantized(q, &sum, layer.units),
                None => sum.clone(),
            };
            sums.push(sum);
            inputs.push(output);
        }
        let logits = &inputs[inputs.len() - 1];
        let powers: Vec<f64> = logits.iter().map(|z| z.exp()).collect();
        let norm: f64 = powers.iter().sum();
        loss += (norm.ln() - logits[usize::from(*label)]) / count;
        let mut gradient: Vec<f64> = powers.iter().map(|p| p / norm / count).collect();
        gradient[usize::from(*label)] -= 1.0 / count;
        for (index, layer) in candidate.layers.iter().enumerate().rev() {
            if let Some((_, q)) = &layer.activation {
                let slope = slope(q, &sums[index], layer.units);
                gradient.iter_mut().zip(slope).for_each(|(g, s)| *g *= s);
            }
            let input = &inputs[index];
            for (j, g) in gradient.iter().enumerate() {
                total[index][1][j] += g;
                for (i, v) in input.iter().enumerate() {
                    total[index][0][i * layer.units + j] += v * g;
                }
            }
            let w = &quantized_parameters[index][0];
            gradient = (0..input.len())
                .map(|i| {
                    gradient
                        .iter()
                        .enumerate()
                        .map(|(j, g)| g * w[i * layer.units + j])
                        .sum()
                })
                .collect();
        }
    }
    for ((layer, [w, b]), [gw, gb]) in candidate.layers.iter().zip(parameters).zip(&mut total) {
        for (q, x, g) in [(&layer.kernel, w, gw), (&layer.bias, b, gb)] {
            let slope = slope(q, x, layer.units);
            g.iter_mut().zip(slope).for_each(|(g, s)| *g *= s);
        }
    }
    (loss, total)
}

/// Parameters, loss and gradients of the engine.
fn engine(stack: &DenseStack) -> (Tensors, f64, Tensors) {
    let (x, y) = rows();
    let padded = Buffer::padded(&x, 3);
    let candidate = stack.candidate();
    let start = starting_weights(&candidate, 11);
    let mut engine = Engine::new(Kernels::detect(), &candidate, &start, 11, 150);
    engine.quantize(Mode::Train);
    let order: Vec<u32> = (0..150).collect();
    let rows = Rows {
        x: Stored::Values(&padded),
        y: Targets::Classes(&y),
        count: 150,
    };
    let loss = engine.gradients(rows, &order, Mode::Train);
    let gradients = engine.float_gradients();
    let wide = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    let tensors = |weights: &bitfront_network::Weights| {
        let layers = stack.positions.iter().map(|at| &weights.layers[*at]);
        layers
            .map(|l| [Part::Kernel, Part::Bias].map(|part| wide(l.part(part))))
            .collect()
    };
    (tensors(&start), loss.loss / 150.0, tensors(&gradients))
}

fn assert_close(a: &Tensors, b: &Tensors, tolerance: f64, name: &str) {
    let mut seen = 0.0_f64;
    for (layer, (a, b)) in a.iter().zip(b).enumerate() {
        for part in 0..2 {
            for (i, (a, b)) in a[part].iter().zip(&b[part]).enumerate() {
                assert!(
                    (a - b).abs() < tolerance,
                    "{name}: layer {layer}, part {part}, {i}: {a} {b}"
                );
                seen = seen.max(a.abs());
            }
        }
    }
    assert!(seen > 0.01, "{name}: all gradients are tiny");
}

#[test]
fn gradients_go_straight_through_as_each_family_says() {
    let families = [
        (
            "quantized_bits(6,1,alpha=1.0)",
            "quantized_bits(6,1,alpha=1.0)",
            "quantized_relu(6)",
        ),
        (
            "quantized_bits(4,0,1,alpha='auto_po2')",
            "quantized_bits(8,3,alpha=1.0)",
            "quantized_bits(5,1,alpha=1.0)",
        ),
        ("ternary()", "quantized_po2(4)", "quantized_relu(4,2)"),
        (
            "ternary(alpha='auto_po2')",
            "binary()",
            "quantized_relu(8,0,negative_slope=0.25)",
        ),
        ("binary(alpha=0.5)", "float", "binary()"),
        (
            "float",
            "quantized_bits(6,0,alpha=1.0)",
            "quantized_relu_po2(4,2)",
        ),
    ];
    for (kernel, bias, activation) in families {
        let candidate = stack(kernel, bias, activation);
        let (parameters, loss, gradients) = engine(&candidate);
        let (x, y) = rows();
        let (expected, plain) = plain(&candidate, &parameters, &x, &y);
        assert!(
            (loss - expected).abs() < 1e-6 * (1.0 + expected),
            "{kernel}: {loss} {expected}"
        );
        assert_close(&gradients, &plain, 2e-5, kernel);
    }
}
