//! Checkpoints: any bytes, and any payload under a header that is right for it.
//!
//! A digest guards the payload, so that a changed payload is refused unread. So each input is also read
//! with length and digest put right.

use std::collections::BTreeMap;

use bitfront_network::{BestEpoch, Checkpoint, Tensor, TensorValues};
use sha2::{Digest as _, Sha256};

use crate::Target;

/// Bytes of a checkpoint file.
pub const TARGET: Target = Target {
    name: "checkpoint",
    run,
    seeds,
};

/// Where the header keeps the length and then the digest of the payload that follows.
const LENGTH: usize = 12;
const DIGEST: usize = 20;
const PAYLOAD: usize = 52;

fn run(bytes: &[u8]) -> bool {
    let mut read = one(bytes);
    if bytes.len() >= PAYLOAD {
        let mut bytes = bytes.to_vec();
        let (header, payload) = bytes.split_at_mut(PAYLOAD);
        header[LENGTH..DIGEST].copy_from_slice(&(payload.len() as u64).to_le_bytes());
        header[DIGEST..].copy_from_slice(&Sha256::digest(payload));
        read |= one(&bytes);
    }
    read
}

fn one(bytes: &[u8]) -> bool {
    let Ok(checkpoint) = Checkpoint::from_bytes(bytes) else {
        return false;
    };
    // One content has one spelling.
    let again = checkpoint.to_bytes();
    assert_eq!(again.ok().as_deref(), Some(bytes));
    true
}

fn seeds() -> Vec<Vec<u8>> {
    let tensor = |shape: &[u64], values| Tensor {
        shape: shape.to_vec(),
        values,
    };
    let tensors = [
        (
            "fc1.kernel",
            tensor(&[2, 1], TensorValues::F32(vec![0.5, -1.0])),
        ),
        (
            "fc1.moment",
            tensor(&[1, 2], TensorValues::F64(vec![0.25, 1e-9])),
        ),
        ("order", tensor(&[3], TensorValues::U64(vec![2, 0, 1]))),
        ("text", tensor(&[], TensorValues::U8(vec![7]))),
    ];
    let full = Checkpoint {
        run: "0123456789abcdef".into(),
        step: 12,
        epoch: 3,
        best: Some(BestEpoch {
            epoch: 2,
            score: 0.75,
        }),
        scalars: BTreeMap::from([("beta1".into(), 0.9), ("rate".into(), 0.01)]),
        random: BTreeMap::from([("shuffle".into(), vec![1, u64::MAX])]),
        tensors: tensors.map(|(name, tensor)| (name.into(), tensor)).into(),
    };
    let bytes = |checkpoint: &Checkpoint| checkpoint.to_bytes().expect("a sound checkpoint");
    vec![bytes(&Checkpoint::default()), bytes(&full)]
}
