//! Quantizer strings: what parses prints as what parses to the same, and quantizes anything finite.

use std::collections::BTreeSet;

use bitfront_quantizer::{Quantizer, Role};

use crate::Target;

/// Strings of at most a few hundred bytes.
pub const TARGET: Target = Target {
    name: "quantizer",
    run,
    seeds,
};

/// Inputs where rounding, saturation and the edges of f32 are met.
const INPUTS: [f32; 16] = [
    0.0,
    -0.0,
    f32::MIN_POSITIVE,
    -1e-40,
    1e-7,
    0.25,
    -0.5,
    0.75,
    1.0,
    -1.0,
    3.5,
    -7.999_999_5,
    -31.25,
    65_535.5,
    1e9,
    -1e9,
];

fn run(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let quantizer: Quantizer = match text.parse() {
        Ok(quantizer) => quantizer,
        Err(error) => {
            let error = format!("{error}");
            assert!(error.len() < 8192, "an error of {} bytes", error.len());
            return false;
        }
    };
    let printed = quantizer.to_string();
    assert_eq!(printed.parse().as_ref(), Ok(&quantizer), "{printed}");
    let (low, high) = quantizer.true_range();
    assert!(low <= high, "{printed}: {low} to {high}");
    for columns in [1, 4] {
        let mut outputs = INPUTS;
        quantizer.quantize(&INPUTS, columns, &mut outputs);
        assert!(
            outputs.iter().all(|y| !y.is_nan()),
            "{printed}: {outputs:?}"
        );
    }
    for role in [Role::Input, Role::Kernel, Role::Bias, Role::Activation] {
        if quantizer.check_exact(role).is_ok() {
            let codes = quantizer.codes(role, &INPUTS, 1);
            assert!(codes.is_ok(), "{printed}: {:?}", codes.err());
        }
    }
    true
}

/// The strings of the golden cases, each once. The file writes infinities as JSON does not know them:
/// so it is taken as text, whose every second piece between quotes is a string.
fn seeds() -> Vec<Vec<u8>> {
    let golden = include_str!("../../testdata/golden/quantizers.json");
    let strings: BTreeSet<&str> = golden.split('"').skip(1).step_by(2).collect();
    strings
        .into_iter()
        .filter(|text| text.parse::<Quantizer>().is_ok())
        .map(|text| text.as_bytes().to_vec())
        .collect()
}
