//! Keras models as zip files, and as a model's JSON with its weights.
//!
//! A zip keeps checksums. So an input that is no zip is taken as two bytes with the length of the
//! JSON, the JSON, and a file of weights.

use crate::Target;
use crate::import::{is_sound, models};

/// Bytes of a `.keras` file, or JSON and weights.
pub const TARGET: Target = Target {
    name: "keras",
    run,
    seeds,
};

fn run(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"PK") {
        return is_sound(bitfront_import::read_keras_zip(bytes));
    }
    let [low, high, rest @ ..] = bytes else {
        return false;
    };
    let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (json, weights) = rest.split_at(length);
    is_sound(bitfront_import::read_keras_json(json, weights))
}

fn seeds() -> Vec<Vec<u8>> {
    let zips = models(".keras").into_iter().map(|(_, bytes)| bytes);
    let pairs = models(".weights.h5").into_iter().map(|(name, weights)| {
        let json = models(".json")
            .into_iter()
            .find(|(other, _)| *other == name);
        let (_, json) = json.expect("weights have their model's JSON beside them");
        let length = u16::try_from(json.len()).expect("a small model");
        let mut seed = length.to_le_bytes().to_vec();
        seed.extend(json);
        seed.extend(weights);
        seed
    });
    zips.chain(pairs).collect()
}
