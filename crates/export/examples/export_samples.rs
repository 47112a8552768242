//! Writes networks with weights from a seed in every format that takes them, with rows of input
//! codes and integer inference's logits, for `scripts/check-exports`.
//!
//! ```text
//! cargo run -p bitfront-export --example export_samples -- FOLDER
//! ```

#[path = "../../network/tests/common/mod.rs"]
#[allow(dead_code)]
mod common;

use std::error::Error;
use std::path::Path;

use bitfront_export::{ExportError, Format, Trained, export};
use bitfront_hardware::circuit::BuildOptions;
use bitfront_network::{Candidate, IntegerProgram, Weights};
use common::Random;
use serde_json::{Value, json};

/// Rows of the networks that are written by hand, and of random ones.
const ROWS: (usize, usize) = (200, 20);

/// Random networks that are written.
const RANDOM: usize = 120;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    let folder = Path::new(&folder);
    let mut random = Random(6);
    for (name, candidate) in by_hand()? {
        let weights = weights(&mut random, &candidate);
        write(
            &folder.join(name),
            &candidate,
            &weights,
            ROWS.0,
            &mut random,
        )?;
    }
    let mut written = 0;
    while written < RANDOM {
        let candidate = common::graph::candidate(&mut random);
        let weights = common::weights(&mut random, &candidate);
        if IntegerProgram::freeze(&candidate, &weights).is_err() {
            continue;
        }
        let folder = folder.join(format!("random{written}"));
        write(&folder, &candidate, &weights, ROWS.1, &mut random)?;
        written += 1;
    }
    Ok(())
}

/// Weights as training leaves them.
fn weights(random: &mut Random, candidate: &Candidate) -> Weights {
    Weights::build(candidate, |tensor| {
        let size = tensor.shape.iter().product();
        (0..size)
            .map(|_| match tensor.part {
                bitfront_network::Part::Variance => 0.5 + random.unit(),
                bitfront_network::Part::Gamma => 1.0 + 0.3 * random.normal(),
                _ => 0.5 * random.normal(),
            })
            .collect()
    })
}

fn by_hand() -> Result<Vec<(&'static str, Candidate)>, Box<dyn Error>> {
    let dense = |name: &str, units: usize, kernel: &str, bias: &str| {
        json!({"name": name, "operation": {"kind": "dense", "units": units, "kernel": kernel,
            "bias": bias, "fold": null}})
    };
    let relu = |name: &str, quantizer: &str| json!({"name": name, "operation": {"kind": "activation", "quantizer": quantizer}});
    let head = json!({"kind": "softmax"});
    let six = "quantized_bits(6,0,alpha=1.0)";
    let jets = json!({"input_shape": [16], "input_quantizer": "quantized_bits(8,3,alpha=1.0)",
        "layers": [
            dense("fc1", 64, six, six), relu("relu1", "quantized_relu(6,2)"),
            dense("fc2", 32, six, six), relu("relu2", "quantized_relu(6,2)"),
            dense("fc3", 32, six, six), relu("relu3", "quantized_relu(6,2)"),
            dense("output", 5, six, six)], "head": head});
    let mixed = json!({"input_shape": [10], "input_quantizer": "ap_fixed<8,4,AP_RND_CONV,AP_SAT>",
        "layers": [
            dense("fc1", 12, "quantized_bits(5,0,symmetric=1,alpha='auto_po2')", six),
            {"name": "bn1", "operation": {"kind": "batch_norm", "epsilon": 0.001, "momentum": 0.99,
                "scale_bits": 4, "offset_bits": 6}},
            relu("act1", "quantized_bits(5,2,symmetric=1,alpha=1.0)"),
            dense("fc2", 8, "ternary(alpha='auto')", six),
            relu("act2", "ap_fixed<6,3,AP_TRN,AP_SAT>"),
            dense("fc3", 3, "binary(alpha=1.0)", six)], "head": head});
    let window = |size: usize, stride: usize, padding: &str| {
        json!({"size": [size, size], "strides": [stride, stride], "dilation": [1, 1],
            "padding": padding})
    };
    let image = json!({"input_shape": [8, 8, 2], "input_quantizer": "quantized_bits(6,2,alpha=1.0)",
        "layers": [
            {"name": "conv1", "operation": {"kind": "conv", "filters": 4, "window": window(3, 1, "same"),
                "kernel": six, "bias": six, "fold": null}},
            relu("relu1", "quantized_relu(4,1)"),
            {"name": "pool1", "operation": {"kind": "max_pool", "window": window(2, 2, "valid")}},
            {"name": "conv2", "operation": {"kind": "conv", "filters": 3, "window": window(2, 1, "valid"),
                "kernel": six, "bias": six, "fold": null}},
            relu("relu2", "quantized_relu(4,1)"),
            {"name": "flat", "operation": {"kind": "flatten"}},
            dense("output", 4, six, six)], "head": head});
    let layer = |name: &str, operation: Value| json!({"name": name, "operation": operation});
    let bn = json!({"kind": "batch_norm", "epsilon": 0.001, "momentum": 0.99, "scale_bits": 3, "offset_bits": 5});
    let four = "quantized_bits(4,0,alpha=1.0)";
    // What Keras can do to images: every kind of layer that the exports know.
    let layers = json!({"input_shape": [8, 8, 2], "input_quantizer": "quantized_bits(4,1,alpha=1.0)",
        "layers": [
            layer("conv", json!({"kind": "conv", "filters": 4, "window": window(3, 1, "same"),
                "kernel": "quantized_bits(4,0,symmetric=1,alpha='auto_po2')", "bias": null, "fold": null})),
            layer("bn", bn),
            relu("relu1", "quantized_relu(4,1)"),
            layer("depthwise", json!({"kind": "depthwise_conv", "multiplier": 1, "window": window(3, 1, "same"),
                "kernel": "ternary(alpha=1.0)", "bias": four, "fold": null})),
            relu("relu2", "quantized_relu(4,1)"),
            {"name": "sum", "inputs": ["relu1", "relu2"], "operation": {"kind": "add"}},
            layer("separable", json!({"kind": "separable_conv", "filters": 3, "multiplier": 2,
                "window": window(2, 2, "valid"), "depthwise_kernel": four, "pointwise_kernel": "binary(alpha=0.5)",
                "bias": four})),
            relu("act", "ap_fixed<6,3,AP_RND_CONV,AP_SAT_SYM>"),
            layer("mean", json!({"kind": "average_pool", "window": window(2, 2, "valid"), "reciprocal_bits": 8})),
            {"name": "side", "inputs": ["act"], "operation": {"kind": "max_pool", "window": window(2, 2, "valid")}},
            {"name": "both", "inputs": ["mean", "side"], "operation": {"kind": "concatenate"}},
            layer("padded", json!({"kind": "zero_padding", "border": [[1, 0], [0, 1]]})),
            layer("flat", json!({"kind": "flatten"})),
            layer("folded", json!({"kind": "dense", "units": 6, "kernel": four, "bias": six,
                "fold": {"epsilon": 0.001, "momentum": 0.99}})),
            relu("signs", "ternary(alpha=2.0)"),
            layer("inner", json!({"kind": "dense", "units": 5, "kernel": "quantized_bits(3,0,alpha=0.5)",
                "bias": four, "fold": null})),
            relu("scaled", "quantized_bits(4,1,alpha=0.5)"),
            layer("output", json!({"kind": "dense", "units": 3, "kernel": "quantized_po2(3,max_value=1)",
                "bias": six, "fold": null}))], "head": head});
    let read = |value: Value| serde_json::from_value::<Candidate>(value);
    Ok(vec![
        ("jets", read(jets)?),
        ("mixed", read(mixed)?),
        ("image", read(image)?),
        ("layers", read(layers)?),
    ])
}

fn write(
    folder: &Path,
    candidate: &Candidate,
    weights: &Weights,
    rows: usize,
    random: &mut Random,
) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let program = IntegerProgram::freeze(candidate, weights)?;
    let range = program.input.hull();
    let width = (range.hi - range.lo + 1) as usize;
    let codes: Vec<i32> = (0..rows * program.inputs())
        .map(|at| match at / program.inputs() {
            0 => range.lo as i32,
            1 => range.hi as i32,
            _ => (range.lo + random.below(width) as i64) as i32,
        })
        .collect();
    std::fs::write(
        folder.join("candidate.json"),
        serde_json::to_string(candidate)?,
    )?;
    std::fs::write(
        folder.join("weights.safetensors"),
        weights.to_bytes(candidate),
    )?;
    let trained = Trained {
        candidate,
        weights,
        circuit: BuildOptions::default(),
    };
    let mut refused = serde_json::Map::new();
    for format in Format::ALL {
        match export(format, &trained) {
            Ok(files) => {
                for file in files {
                    std::fs::write(folder.join(file.name), file.bytes)?;
                }
            }
            Err(error @ ExportError::Refused { .. }) => {
                refused.insert(format.to_string(), error.to_string().into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    let output = program.layers.last().map_or(&program.input, |l| &l.output);
    let record = json!({
        "input_shape": program.input.shape,
        "input_fraction": program.input.fraction[0],
        "codes": codes.chunks(program.inputs()).collect::<Vec<_>>(),
        "output_shape": output.shape,
        "output_fraction": program.output_fraction,
        "logits": program.logits(&codes).chunks(program.outputs()).collect::<Vec<_>>(),
        "refused": refused,
    });
    std::fs::write(folder.join("expected.json"), record.to_string())?;
    Ok(())
}
