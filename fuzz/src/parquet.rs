//! Parquet data sets: a table of plain columns.

use bitfront_dataset::{Fingerprint, fingerprint};

use crate::Target;
use crate::csv::read;
use crate::hdf5::file;

/// Bytes of a Parquet file.
pub const TARGET: Target = Target {
    name: "parquet",
    run,
    seeds,
};

fn run(bytes: &[u8]) -> bool {
    // Bytes of other kinds have a target of their own.
    fingerprint(bytes) == Fingerprint::Parquet && read(bytes)
}

fn seeds() -> Vec<Vec<u8>> {
    let names = ["gzip", "plain", "groups", "split"];
    let few = names.map(|name| file(&format!("parquet/{name}.parquet")));
    [few.to_vec(), vec![file("openml.parquet")]].concat()
}
