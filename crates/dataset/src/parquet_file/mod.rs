//! The Parquet reader: plain columns, one value a row.
//!
//! Columns of numbers and truth values are the features. The label is the one column of texts, with its classes in
//! alphabetical order; without such a column it is the last column: integers are class numbers from 0, floats values
//! to predict. An index that pandas keeps (`__index_level_0__`) is no feature.

mod footer;
mod page;
mod thrift;

use self::footer::{Column, Footer, Meaning, Type};
use self::page::{Problem, Texts};
use self::thrift::Fault;
use crate::arrays::wrong;
use crate::error::DatasetError;
use crate::scaling::Scaling;
use crate::table::{Dataset, MAX_CLASSES, Table};

/// The table may be so many times as long as its file, and [`MORE`] beyond it.
const MAX_EXPANSION: u64 = 256;
const MORE: u64 = 4 << 20;

const COLUMNS: &str = "columns of numbers or truth values, and a label: one column of texts, or class numbers or values to predict in the \
    last column";

pub(crate) fn read(bytes: &[u8], file: &str) -> Result<Dataset, DatasetError> {
    let damaged = |problem: &str| DatasetError::Damaged {
        file: file.to_owned(),
        problem: format!("not a Parquet file that can be read: {problem}"),
    };
    let footer = Footer::of(bytes).map_err(damaged)?;
    let columns = Roles::of(&footer.columns, file)?;
    let most = (bytes.len() as u64).saturating_mul(MAX_EXPANSION) + MORE;
    let size = footer
        .rows
        .saturating_mul(4 * columns.features.len() as u64);
    if footer.rows == 0 || size > most {
        let problem = format!(
            "{} rows of {} features in {} bytes",
            footer.rows,
            columns.features.len(),
            bytes.len()
        );
        let accepted = format!("1 row or more, at most {most} bytes as f32");
        return Err(wrong(file, "footer", problem, &accepted));
    }

    let rows = footer.rows as usize;
    let width = columns.features.len();
    let mut x = vec![0.0_f32; rows * width];
    let mut labels = Vec::with_capacity(rows);
    let mut names = Names(Vec::new());
    let mut first = 0;
    for (count, chunks) in &footer.groups {
        let mut read = |at: usize| -> Result<Vec<u64>, DatasetError> {
            let column = &footer.columns[at];
            let kind = (column.kind, column.optional);
            page::values(bytes, &chunks[at], kind, *count, &mut names).map_err(|problem| {
                match problem {
                    Problem::Missing(row) => {
                        let row = first as u64 + row;
                        value_error(file, column, row, "a missing value", "a value in each row")
                    }
                    Problem::Fault(fault) => damaged(&format!("column {}: {fault}", column.name)),
                }
            })
        };
        for (place, at) in columns.features.iter().enumerate() {
            let column = &footer.columns[*at];
            for (bits, row) in read(*at)?.into_iter().zip(first..) {
                x[row * width + place] = finite(file, column, row, bits)?;
            }
        }
        labels.extend(read(columns.label)?);
        first += *count as usize;
    }
    let label = &footer.columns[columns.label];
    let (mut targets, mut values) = (Vec::new(), Vec::new());
    let (classes, y) = match label.kind {
        Type::Bytes => names.classes(&labels),
        Type::Float | Type::Double => {
            targets.push(label.name.clone());
            let value = |(row, bits): (usize, &u64)| finite(file, label, row, *bits);
            values = labels
                .iter()
                .enumerate()
                .map(value)
                .collect::<Result<_, _>>()?;
            (Vec::new(), Vec::new())
        }
        _ => class_numbers(file, label, &labels)?,
    };
    let columns_of = |at: &usize| footer.columns[*at].name.clone();
    Ok(Dataset {
        features: columns.features.iter().map(columns_of).collect(),
        classes,
        targets,
        train: Table {
            rows,
            columns: width,
            x: x.into(),
            y,
            values,
        },
        test: None,
        scaling: Scaling::Features,
        digest: String::new(),
    })
}

/// Which columns are what.
struct Roles {
    features: Vec<usize>,
    label: usize,
}

impl Roles {
    fn of(columns: &[Column], file: &str) -> Result<Self, DatasetError> {
        let used = |column: &Column| !column.name.starts_with("__index_level_");
        let used: Vec<usize> = (0..columns.len())
            .filter(|at| used(&columns[*at]))
            .collect();
        for at in &used {
            let column = &columns[*at];
            let problem = match (column.kind, column.meaning) {
                (Type::Other(kind), _) => format!("physical type {kind}"),
                (_, Meaning::Other) => {
                    "a decimal, a date, a time or another type with a meaning".to_owned()
                }
                (Type::Bytes, Meaning::Plain | Meaning::Unsigned) => {
                    "bytes that are no text".to_owned()
                }
                _ => continue,
            };
            return Err(wrong(file, &column.name, problem, COLUMNS));
        }
        let texts: Vec<usize> = (used.iter().copied())
            .filter(|at| columns[*at].kind == Type::Bytes)
            .collect();
        let label = match (&texts[..], used.last()) {
            ([label], _) => *label,
            ([], Some(last)) => *last,
            ([], None) => return Err(wrong(file, "label", "no column of numbers", COLUMNS)),
            ([first, second, ..], _) => {
                let (first, second) = (&columns[*first].name, &columns[*second].name);
                let problem = format!("columns {first} and {second} both hold texts");
                return Err(wrong(file, "label", problem, COLUMNS));
            }
        };
        let features: Vec<usize> = used.into_iter().filter(|at| *at != label).collect();
        if features.is_empty() {
            return Err(wrong(
                file,
                "footer",
                "no feature beside the label",
                COLUMNS,
            ));
        }
        Ok(Self { features, label })
    }
}

/// A number from its bits, rounded to f32 once.
fn number(column: &Column, bits: u64) -> f32 {
    let unsigned = column.meaning == Meaning::Unsigned;
    match column.kind {
        Type::Float => f32::from_bits(bits as u32),
        Type::Double => f64::from_bits(bits) as f32,
        Type::Int32 if !unsigned => bits as u32 as i32 as f32,
        Type::Int64 if !unsigned => bits as i64 as f32,
        _ => bits as f32,
    }
}

/// A number that is finite.
fn finite(file: &str, column: &Column, row: usize, bits: u64) -> Result<f32, DatasetError> {
    let value = number(column, bits);
    if value.is_finite() {
        return Ok(value);
    }
    let (row, value) = (row as u64, value.to_string());
    Err(value_error(file, column, row, &value, "finite numbers"))
}

/// Class numbers as they stand in the label's column.
fn class_numbers(
    file: &str,
    label: &Column,
    labels: &[u64],
) -> Result<(Vec<String>, Vec<u8>), DatasetError> {
    let class = |(row, bits): (usize, &u64)| {
        u8::try_from(*bits).map_err(|_| {
            let value = match label.kind {
                Type::Int32 => i64::from(*bits as u32 as i32),
                _ => *bits as i64,
            };
            value_error(
                file,
                label,
                row as u64,
                &value.to_string(),
                "class numbers 0 to 255",
            )
        })
    };
    let y: Vec<u8> = labels
        .iter()
        .enumerate()
        .map(class)
        .collect::<Result<_, _>>()?;
    let top = y.iter().copied().max().unwrap_or(0);
    Ok(((0..=top).map(|class| class.to_string()).collect(), y))
}

fn value_error(file: &str, column: &Column, row: u64, value: &str, accepted: &str) -> DatasetError {
    DatasetError::Value {
        file: file.to_owned(),
        array: "parquet".into(),
        place: format!("row {row}").into(),
        column: column.name.clone(),
        value: value.into(),
        accepted: accepted.into(),
    }
}

/// Names of classes in the order in which they were met.
struct Names(Vec<String>);

impl Texts for Names {
    fn number(&mut self, text: &[u8]) -> Result<u64, Fault> {
        let text = str::from_utf8(text).map_err(|_| "a text that is not UTF-8")?;
        let at = self.0.iter().position(|name| name == text);
        let at = at.unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        });
        if at >= MAX_CLASSES {
            return Err("more than 256 different texts; accepted as a label are 256");
        }
        Ok(at as u64)
    }
}

impl Names {
    /// The names that rows have, in alphabetical order, and the class of each row.
    fn classes(&self, labels: &[u64]) -> (Vec<String>, Vec<u8>) {
        let mut used: Vec<usize> = (0..self.0.len())
            .filter(|name| labels.contains(&(*name as u64)))
            .collect();
        used.sort_by_key(|name| &self.0[*name]);
        let mut class_of = vec![0_u8; self.0.len()];
        for (class, name) in used.iter().enumerate() {
            class_of[*name] = class as u8;
        }
        let y = labels.iter().map(|label| class_of[*label as usize]);
        (
            used.iter().map(|name| self.0[*name].clone()).collect(),
            y.collect(),
        )
    }
}
