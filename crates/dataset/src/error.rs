//! What can be wrong with a data set file or a split.

/// Why a data set was refused. Rows are counted from 0 in arrays, lines from 1 in text files.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file could not be read.
    #[error("read {file}: {source}")]
    Io {
        /// Path as given.
        file: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Not a format that can be read here.
    #[error(
        "{file} looks like {found}; accepted are npz (numpy's zip of arrays), csv with a header row, ARFF, HDF5, Parquet and folders of idx files"
    )]
    Format {
        /// Path as given.
        file: String,
        /// What its first bytes say.
        found: &'static str,
    },
    /// A format whose reader this program was built without.
    #[error(
        "{file} is {found}, and this program was built without {reader}: rebuild with --features {feature}, or give npz, csv or \
         ARFF"
    )]
    BuiltWithout {
        /// Path as given.
        file: String,
        /// What its first bytes say.
        found: &'static str,
        /// Name of the format.
        reader: &'static str,
        /// Cargo feature that brings the reader.
        feature: &'static str,
    },
    /// The container is damaged.
    #[error("{file}: {problem}")]
    Damaged {
        /// Path as given.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An array (or the header of a text file) is missing, of another type or of another shape.
    #[error("{file}: array {array}: {problem}; accepted: {accepted}")]
    Array {
        /// Path as given.
        file: String,
        /// Array, or `header`.
        array: String,
        /// What is wrong.
        problem: String,
        /// What would be right.
        accepted: String,
    },
    /// A single value that cannot be used.
    #[error(
        "{file}: {array}, {place}, column {column}: {value} is not accepted; accepted: {accepted}"
    )]
    Value {
        /// Path as given.
        file: String,
        /// Array, or `csv` or `arff`.
        array: Box<str>,
        /// `row 12` of an array, `line 14` of a text file.
        place: Box<str>,
        /// Name of the feature, or `label`.
        column: String,
        /// The value.
        value: Box<str>,
        /// What would be right.
        accepted: Box<str>,
    },
    /// A target that cannot be one.
    #[error("target {name} {problem}; accepted: {accepted}")]
    Target {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
        /// What would be right.
        accepted: String,
    },
    /// Two features of one name.
    #[error(
        "{file}: feature {name} appears twice (columns {first} and {second}); accepted: names that differ"
    )]
    DuplicateFeature {
        /// Path as given.
        file: String,
        /// The name.
        name: String,
        /// First column, from 0.
        first: usize,
        /// Second column, from 0.
        second: usize,
    },
    /// A class without rows.
    #[error("{table}: class {class} has {rows} rows; accepted: at least {needed}")]
    EmptyClass {
        /// File and array, or part of the split.
        table: String,
        /// Name of the class.
        class: String,
        /// Rows it has.
        rows: usize,
        /// Rows it needs.
        needed: usize,
    },
    /// A split whose test rows cannot be those of the file.
    #[error(
        "split.test_rows is scikit_learn, and the file has test rows of its own; accepted: each_class, which keeps those"
    )]
    OwnTestRows,
    /// A field of the split.
    #[error("split.{field} is {value}; accepted: {accepted}")]
    Split {
        /// Field of [`crate::SplitSpec`].
        field: &'static str,
        /// Its value.
        value: f64,
        /// What would be right.
        accepted: &'static str,
    },
}
