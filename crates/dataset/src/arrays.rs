//! A data set from named arrays, whatever container they lie in.
//!
//! `x_train`, `y_train`, `x_test`, `y_test`, or `x`, `y` without test rows; `features` and `classes` are optional.

use crate::error::DatasetError;
use crate::scaling::Scaling;
use crate::table::{Dataset, MAX_CLASSES, Table};

/// What an array of features may be.
pub(crate) const FEATURES: &str = "an array of float32, float64 or integers, rows x features or (images, sequences) rows x \
    ... x channels of at most 4 axes";
/// What an array of labels may be.
pub(crate) const LABELS: &str =
    "a one-dimensional array of integers, one a row (class numbers from 0)";

/// Features (labels still empty), labels, and how the features are scaled.
type Part = (Table, Vec<i64>, Scaling);

/// A container of named arrays.
pub(crate) trait Arrays {
    /// The name that errors give.
    fn file(&self) -> &str;

    /// Whether there is an array of this name.
    fn has(&self, name: &str) -> bool;

    /// Names of the arrays.
    fn list(&self) -> Vec<String>;

    /// Rows x features in row-major order, without labels.
    fn features(&mut self, name: &str) -> Result<(Table, Scaling), DatasetError>;

    /// Class numbers.
    fn labels(&mut self, name: &str) -> Result<Vec<i64>, DatasetError>;

    /// Strings of an optional array; `count` of them unless it is 0.
    fn names(&mut self, name: &str, count: usize) -> Result<Option<Vec<String>>, DatasetError>;
}

/// An error about an array.
pub(crate) fn wrong(
    file: &str,
    array: &str,
    problem: impl Into<String>,
    accepted: &str,
) -> DatasetError {
    DatasetError::Array {
        file: file.to_owned(),
        array: array.to_owned(),
        problem: problem.into(),
        accepted: accepted.to_owned(),
    }
}

/// How the features of an array are scaled: `axes` without the rows, and whether it holds unsigned bytes.
pub(crate) fn scaling(axes: &[u64], bytes: bool) -> Scaling {
    match axes {
        [] | [_] => Scaling::Features,
        _ if bytes => Scaling::Pixels,
        axes => Scaling::Channels(axes[axes.len() - 1] as usize),
    }
}

/// Puts a data set together.
pub(crate) fn read(arrays: &mut impl Arrays) -> Result<Dataset, DatasetError> {
    let file = arrays.file().to_owned();
    let file = file.as_str();
    let (train, test) = if arrays.has("x_train") {
        let train = part(arrays, "x_train", "y_train")?;
        let test = part(arrays, "x_test", "y_test")?;
        if train.0.columns != test.0.columns {
            return Err(wrong(
                file,
                "x_test",
                format!("{} columns", test.0.columns),
                &format!("{} columns, as x_train has", train.0.columns),
            ));
        }
        if train.2 != test.2 {
            let problem = format!("scaled as {:?}", test.2);
            let accepted = format!("axes and type as those of x_train, scaled as {:?}", train.2);
            return Err(wrong(file, "x_test", problem, &accepted));
        }
        (train, Some(test))
    } else if arrays.has("x") {
        (part(arrays, "x", "y")?, None)
    } else {
        let mut names = arrays.list();
        names.truncate(20);
        names.sort_unstable();
        let problem = format!("missing; the file has {}", names.join(", "));
        return Err(wrong(
            file,
            "x_train",
            problem,
            "arrays x_train, y_train, x_test, y_test, or x, y",
        ));
    };
    let (columns, scaling) = (train.0.columns, train.2);
    let features = arrays
        .names("features", columns)?
        .unwrap_or_else(|| (0..columns).map(|column| format!("x{column}")).collect());
    let largest = |labels: &[i64]| labels.iter().copied().max().unwrap_or(0);
    let top = largest(&train.1).max(test.as_ref().map_or(0, |t| largest(&t.1)));
    let classes = match arrays.names("classes", 0)? {
        Some(classes) => classes,
        None => (0..=top.clamp(0, MAX_CLASSES as i64 - 1))
            .map(|c| c.to_string())
            .collect(),
    };
    let names = if test.is_some() {
        ["x_train", "y_train"]
    } else {
        ["x", "y"]
    };
    let train = finish(file, names, train, &features, classes.len())?;
    let test = test
        .map(|test| finish(file, ["x_test", "y_test"], test, &features, classes.len()))
        .transpose()?;
    Ok(Dataset {
        features,
        classes,
        train,
        test,
        scaling,
        digest: String::new(),
    })
}

/// Features (labels still empty) and labels of one part.
fn part(arrays: &mut impl Arrays, x: &str, y: &str) -> Result<Part, DatasetError> {
    let (table, scaling) = arrays.features(x)?;
    let labels = arrays.labels(y)?;
    if labels.len() != table.rows {
        return Err(wrong(
            arrays.file(),
            y,
            format!("{} labels", labels.len()),
            &format!("{}, one a row of {x}", table.rows),
        ));
    }
    Ok((table, labels, scaling))
}

/// Checks values and labels, and puts them together.
fn finish(
    file: &str,
    [x, y]: [&str; 2],
    (mut table, labels, _): Part,
    features: &[String],
    classes: usize,
) -> Result<Table, DatasetError> {
    let value = |array: &str, row: usize, column: &str, value: String, accepted: String| {
        DatasetError::Value {
            file: file.to_owned(),
            array: array.into(),
            place: format!("row {row}").into(),
            column: column.to_owned(),
            value: value.into(),
            accepted: accepted.into(),
        }
    };
    if let Some(at) = table.x.iter().position(|v| !v.is_finite()) {
        let (row, column) = (at / table.columns, at % table.columns);
        let accepted = "finite numbers".to_owned();
        return Err(value(
            x,
            row,
            &features[column],
            table.x[at].to_string(),
            accepted,
        ));
    }
    table.y = labels
        .iter()
        .enumerate()
        .map(|(row, &label)| {
            let class = u8::try_from(label)
                .ok()
                .filter(|c| usize::from(*c) < classes);
            class.ok_or_else(|| {
                let accepted = format!("class numbers 0 to {}", classes.saturating_sub(1));
                value(y, row, "label", label.to_string(), accepted)
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(table)
}
