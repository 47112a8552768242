//! The networks of `QKeras` 0.9.0: quantized weights, every activation and the logits.
//!
//! The file's networks have no input quantizer. Its inputs lie on a grid of sixteenths, so the
//! narrowest `quantized_bits` that is the identity on them stands in for it, and every layer is
//! compared bit for bit; inputs on no such grid fail the test.

use std::path::PathBuf;

use bitfront_network::{
    DenseStack, ForwardPrecision, IntegerProgram, LayerWeights, Part, StackLayer, Weights,
    forward_precision, forward_trace,
};
use bitfront_quantizer::Quantizer;
use serde_json::Value;

fn golden(name: &str) -> Value {
    let folder = std::env::var_os("BITFRONT_GOLDEN").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../testdata/golden"
            ))
        },
        PathBuf::from,
    );
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text.replace("NaN", "null")).expect("golden file is JSON")
}

fn floats(value: &Value) -> Vec<f32> {
    let list = value.as_array().expect("a list of numbers");
    list.iter()
        .map(|v| v.as_f64().expect("a number") as f32)
        .collect()
}

fn quantizer(value: &Value) -> Quantizer {
    let text = value.as_str().expect("a quantizer string");
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

/// A quantizer that leaves every input as it is.
fn input_quantizer(rows: &[f32]) -> Quantizer {
    for bits in 2..=20 {
        for integer in 0..bits {
            let q: Quantizer = format!("quantized_bits({bits},{integer},alpha=1.0)")
                .parse()
                .expect("accepted");
            let mut y = vec![0f32; rows.len()];
            q.quantize(rows, 1, &mut y);
            if y == rows {
                return q;
            }
        }
    }
    panic!("the inputs are on no fixed-point grid of at most 20 bits");
}

#[test]
fn golden_models() {
    let file = golden("models.json");
    let units: Vec<usize> = file["architecture"]
        .as_array()
        .expect("architecture")
        .iter()
        .map(|u| u.as_u64().expect("units") as usize)
        .collect();
    let rows = floats(&file["input"]["values"]);
    let input_quantizer = input_quantizer(&rows);
    println!("inputs are exact as {input_quantizer}");
    let models = file["models"].as_object().expect("models");
    assert!(!models.is_empty(), "the file has no models");
    for (name, model) in models {
        let stored = model["layers"].as_array().expect("layers");
        assert_eq!(stored.len() + 1, units.len(), "{name}: layers");
        let hidden = |index: usize| index + 1 < stored.len();
        let stack = DenseStack {
            inputs: units[0],
            input_quantizer,
            layers: stored
                .iter()
                .enumerate()
                .map(|(index, layer)| StackLayer {
                    name: format!("fc{index}"),
                    inputs: units[index],
                    units: units[index + 1],
                    kernel: quantizer(&layer["kernel_quantizer"]),
                    bias: quantizer(&layer["bias_quantizer"]),
                    activation: hidden(index)
                        .then(|| (format!("relu{index}"), quantizer(&layer["activation"]))),
                })
                .collect(),
            positions: (0..stored.len()).map(|index| 2 * index).collect(),
        };
        let candidate = stack.candidate();
        assert_eq!(candidate.dense_stack().as_ref(), Ok(&stack), "{name}");
        let mut weights = Weights {
            layers: vec![LayerWeights::default(); candidate.layers.len()],
        };
        for (position, stored) in stack.positions.iter().zip(stored) {
            let (kernel, bias) = (floats(&stored["kernel"]), floats(&stored["bias"]));
            weights.layers[*position] = LayerWeights::dense(kernel, bias);
        }
        assert_eq!(candidate.check(), Ok(()), "{name}");
        let program = IntegerProgram::freeze(&candidate, &weights).expect(name);
        let precision = forward_precision(&candidate, &weights);
        assert_eq!(
            precision,
            ForwardPrecision::F32,
            "{name}: small networks are exact in f32"
        );

        for ((layer, position), stored) in stack.layers.iter().zip(&stack.positions).zip(stored) {
            let check = |q: &Quantizer, part: Part, key: &str| {
                let x = weights.part(*position, part);
                let mut y = vec![0f32; x.len()];
                q.quantize(x, layer.units, &mut y);
                assert_eq!(y, floats(&stored[key]), "{name} {} {key}", layer.name);
            };
            check(&layer.kernel, Part::Kernel, "quantized_kernel");
            check(&layer.bias, Part::Bias, "quantized_bias");
        }

        let passes = forward_trace(&candidate, &weights, &rows, precision);
        let codes = program.input_codes(&rows);
        let traces: Vec<Vec<Vec<i64>>> = codes
            .chunks_exact(units[0])
            .map(|row| program.trace(row))
            .collect();
        let mut compared = 0;
        for (index, position) in stack.positions.iter().enumerate() {
            // The original's activations stand behind each hidden layer.
            let (at, expected) = if hidden(index) {
                (position + 1, floats(&stored[index]["activations"]))
            } else {
                (*position, floats(&model["logits"]))
            };
            let layer = &program.layers[at];
            let integers: Vec<f64> = traces
                .iter()
                .flat_map(|t| t[at].iter().zip(&layer.output.fraction))
                .map(|(code, fraction)| *code as f64 * 2f64.powi(-fraction))
                .collect();
            let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
            assert_eq!(
                passes[at], expected,
                "{name} {}: fake-quantized",
                layer.name
            );
            assert_eq!(integers, expected, "{name} {}: integers", layer.name);
            compared += expected.len();
        }
        let step = 2f64.powi(-program.output_fraction);
        let batch = program.logits(&codes).into_iter();
        let batch: Vec<f64> = batch.map(|code| code as f64 * step).collect();
        assert_eq!(Some(&batch), passes.last(), "{name}: batch and row by row");
        println!("{name}: {compared} activations and logits equal, bit for bit");
    }
}
