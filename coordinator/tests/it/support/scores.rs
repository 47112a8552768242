//! Scores that follow from a candidate alone, as a real worker's do, without training it.

use bitfront_coordinator::artifacts::Digest;
use serde_json::{Value, json};

/// The scores of a candidate: accuracy from 0.5 to 0.9 and 100 to 4,195 LUTs, spread by its digest.
pub(crate) fn scores(candidate: &Value) -> Value {
    let digest = Digest::of(candidate.to_string().as_bytes());
    let part = |range: std::ops::Range<usize>| {
        u64::from_str_radix(&digest.as_str()[range], 16).expect("hex digits")
    };
    scored(
        0.5 + 0.4 * part(0..6) as f64 / 16_777_215.0,
        100 + part(6..9),
    )
}

/// Scores with this accuracy and this many LUTs.
pub(crate) fn scored(accuracy: f64, luts: u64) -> Value {
    json!({
        "accuracy_validation": accuracy,
        "accuracy_test": accuracy,
        "costs": {
            "bits_parameters": 100, "bits_activations": 10, "bits": 110,
            "energy_pj": 1.0, "energy_qtools_0_8_pj": 1.0, "energy_qtools_0_9_pj": 1.0,
            "ebops": 50.0, "lut_estimate": luts, "ff_estimate": luts, "dsp_estimate": 0,
            "cycles": 5, "latency_ns": 25.0, "lut_equivalent": luts,
        },
    })
}
