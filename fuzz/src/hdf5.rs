//! HDF5 data sets: public jets and plain arrays.

use std::fs;
use std::path::Path;

use bitfront_dataset::{Fingerprint, fingerprint};

use crate::Target;
use crate::csv::read;

/// Bytes of an HDF5 file.
pub const TARGET: Target = Target {
    name: "hdf5",
    run,
    seeds,
};

fn run(bytes: &[u8]) -> bool {
    // Bytes of other kinds have a target of their own.
    fingerprint(bytes) == Fingerprint::Hdf5 && read(bytes)
}

fn seeds() -> Vec<Vec<u8>> {
    [
        "zenodo/train/jetImage_7_100p_0.h5",
        "zenodo/val/jetImage_7_100p_2.h5",
        "cernbox.z",
        "arrays.h5",
    ]
    .map(file)
    .to_vec()
}

/// A file of `testdata/data`.
pub(crate) fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/data");
    fs::read(folder.join(name)).expect("the file is there")
}
