//! Imported networks compute what the real libraries computed.
//!
//! The bound: the libraries work in f32, each sum of `n` products is off by at most about
//! `n * 2^-24` of the sum of their magnitudes, and the largest networks here add 72 products of
//! magnitude up to 4 in each of at most 5 layers: `72 * 4 * 5 * 2^-24 < 1e-4` of the outputs, which
//! are of magnitude 1. Rounding errors lean both ways, so a hundredth of it is left: [`BOUND`]. A
//! kernel or channel in the wrong order is off by about 1.

use bitfront_network::{
    ForwardOptions, ForwardPrecision, NormalisationConstants, forward_with, probabilities,
};
use serde::Deserialize;

use crate::{file, folder, import};

/// Largest difference, in parts of 1 and of the output.
const BOUND: f64 = 1e-6;

/// What the real library answered.
#[derive(Deserialize)]
struct Expected {
    library: String,
    input_shape: Vec<usize>,
    layout: String,
    inputs: Vec<Vec<f32>>,
    outputs: Vec<Vec<f64>>,
}

/// Models with activations that have no float form in a network.
const CURVED: [&str; 2] = ["keras2_curved", "onnx_curved"];

/// `[C, positions...]` as `[positions..., C]`.
fn channels_last(values: &[f32], shape: &[usize]) -> Vec<f32> {
    let channels = shape[0];
    let positions = values.len() / channels;
    let value = |at: usize| values[at % channels * positions + at / channels];
    (0..values.len()).map(value).collect()
}

/// The largest difference from the library's outputs, in parts of 1 and of the output.
fn difference(name: &str) -> f64 {
    let expected: Expected =
        serde_json::from_slice(&file(&format!("{name}.expected.json"))).unwrap();
    let imported = import(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut largest = 0f64;
    for (input, output) in expected.inputs.iter().zip(&expected.outputs) {
        let input = if expected.layout == "channels-first" && expected.input_shape.len() > 1 {
            channels_last(input, &expected.input_shape)
        } else {
            input.clone()
        };
        let options = ForwardOptions {
            precision: ForwardPrecision::F64,
            normalisation: NormalisationConstants::Float,
        };
        let outputs = forward_with(&imported.candidate, &imported.weights, &input, options);
        let ours = probabilities(&imported.candidate, &outputs);
        assert_eq!(ours.len(), output.len(), "{name}");
        for (ours, theirs) in ours.iter().zip(output) {
            largest = largest.max((ours - theirs).abs() / theirs.abs().max(1.0));
        }
    }
    println!(
        "{name}: {largest:.1e} ({}; {})",
        imported.source, expected.library
    );
    largest
}

#[test]
fn every_model_computes_what_its_library_computed() {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".expected.json").map(str::to_owned)
        })
        .filter(|name| !CURVED.contains(&name.as_str()))
        .collect();
    names.sort();
    assert!(names.len() >= 24, "only {names:?}");
    let wrong: Vec<String> = names
        .iter()
        .map(|name| (name, difference(name)))
        .filter(|(_, difference)| difference.is_nan() || *difference > BOUND)
        .map(|(name, difference)| format!("{name}: {difference:e}"))
        .collect();
    assert!(wrong.is_empty(), "beyond {BOUND:e}: {wrong:?}");
}
