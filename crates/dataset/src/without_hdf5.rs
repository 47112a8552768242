//! What stands for the HDF5 reader in a program built without it.

use std::path::Path;

use crate::error::DatasetError;
use crate::table::{Dataset, Table};

pub(crate) fn read(_: &[u8], file: &str) -> Result<Dataset, DatasetError> {
    Err(refused(file))
}

pub(crate) fn read_jets_of(path: &Path) -> Result<Table, DatasetError> {
    Err(refused(&path.display().to_string()))
}

fn refused(file: &str) -> DatasetError {
    DatasetError::BuiltWithout {
        file: file.to_owned(),
        found: "an HDF5 file",
        reader: "HDF5",
        feature: "hdf5",
    }
}
