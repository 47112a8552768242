//! Data sets: readers, deterministic splits and scaling.
//!
//! A [`Dataset`] is read from an npz, csv or ARFF file or a folder of idx files, checked as a whole,
//! and known by the SHA-256 of the file's bytes. [`Dataset::prepare`] splits it and standardises the features.
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

mod arff_file;
mod csv_file;
mod error;
mod fingerprint;
mod idx_file;
mod npz_file;
mod prepare;
mod scaling;
mod split;
mod stored;
mod table;
mod values;

pub use error::DatasetError;
pub use fingerprint::{Fingerprint, fingerprint};
pub use prepare::Prepared;
pub use scaling::Scaling;
pub use split::SplitSpec;
pub use stored::StoredError;
pub use table::{Dataset, Table};
pub use values::Values;
