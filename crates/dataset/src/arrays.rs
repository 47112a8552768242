//! A data set from named arrays, whatever container they lie in.
//!
//! `x_train`, `y_train`, `x_test`, `y_test`, or `x`, `y` without test rows; `features`, `classes` and, for labels of
//! floats, `targets` are optional.

use crate::error::DatasetError;
use crate::scaling::Scaling;
use crate::table::{Dataset, MAX_CLASSES, MAX_TARGETS, Table};

/// What an array of features may be.
pub(crate) const FEATURES: &str = "an array of float32, float64 or integers, rows x features or (images, sequences) rows x \
    ... x channels of at most 4 axes";
/// What an array of labels may be.
pub(crate) const LABELS: &str = "a one-dimensional array of integers, one a row (class numbers from 0), or an array of \
    floats, rows or rows x targets (values to predict)";

/// What rows are labelled with.
pub(crate) enum Labels {
    /// Class numbers.
    Classes(Vec<i64>),
    /// Values to predict, `rows x columns`, row-major.
    Values { values: Vec<f32>, columns: usize },
}

impl Labels {
    /// Number of values of a row; 0 of classes.
    fn targets(&self) -> usize {
        match self {
            Self::Classes(_) => 0,
            Self::Values { columns, .. } => *columns,
        }
    }
}

/// Features (labels still empty), labels, and how the features are scaled.
type Part = (Table, Labels, Scaling);

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

    /// Class numbers, or values to predict.
    fn labels(&mut self, name: &str) -> Result<Labels, DatasetError>;

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
        if train.1.targets() != test.1.targets() {
            let of = |labels: &Labels| match labels {
                Labels::Classes(_) => "class numbers".to_owned(),
                Labels::Values { columns, .. } => format!("{columns} floats a row"),
            };
            let accepted = format!("{}, as y_train has", of(&train.1));
            return Err(wrong(file, "y_test", of(&test.1), &accepted));
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
    let largest = |labels: &Labels| match labels {
        Labels::Classes(labels) => labels.iter().copied().max().unwrap_or(0),
        Labels::Values { .. } => 0,
    };
    let top = largest(&train.1).max(test.as_ref().map_or(0, |t| largest(&t.1)));
    let targets = targets(arrays, train.1.targets())?;
    let classes = match arrays.names("classes", 0)? {
        _ if !targets.is_empty() => Vec::new(),
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
    let finished = |names, part| finish(file, names, part, &features, &targets, classes.len());
    let train = finished(names, train)?;
    let test = test
        .map(|test| finished(["x_test", "y_test"], test))
        .transpose()?;
    Ok(Dataset {
        features,
        classes,
        targets,
        train,
        test,
        scaling,
        digest: String::new(),
    })
}

/// Names of `count` values to predict: `y` of one, else `y0`, `y1` and so on, unless the file says otherwise.
fn targets(arrays: &mut impl Arrays, count: usize) -> Result<Vec<String>, DatasetError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if count > MAX_TARGETS {
        let accepted = format!("at most {MAX_TARGETS}");
        let problem = format!("{count} values a row");
        return Err(wrong(arrays.file(), "y", problem, &accepted));
    }
    Ok(match arrays.names("targets", count)? {
        Some(names) => names,
        None if count == 1 => vec!["y".to_owned()],
        None => (0..count).map(|at| format!("y{at}")).collect(),
    })
}

/// Features (labels still empty) and labels of one part.
fn part(arrays: &mut impl Arrays, x: &str, y: &str) -> Result<Part, DatasetError> {
    let (table, scaling) = arrays.features(x)?;
    let labels = arrays.labels(y)?;
    let count = match &labels {
        Labels::Classes(labels) => labels.len(),
        Labels::Values { values, columns } => values.len() / columns,
    };
    if count != table.rows {
        return Err(wrong(
            arrays.file(),
            y,
            format!("{count} labels"),
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
    targets: &[String],
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
    let labels = match labels {
        Labels::Classes(labels) => labels,
        Labels::Values { values, columns } => {
            if let Some(at) = values.iter().position(|v| !v.is_finite()) {
                let (row, target) = (at / columns, &targets[at % columns]);
                let accepted = "finite numbers".to_owned();
                return Err(value(y, row, target, values[at].to_string(), accepted));
            }
            table.values = values;
            return Ok(table);
        }
    };
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
