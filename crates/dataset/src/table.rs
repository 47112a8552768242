//! A data set as read: named features, named classes, rows of raw values.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::DatasetError;
use crate::fingerprint::{Fingerprint, fingerprint};
use crate::scaling::Scaling;
use crate::values::Values;
use crate::{arff_file, csv_file, hdf5_file, idx_file, jets_folder, npz_file, parquet_file};

/// Most classes a data set can have: a label is one byte.
pub(crate) const MAX_CLASSES: usize = 256;
/// Most values that can be predicted of a row.
pub const MAX_TARGETS: usize = 256;

/// Rows with their labels: classes, or values to predict.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Number of rows.
    pub rows: usize,
    /// Number of features.
    pub columns: usize,
    /// Features, `rows x columns`, row-major.
    pub x: Values,
    /// Class of each row; empty where rows have values.
    pub y: Vec<u8>,
    /// Values to predict, `rows x targets`, row-major; empty where rows have classes.
    pub values: Vec<f32>,
}

/// A data set as it lies in its file: raw features, not scaled and not split.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Names of the features, in column order.
    pub features: Vec<String>,
    /// Names of the classes, in label order; empty where rows have values.
    pub classes: Vec<String>,
    /// Names of the values to predict, at most [`MAX_TARGETS`]; empty where rows have classes.
    pub targets: Vec<String>,
    /// Rows to train and validate on (all rows where the file has no test rows).
    pub train: Table,
    /// Test rows, where the file has them.
    pub test: Option<Table>,
    /// How [`Dataset::prepare`] scales the features.
    pub scaling: Scaling,
    /// SHA-256 of the file's bytes, lowercase hex.
    pub digest: String,
}

impl Table {
    /// The rows `order`, in that order.
    pub(crate) fn select(&self, order: &[usize]) -> Self {
        let mut x = Vec::with_capacity(order.len() * self.columns);
        for &row in order {
            x.extend_from_slice(self.row(row));
        }
        Self {
            rows: order.len(),
            columns: self.columns,
            x: x.into(),
            y: self.labels_of(order, &self.y),
            values: self.labels_of(order, &self.values),
        }
    }

    /// What each row of `order` has of `labels`, the same number for every row.
    fn labels_of<T: Copy>(&self, order: &[usize], labels: &[T]) -> Vec<T> {
        let each = labels.len() / self.rows.max(1);
        let of = |&row: &usize| labels[row * each..][..each].iter().copied();
        order.iter().flat_map(of).collect()
    }

    /// The features of one row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.x[row * self.columns..(row + 1) * self.columns]
    }
}

impl Dataset {
    /// Reads a file; its format is judged by its bytes, not by its name.
    ///
    /// npz: `x_train`, `y_train`, `x_test`, `y_test`, or `x`, `y` without test rows; optional
    /// `features` and `classes` (strings). csv: a header row; the last column is the label, either
    /// class numbers from 0 (all of them numbers) or names, which are put in alphabetical order; numbers
    /// that are not all whole are values to predict. Labels of npz may be floats, one or several a row,
    /// which are values to predict too, with optional names `targets`.
    /// ARFF: numeric attributes are the features, the one nominal attribute is the label, with the
    /// classes in the order of the header; without one the last attribute is a value to predict. Arrays `x` of more than two axes are images or sequences, the last axis
    /// their channels. HDF5 (feature `hdf5`): the public jet sets as they are published, or arrays named as in npz.
    /// Parquet (feature `parquet`): columns of numbers, and a label: one of texts, or the last, class numbers or values to predict.
    /// A folder of such jet files, or of `train` and `val` with them, is one data set. idx: a folder (or a zip) with the files of MNIST or Fashion-MNIST as they ship.
    ///
    /// # Errors
    /// [`DatasetError`] that names what is wrong and what is accepted.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let path = path.as_ref();
        Self::parse(&Self::bytes(path)?, &path.display().to_string())
    }

    /// The bytes that stand for a path: those of a file; for a folder of idx files, a zip of them; for a
    /// folder of public jet files (HDF5), an npz file of their features. The same files give the same bytes.
    ///
    /// # Errors
    /// [`DatasetError::Io`], and [`DatasetError::Array`] for a folder without
    /// such files.
    pub fn bytes(path: impl AsRef<Path>) -> Result<Vec<u8>, DatasetError> {
        let path = path.as_ref();
        if path.is_dir() {
            return match jets_folder::pack(path)? {
                Some(npz) => Ok(npz),
                None => idx_file::pack(path),
            };
        }
        std::fs::read(path).map_err(|source| DatasetError::Io {
            file: path.display().to_string(),
            source,
        })
    }

    /// Reads a data set from the bytes of a file; `file` is the name that errors give.
    ///
    /// # Errors
    /// As [`Dataset::open`].
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self, DatasetError> {
        let mut dataset = match fingerprint(bytes) {
            Fingerprint::Npz => npz_file::read(bytes, file)?,
            Fingerprint::Csv => csv_file::read(bytes, file)?,
            Fingerprint::Arff => arff_file::read(bytes, file)?,
            Fingerprint::Idx => idx_file::read(bytes, file)?,
            Fingerprint::Hdf5 => hdf5_file::read(bytes, file)?,
            Fingerprint::Parquet => parquet_file::read(bytes, file)?,
            Fingerprint::Other(found) => {
                return Err(DatasetError::Format {
                    file: file.to_owned(),
                    found,
                });
            }
        };
        dataset.check(file)?;
        dataset.digest = hex_digest(bytes);
        Ok(dataset)
    }

    /// What holds for every format: names differ, classes have rows.
    fn check(&self, file: &str) -> Result<(), DatasetError> {
        let mut seen = HashMap::with_capacity(self.features.len());
        for (second, name) in self.features.iter().enumerate() {
            if let Some(first) = seen.insert(name, second) {
                return Err(DatasetError::DuplicateFeature {
                    file: file.to_owned(),
                    name: name.clone(),
                    first,
                    second,
                });
            }
        }
        let names = |problem: String, accepted: &str| DatasetError::Array {
            file: file.to_owned(),
            array: "classes".to_owned(),
            problem,
            accepted: accepted.to_owned(),
        };
        if !self.targets.is_empty() {
            return Ok(());
        }
        if !(2..=MAX_CLASSES).contains(&self.classes.len()) {
            return Err(names(
                format!("{} classes", self.classes.len()),
                "2 to 256 classes",
            ));
        }
        for (second, name) in self.classes.iter().enumerate() {
            if self.classes[..second].contains(name) {
                return Err(names(
                    format!("class {name} appears twice"),
                    "names that differ",
                ));
            }
        }
        for (part, table) in [("train", Some(&self.train)), ("test", self.test.as_ref())] {
            let Some(table) = table else { continue };
            for (class, rows) in counts(&table.y, self.classes.len()).into_iter().enumerate() {
                if rows == 0 {
                    return Err(DatasetError::EmptyClass {
                        table: format!("{file}: {part} rows"),
                        class: self.classes[class].clone(),
                        rows,
                        needed: 1,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Rows of each class.
pub(crate) fn counts(y: &[u8], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for label in y {
        counts[usize::from(*label)] += 1;
    }
    counts
}

fn hex_digest(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
