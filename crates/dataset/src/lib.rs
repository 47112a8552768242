//! Data sets: readers, deterministic splits and scaling.
//!
//! A [`Dataset`] is read from an npz, csv, ARFF, HDF5 or Parquet file or a folder of idx files or public jet files, checked as a
//! whole, and known by the SHA-256 of the file's bytes. [`Dataset::prepare`] splits it and standardises the features.
//!
//! The rule this room keeps: the same bytes and the same [`SplitSpec`] give the same tables, bit for
//! bit, for ever. Nothing is repaired silently: a value that cannot be used is an error that names the
//! file, the array, the row and the column.
//!
//! ```no_run
//! use bitfront_dataset::{Dataset, SplitSpec};
//! let jets = Dataset::open("testdata/jets/jets_small.npz")?;
//! let prepared = jets.prepare(&SplitSpec::default())?;
//! assert_eq!(prepared.train.columns, 16);
//! # Ok::<(), bitfront_dataset::DatasetError>(())
//! ```

mod aim;
mod arff_file;
mod arrays;
mod csv_file;
mod error;
mod fingerprint;
#[cfg(feature = "hdf5")]
mod hdf5_file;
#[cfg(not(feature = "hdf5"))]
#[path = "without_hdf5.rs"]
mod hdf5_file;
mod idx_file;
#[cfg_attr(
    not(feature = "hdf5"),
    expect(dead_code, reason = "the HDF5 reader's columns")
)]
mod jets;
mod jets_folder;
mod npz_file;
#[cfg(feature = "parquet")]
mod parquet_file;
#[cfg(not(feature = "parquet"))]
#[path = "without_parquet.rs"]
mod parquet_file;
mod prepare;
mod scaling;
mod scikit_learn;
mod split;
mod stored;
mod table;
mod values;

pub use aim::Aim;
pub use error::DatasetError;
pub use fingerprint::{Fingerprint, fingerprint};
pub use prepare::Prepared;
pub use scaling::Scaling;
pub use split::{SplitSpec, TestRows};
pub use stored::StoredError;
pub use table::{Dataset, MAX_TARGETS, Table};
pub use values::Values;
