//! Which layers and quantizers each export takes: prints the matrix of `docs/circuits.md`.
//!
//! ```text
//! cargo run -p bitfront-export --example export_matrix
//! ```
//!
//! Every row is a small network with the layer or quantizer in it, exported in every format; `yes` where files are written, `-`
//! where the network is refused.

use std::error::Error;

use bitfront_export::{ExportError, Format, Trained, export};
use bitfront_hardware::circuit::{BuildOptions, OutputForm};
use bitfront_network::{Candidate, Weights};
use serde_json::{Value, json};

const FOUR: &str = "quantized_bits(4,0,alpha=1.0)";
const RELU: &str = "quantized_relu(4,1)";

fn layer(name: &str, operation: &Value) -> Value {
    json!({"name": name, "operation": operation})
}

fn dense(name: &str, kernel: &str, fold: &Value) -> Value {
    let operation =
        json!({"kind": "dense", "units": 3, "kernel": kernel, "bias": FOUR, "fold": fold});
    layer(name, &operation)
}

fn activation(quantizer: &str) -> Value {
    layer(
        "act",
        &json!({"kind": "activation", "quantizer": quantizer}),
    )
}

/// A network of features: a layer, an activation, the output.
fn features(first: &Value, act: &str) -> Value {
    json!([first, activation(act), dense("output", FOUR, &Value::Null)])
}

/// A network of an image of 6 x 6 x 2: a layer, an activation, the output.
fn image(first: &Value) -> Value {
    let flat = layer("flat", &json!({"kind": "flatten"}));
    json!([
        first,
        activation(RELU),
        flat,
        dense("output", FOUR, &Value::Null)
    ])
}

fn window(size: usize, stride: usize, padding: &str) -> Value {
    json!({"size": [size, size], "strides": [stride, stride], "dilation": [1, 1], "padding": padding})
}

/// Names with the networks' layers.
fn rows() -> Vec<(String, Value)> {
    let none = Value::Null;
    let fold = json!({"epsilon": 0.001, "momentum": 0.99});
    let mut rows = vec![
        ("dense".into(), features(&dense("fc", FOUR, &none), RELU)),
        (
            "dense with a folded normalisation".into(),
            features(&dense("fc", FOUR, &fold), RELU),
        ),
    ];
    let norm = json!({"kind": "batch_norm", "epsilon": 0.001, "momentum": 0.99, "scale_bits": 3, "offset_bits": 5});
    let mut behind = features(&dense("fc", FOUR, &none), RELU);
    behind.as_array_mut().unwrap().insert(1, layer("bn", &norm));
    rows.push(("batch normalisation".into(), behind));
    let conv = |kind: &str, more: Value| {
        let mut operation = json!({"kind": kind, "window": window(3, 1, "same"), "bias": FOUR});
        let fields = operation.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        image(&layer("conv", &operation))
    };
    rows.push((
        "convolution".into(),
        conv("conv", json!({"filters": 3, "kernel": FOUR, "fold": null})),
    ));
    rows.push((
        "depthwise convolution".into(),
        conv(
            "depthwise_conv",
            json!({"multiplier": 1, "kernel": FOUR, "fold": null}),
        ),
    ));
    rows.push((
        "separable convolution".into(),
        conv(
            "separable_conv",
            json!({"filters": 3, "multiplier": 1, "depthwise_kernel": FOUR, "pointwise_kernel": FOUR}),
        ),
    ));
    for (name, padding, size) in [
        ("max pooling", "valid", 2),
        ("max pooling over a border", "same", 3),
    ] {
        let pool = json!({"kind": "max_pool", "window": window(size, size - 1, padding)});
        rows.push((name.into(), image(&layer("pool", &pool))));
    }
    for (name, padding, size) in [
        ("mean of 4", "valid", 2),
        ("mean of 9", "valid", 3),
        ("mean over a border", "same", 2),
    ] {
        let mean = json!({"kind": "average_pool", "window": window(size, 1, padding), "reciprocal_bits": 8});
        rows.push((name.into(), image(&layer("mean", &mean))));
    }
    let pad = json!({"kind": "zero_padding", "border": [[1, 0], [0, 1]]});
    rows.push(("zero padding".into(), image(&layer("pad", &pad))));
    for kind in ["add", "concatenate"] {
        let joined = json!([
            dense("fc", FOUR, &none), activation(RELU),
            dense("fc2", FOUR, &none), layer("act2", &json!({"kind": "activation", "quantizer": RELU})),
            {"name": "joined", "inputs": ["act", "act2"], "operation": {"kind": kind}},
            dense("output", FOUR, &none)]);
        rows.push((format!("{kind}, of two tensors"), joined));
    }
    for kernel in [
        "quantized_bits(4,0,1,alpha='auto_po2')",
        "quantized_bits(4,0,alpha='auto')",
        "quantized_linear(4,0,alpha=1.0)",
        "ap_fixed<4,1,AP_TRN,AP_SAT>",
        "ternary(alpha=1.0)",
        "binary(alpha=1.0)",
        "quantized_po2(4,1)",
    ] {
        let name = format!("kernel `{kernel}`");
        rows.push((name, features(&dense("fc", kernel, &none), RELU)));
    }
    for act in [
        "quantized_relu(4,1)",
        "quantized_bits(4,1,alpha=1.0)",
        "ap_fixed<4,2,AP_RND_CONV,AP_SAT>",
        "ap_fixed<4,2,AP_TRN,AP_SAT>",
        "ap_fixed<4,2,AP_TRN,AP_WRAP>",
        "ap_fixed<4,2,AP_RND,AP_SAT_SYM>",
        "quantized_relu(3,1,negative_slope=0.25)",
        "binary(alpha=1.0)",
        "ternary(alpha=1.0)",
        "quantized_relu_po2(4,4)",
        "quantized_sigmoid(4)",
        "quantized_tanh(4,use_real_tanh=True)",
    ] {
        let name = format!("activation `{act}`");
        rows.push((name, features(&dense("fc", FOUR, &none), act)));
    }
    rows
}

/// Weights that are neither zero nor alike.
fn weights(candidate: &Candidate) -> Weights {
    let mut state = 7_u32;
    Weights::build(candidate, |tensor| {
        let values = 0..tensor.shape.iter().product::<usize>();
        let noise = values.map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) as f32 / (1 << 23) as f32 - 1.0
        });
        match tensor.part {
            bitfront_network::Part::Variance | bitfront_network::Part::Gamma => {
                noise.map(|value| 1.0 + value / 2.0).collect()
            }
            _ => noise.collect(),
        }
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let names = Format::ALL.map(|format| format!("`{format}`"));
    println!("| a network with | {} |", names.join(" | "));
    println!("|{}", "---|".repeat(1 + names.len()));
    let logits = json!({"kind": "softmax"});
    let tables = json!({"kind": "softmax", "tables": {"address_bits": 6, "address_fraction": 3, "exp_fraction": 8,
        "inverse_fraction": 8, "output_fraction": 8}});
    let all = rows()
        .into_iter()
        .map(|(name, layers)| (name, layers, &logits));
    let first = rows().swap_remove(0).1;
    let by_tables = ("softmax by integer tables".to_owned(), first, &tables);
    for (name, layers, head) in all.chain([by_tables]) {
        let is_image = layers[2]["name"] == "flat";
        let shape = if is_image {
            json!([6, 6, 2])
        } else {
            json!([4])
        };
        let candidate: Candidate = serde_json::from_value(json!({
            "input_shape": shape, "input_quantizer": FOUR, "layers": layers, "head": head}))?;
        let trained = Trained {
            candidate: &candidate,
            weights: &weights(&candidate),
            circuit: BuildOptions {
                output: OutputForm::of(candidate.head),
                ..BuildOptions::default()
            },
        };
        let mut cells = Vec::new();
        for format in Format::ALL {
            cells.push(match export(format, &trained) {
                Ok(_) => "yes",
                Err(ExportError::Refused { .. }) => "-",
                Err(error) => return Err(format!("{name}: {error}").into()),
            });
        }
        println!("| {name} | {} |", cells.join(" | "));
    }
    Ok(())
}
