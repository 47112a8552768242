//! Weights files: any bytes against a fixed candidate, and against the candidate they carry.
//!
//! A weights file begins with the length of its header, which a change of the header makes wrong. So
//! each input is also read with the length put right: the header ends with the last `}`.

use bitfront_network::{Candidate, Weights};
use safetensors::SafeTensors;

use crate::Target;
use crate::candidate::EXAMPLES;

/// Bytes of a weights file.
pub const TARGET: Target = Target {
    name: "weights",
    run,
    seeds,
};

fn candidates() -> impl Iterator<Item = Candidate> {
    let read = |json: &&str| serde_json::from_str(json).expect("an example is a candidate");
    EXAMPLES.iter().map(read)
}

fn run(bytes: &[u8]) -> bool {
    let mut read = one(bytes);
    if let Some(put_right) = with_length(bytes) {
        read |= one(&put_right);
    }
    read
}

/// The same bytes with the length of the header that their last brace tells.
fn with_length(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.get(8..)?.iter().rposition(|byte| *byte == b'}')? as u64 + 1;
    let mut bytes = bytes.to_vec();
    bytes[..8].copy_from_slice(&end.to_le_bytes());
    Some(bytes)
}

fn one(bytes: &[u8]) -> bool {
    let mut read = false;
    for candidate in candidates() {
        read |= held_against(&candidate, bytes);
    }
    let carried = SafeTensors::read_metadata(bytes)
        .ok()
        .and_then(|(_, header)| {
            let json = header.metadata().as_ref()?.get("candidate")?.clone();
            serde_json::from_str(&json).ok()
        });
    if let Some(candidate) = carried {
        read |= held_against(&candidate, bytes);
    }
    read
}

fn held_against(candidate: &Candidate, bytes: &[u8]) -> bool {
    // Weights are read for candidates that have been checked.
    if candidate.check_shapes().is_err() {
        return false;
    }
    let Ok(weights) = Weights::from_bytes(candidate, bytes) else {
        return false;
    };
    assert_eq!(weights.shape_fault(candidate), None);
    let again = Weights::from_bytes(candidate, &weights.to_bytes(candidate));
    assert_eq!(again.ok().as_ref(), Some(&weights));
    true
}

fn seeds() -> Vec<Vec<u8>> {
    let bytes = |candidate: Candidate| {
        let weights = Weights::build(&candidate, |spec| {
            let size: usize = spec.shape.iter().product();
            (0..size).map(|n| 0.75 - n as f32 / 4.0).collect()
        });
        weights.to_bytes(&candidate)
    };
    candidates().map(bytes).collect()
}
