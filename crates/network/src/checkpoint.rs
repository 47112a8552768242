//! A training run in progress as bytes: tensors, counters, random words and the best epoch so far.
//!
//! The rule this module keeps: one content has one spelling, and a reader accepts no other. Every
//! length is held against the bytes that are left before anything is allocated, names ascend strictly
//! (so none comes twice), flags are 0 or 1, and nothing may follow the end.
//!
//! The file, all numbers little-endian:
//!
//! | field | bytes |
//! |---|---|
//! | magic | `BITFRCKP` |
//! | version | u32, now 1 |
//! | payload length | u64 |
//! | SHA-256 of the payload | 32 |
//! | payload: run | string |
//! | step, epoch | u64, u64 |
//! | best epoch | u8: 0, or 1 and u64 epoch, f64 score |
//! | scalars | u32 count; each: string, f64 |
//! | random | u32 count; each: string, u32 count, u64 words |
//! | tensors | u32 count; each: string, u8 type, u8 dimensions, u64 each dimension, values |
//!
//! A string is a u16 length and UTF-8. Why a layout of its own, when weights are safetensors: that
//! format's reader takes the last of two tensors of one name, its header's spelling is the library's
//! choice of the day, so that equal content need not stay equal bytes, and counters and random words
//! would be JSON within a string within JSON. Trained weights, which others read, stay safetensors.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::checkpoint_bytes::{Reader, Writer};

const MAGIC: [u8; 8] = *b"BITFRCKP";

/// Version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Bytes before the payload.
const HEADER: usize = 8 + 4 + 8 + 32;

/// State of a training run between two steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// What is trained: a digest of candidate, recipe and data of the caller's making, at most
    /// 1,024 bytes. Whoever resumes compares it.
    pub run: String,
    /// Optimiser steps done.
    pub step: u64,
    /// Epochs done.
    pub epoch: u64,
    /// The best epoch so far; its weights, where they are kept, are tensors.
    pub best: Option<BestEpoch>,
    /// Named finite numbers: powers of Adam's decays, learning rate.
    pub scalars: BTreeMap<String, f64>,
    /// State words of named random streams.
    pub random: BTreeMap<String, Vec<u64>>,
    /// Weights, optimiser moments, orders of rows.
    pub tensors: BTreeMap<String, Tensor>,
}

/// The epoch a run would return if it ended now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BestEpoch {
    /// Epochs that were done when it was found.
    pub epoch: u64,
    /// Its score; finite.
    pub score: f64,
}

/// A named array of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Dimensions, at most 8; none for a single value.
    pub shape: Vec<u64>,
    /// Row-major values, as many as the shape's product.
    pub values: TensorValues,
}

/// Values of a [`Tensor`]; floats are finite.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorValues {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit floats.
    F64(Vec<f64>),
    /// 64-bit counters.
    U64(Vec<u64>),
    /// Bytes.
    U8(Vec<u8>),
}

/// Why a checkpoint was refused, or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The bytes are no checkpoint, or not a whole one.
    #[error("not a checkpoint: {0}")]
    Format(String),
    /// Written by another version of the format.
    #[error(
        "checkpoint of format version {found}; this build reads version {VERSION}{}",
        if *found > VERSION { ": it was written by a newer build" } else { "" }
    )]
    Version {
        /// Version in the header.
        found: u32,
    },
    /// The payload is not the one that was written.
    #[error("the checkpoint's payload does not have the SHA-256 digest of its header")]
    Digest,
    /// A part that no checkpoint may have.
    #[error("checkpoint, {place}: {problem}")]
    Content {
        /// ``tensor `fc1.kernel` ``.
        place: String,
        /// What is wrong and what is accepted.
        problem: String,
    },
    /// A file larger than the caller accepts.
    #[error("the checkpoint has {bytes} bytes; accepted are at most {limit}")]
    TooLarge {
        /// Size of the file; at least this many bytes.
        bytes: u64,
        /// The caller's limit.
        limit: u64,
    },
    /// The file system's answer.
    #[error("checkpoint file {path}: {source}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What happened.
        source: std::io::Error,
    },
}

impl Checkpoint {
    /// The file: the same content gives the same bytes.
    ///
    /// # Errors
    /// [`CheckpointError::Content`] for what [`Checkpoint::from_bytes`] would refuse: names that are
    /// empty or too long, floats that are not finite, shapes that do not go with their values.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        let mut payload = Writer::default();
        payload.run(&self.run)?;
        payload.u64(self.step);
        payload.u64(self.epoch);
        payload.flag(self.best.is_some());
        if let Some(best) = self.best {
            payload.u64(best.epoch);
            payload.finite("best epoch", best.score)?;
        }
        payload.count("scalars", self.scalars.len())?;
        for (name, value) in &self.scalars {
            payload.name("scalar", name)?;
            payload.finite(&format!("scalar `{name}`"), *value)?;
        }
        payload.count("random streams", self.random.len())?;
        for (name, words) in &self.random {
            payload.name("random stream", name)?;
            payload.words(name, words)?;
        }
        payload.count("tensors", self.tensors.len())?;
        for (name, tensor) in &self.tensors {
            payload.name("tensor", name)?;
            payload.tensor(name, tensor)?;
        }
        let payload = payload.into_bytes();
        let mut file = Vec::with_capacity(HEADER + payload.len());
        file.extend(MAGIC);
        file.extend(VERSION.to_le_bytes());
        file.extend((payload.len() as u64).to_le_bytes());
        file.extend(Sha256::digest(&payload));
        file.extend(payload);
        Ok(file)
    }

    /// Reads a checkpoint. Memory use is bounded by a small multiple of `bytes`, whatever they hold.
    ///
    /// # Errors
    /// [`CheckpointError`] for any bytes that [`Checkpoint::to_bytes`] does not give.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let mut header = Reader::new(bytes, "header");
        if header.array()? != MAGIC {
            return Err(CheckpointError::Format(
                "it does not start with `BITFRCKP`".into(),
            ));
        }
        let found = u32::from_le_bytes(header.array()?);
        if found != VERSION {
            return Err(CheckpointError::Version { found });
        }
        let length = u64::from_le_bytes(header.array()?);
        let digest: [u8; 32] = header.array()?;
        let payload = header.rest();
        if length != payload.len() as u64 {
            return Err(CheckpointError::Format(format!(
                "its header tells of {length} bytes, {} follow",
                payload.len()
            )));
        }
        if Sha256::digest(payload)[..] != digest {
            return Err(CheckpointError::Digest);
        }
        Self::from_payload(payload)
    }

    fn from_payload(payload: &[u8]) -> Result<Self, CheckpointError> {
        let mut from = Reader::new(payload, "payload");
        let run = from.run()?;
        let (step, epoch) = (from.u64()?, from.u64()?);
        let best = if from.flag("best epoch")? {
            let epoch = from.u64()?;
            let score = from.finite("best epoch")?;
            Some(BestEpoch { epoch, score })
        } else {
            None
        };
        let scalars = from.named("scalar", Reader::finite)?;
        let random = from.named("random stream", Reader::words)?;
        let tensors = from.named("tensor", Reader::tensor)?;
        from.end()?;
        Ok(Self {
            run,
            step,
            epoch,
            best,
            scalars,
            random,
            tensors,
        })
    }
}

impl Tensor {
    /// A vector of 32-bit floats.
    #[must_use]
    pub fn f32s(values: Vec<f32>) -> Self {
        Self {
            shape: vec![values.len() as u64],
            values: TensorValues::F32(values),
        }
    }
}
