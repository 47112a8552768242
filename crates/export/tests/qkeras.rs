//! The QKeras export read back by the import computes the same integers, and what QKeras would
//! compute otherwise is refused by layer. (`scripts/check-exports --qkeras` runs QKeras itself.)

use bitfront_export::{ExportError, File, Format, Trained, export};
use bitfront_hardware::circuit::BuildOptions;
use bitfront_network::{Candidate, IntegerProgram, Weights};

const NETWORK: &str = r#"{
    "input_shape": [6, 6, 2], "input_quantizer": "quantized_bits(4,1,alpha=1.0)",
    "layers": [
        {"name": "conv", "operation": {"kind": "conv", "filters": 3,
            "window": {"size": [3, 3], "strides": [1, 1], "dilation": [1, 1], "padding": "same"},
            "kernel": "quantized_bits(4,0,alpha=1.0)", "bias": null, "fold": null}},
        {"name": "bn", "operation": {"kind": "batch_norm", "epsilon": 0.001, "momentum": 0.99,
            "scale_bits": 3, "offset_bits": 5}},
        {"name": "act", "operation": {"kind": "activation", "quantizer": "ACTIVATION"}},
        {"name": "pool", "operation": {"kind": "max_pool",
            "window": {"size": [2, 2], "strides": [2, 2], "dilation": [1, 1], "padding": "valid"}}},
        {"name": "flat", "operation": {"kind": "flatten"}},
        {"name": "output", "operation": {"kind": "dense", "units": 3, "kernel": "ternary(alpha=1.0)",
            "bias": "quantized_bits(5,1,alpha=1.0)", "fold": null}}],
    "head": {"kind": "softmax"}}"#;

fn candidate(activation: &str) -> Candidate {
    serde_json::from_str(&NETWORK.replace("ACTIVATION", activation)).unwrap()
}

/// Numbers from -1 to 1 in no order.
fn next(state: &mut u64) -> f32 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    (*state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

fn weights(candidate: &Candidate) -> Weights {
    let mut state = 7;
    Weights::build(candidate, |tensor| {
        let size = tensor.shape.iter().product();
        let variance = tensor.part == bitfront_network::Part::Variance;
        let value = |x: f32| if variance { 1.0 + x * x } else { x };
        (0..size).map(|_| value(next(&mut state))).collect()
    })
}

fn exported(candidate: &Candidate, weights: &Weights) -> Result<Vec<File>, ExportError> {
    export(
        Format::Qkeras,
        &Trained {
            candidate,
            weights,
            circuit: BuildOptions::default(),
        },
    )
}

#[test]
fn the_import_reads_it_back_to_the_same_integers() {
    let candidate = candidate("quantized_relu(4,1)");
    let weights = weights(&candidate);
    let files = exported(&candidate, &weights).unwrap();
    let names: Vec<_> = files.iter().map(|file| file.name).collect();
    assert_eq!(names, ["network.qkeras.json", "weights.h5", "load.py"]);
    let imported = bitfront_import::read_keras_json(&files[0].bytes, &files[1].bytes).unwrap();
    let own = IntegerProgram::freeze(&candidate, &weights).unwrap();
    let read = IntegerProgram::freeze(&imported.candidate, &imported.weights).unwrap();
    // The normalisation went into the convolution.
    assert_eq!(read.layers.len(), own.layers.len() - 1);
    let mut state = 3;
    let codes: Vec<i32> = (0..200 * own.inputs())
        .map(|_| (next(&mut state) * 8.0).floor().clamp(-8.0, 7.0) as i32)
        .collect();
    let common = own.output_fraction.max(read.output_fraction);
    let logits = |program: &IntegerProgram| -> Vec<i64> {
        let up = common - program.output_fraction;
        let logits = program.logits(&codes);
        logits.into_iter().map(|logit| logit << up).collect()
    };
    assert_eq!(logits(&own), logits(&read));
    assert!(logits(&own).iter().any(|logit| *logit != 0));
}

#[test]
fn trained_weights_are_kept_under_their_own_quantizer() {
    let candidate = candidate("quantized_relu(4,1)");
    let weights = weights(&candidate);
    let files = exported(&candidate, &weights).unwrap();
    let imported = bitfront_import::read_keras_json(&files[0].bytes, &files[1].bytes).unwrap();
    let at = imported.candidate.layers.len() - 1;
    let kernel = bitfront_network::Part::Kernel;
    assert_eq!(imported.weights.part(at, kernel), weights.part(5, kernel));
    let text = String::from_utf8_lossy(&files[0].bytes).into_owned();
    assert!(text.contains("ternary(alpha=1.0)"), "{text}");
}

#[test]
fn what_keras_would_round_is_refused_by_layer() {
    let candidate = candidate("quantized_tanh(4)");
    let weights = weights(&candidate);
    let error = exported(&candidate, &weights).unwrap_err().to_string();
    assert!(error.contains("act has `quantized_tanh(4)`"), "{error}");
    let channels = NETWORK.replace(
        r#""activation", "quantizer": "ACTIVATION""#,
        r#""channel_activation", "quantizers": ["quantized_relu(4,1)", "quantized_relu(3,1)", "quantized_relu(2,1)"]"#,
    );
    let candidate: Candidate = serde_json::from_str(&channels).unwrap();
    let error = exported(&candidate, &weights).unwrap_err().to_string();
    assert!(
        error.contains("act has a quantizer for each channel"),
        "{error}"
    );
    let mut text = NETWORK.replace("ACTIVATION", "quantized_relu(4,1)");
    text = text.replace(
        "quantized_bits(4,1,alpha=1.0)",
        "quantized_bits(4,1,alpha=0.5)",
    );
    let candidate: Candidate = serde_json::from_str(&text).unwrap();
    let error = exported(&candidate, &weights).unwrap_err().to_string();
    assert!(error.contains("input has"), "{error}");
}
