//! Artifacts: download by digest.

pub mod download;
