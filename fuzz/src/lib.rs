//! Fuzz targets: what reads text and bytes that come from outside.
//!
//! A [`Target`] takes any bytes, hands them to a reader of the product, and holds what was read
//! against the laws of that reader. `fuzz/short` and `fuzz/long` drive the targets with libFuzzer;
//! the tests of this crate replay seeds and old crashes without it.
//!
//! The rule this crate keeps: an input is read or refused. A panic, an overflow, a broken law,
//! memory out of proportion to the input ([`memory`]) and seconds spent on an input are faults.

use std::fs;
use std::path::PathBuf;

pub mod arff;
pub mod candidate;
pub mod checkpoint;
pub mod csv;
pub mod h5;
pub mod hdf5;
mod import;
pub mod keras;
pub mod memory;
pub mod npz;
pub mod onnx;
pub mod parquet;
pub mod quantizer;
pub mod search;
pub mod weights;

/// A reader under test.
pub struct Target {
    /// Name: of the program `fuzz-<name>`, of the folders of seeds and of regressions.
    pub name: &'static str,
    /// Reads the input and checks the laws; whether anything was read (not refused).
    pub run: fn(&[u8]) -> bool,
    /// Valid inputs to begin from: each is read.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: [&Target; 13] = [
    &quantizer::TARGET,
    &search::TARGET,
    &npz::TARGET,
    &csv::TARGET,
    &arff::TARGET,
    &hdf5::TARGET,
    &parquet::TARGET,
    &candidate::TARGET,
    &weights::TARGET,
    &checkpoint::TARGET,
    &onnx::TARGET,
    &h5::TARGET,
    &keras::TARGET,
];

/// Writes a target's seeds to the folder that `BITFRONT_FUZZ_SEEDS` names, if it names one.
pub fn write_seeds(target: &Target) {
    let Some(folder) = std::env::var_os("BITFRONT_FUZZ_SEEDS").map(PathBuf::from) else {
        return;
    };
    for (number, seed) in (target.seeds)().into_iter().enumerate() {
        let path = folder.join(format!("seed-{number:03}"));
        fs::write(&path, seed).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// As [`read`], for libFuzzer.
pub fn run(target: &Target, bytes: &[u8]) {
    let _ = read(target, bytes);
}

/// Runs a target on one input within the memory that the input is worth; whether it was read.
pub fn read(target: &Target, bytes: &[u8]) -> bool {
    memory::limited(bytes.len(), || (target.run)(bytes))
}
