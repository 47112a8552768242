//! What stands for the Parquet reader in a program built without it.

use crate::error::DatasetError;
use crate::table::Dataset;

pub(crate) fn read(_: &[u8], file: &str) -> Result<Dataset, DatasetError> {
    Err(DatasetError::BuiltWithout {
        file: file.to_owned(),
        found: "a Parquet file",
        reader: "Parquet",
        feature: "parquet",
    })
}
