//! The csv reader: a header row, numbers, and the label in the last column: a class, or a value to predict.

use std::collections::BTreeMap;

use crate::error::DatasetError;
use crate::scaling::Scaling;
use crate::table::{Dataset, MAX_CLASSES, Table};

pub(crate) fn read(bytes: &[u8], file: &str) -> Result<Dataset, DatasetError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(bytes);
    let damaged = |e: &csv::Error| DatasetError::Damaged {
        file: file.to_owned(),
        problem: format!("not a regular csv: {e}"),
    };
    let header = |problem: String, accepted: &str| DatasetError::Array {
        file: file.to_owned(),
        array: "header".to_owned(),
        problem,
        accepted: accepted.to_owned(),
    };
    let mut features: Vec<String> = reader
        .headers()
        .map_err(|e| damaged(&e))?
        .iter()
        .map(str::to_owned)
        .collect();
    if features.len() < 2 {
        return Err(header(
            format!("{} columns", features.len()),
            "at least one feature and the label, which comes last",
        ));
    }
    if features.iter().all(|name| name.parse::<f64>().is_ok()) {
        return Err(header(
            "the first row holds only numbers".to_owned(),
            "a first row with the names of the columns",
        ));
    }
    let label = features.pop().unwrap_or_default();
    let columns = features.len();

    let mut x = Vec::new();
    let mut labels: Vec<String> = Vec::new();
    let mut lines: Vec<u64> = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|e| damaged(&e))? {
        let line = record.position().map_or(0, csv::Position::line);
        for (field, feature) in record.iter().zip(&features) {
            let value = field.parse::<f32>().ok().filter(|v| v.is_finite());
            let value =
                value.ok_or_else(|| value_error(file, line, feature, field, "finite numbers"))?;
            x.push(value);
        }
        labels.push(record[columns].to_owned());
        lines.push(line);
    }
    if labels.is_empty() {
        return Err(header("no rows below it".to_owned(), "at least one row"));
    }
    let values = values_of(&labels);
    let targets = values.iter().map(|_| label.clone()).collect();
    let (classes, y) = match values {
        Some(_) => (Vec::new(), Vec::new()),
        None => classes_of(file, &labels, &lines)?,
    };
    let train = Table {
        rows: labels.len(),
        columns,
        x: x.into(),
        y,
        values: values.unwrap_or_default(),
    };
    Ok(Dataset {
        features,
        classes,
        targets,
        train,
        test: None,
        scaling: Scaling::Features,
        digest: String::new(),
    })
}

fn value_error(file: &str, line: u64, column: &str, value: &str, accepted: &str) -> DatasetError {
    DatasetError::Value {
        file: file.to_owned(),
        array: "csv".into(),
        place: format!("line {line}").into(),
        column: column.to_owned(),
        value: format!("{value:?}").into(),
        accepted: accepted.into(),
    }
}

/// Values to predict: labels that are all finite numbers, not all of them whole. Whole numbers are classes.
fn values_of(labels: &[String]) -> Option<Vec<f32>> {
    let number = |label: &String| label.parse().ok().filter(|value: &f32| value.is_finite());
    let values: Option<Vec<f32>> = labels.iter().map(number).collect();
    let whole = labels.iter().all(|label| label.parse::<i64>().is_ok());
    values.filter(|_| !whole)
}

/// Classes and the class of each row: numbers from 0, or names in alphabetical order.
fn classes_of(
    file: &str,
    labels: &[String],
    lines: &[u64],
) -> Result<(Vec<String>, Vec<u8>), DatasetError> {
    if let Some(at) = labels.iter().position(String::is_empty) {
        let accepted = "a class name or number";
        return Err(value_error(file, lines[at], "label", "", accepted));
    }
    let numbers: Option<Vec<i64>> = labels.iter().map(|label| label.parse().ok()).collect();
    if let Some(numbers) = numbers {
        let mut y = Vec::with_capacity(numbers.len());
        for (number, line) in numbers.iter().zip(lines) {
            let accepted = "class numbers 0 to 255";
            let class = u8::try_from(*number)
                .map_err(|_| value_error(file, *line, "label", &number.to_string(), accepted))?;
            y.push(class);
        }
        let top = y.iter().copied().max().unwrap_or(0);
        return Ok(((0..=top).map(|c| c.to_string()).collect(), y));
    }
    let mut names: BTreeMap<&str, u8> = BTreeMap::new();
    for (label, line) in labels.iter().zip(lines) {
        if names.len() == MAX_CLASSES && !names.contains_key(label.as_str()) {
            let accepted = "at most 256 class names (the last column must be the label)";
            return Err(value_error(file, *line, "label", label, accepted));
        }
        names.insert(label, 0);
    }
    for (number, class) in names.values_mut().enumerate() {
        *class = number as u8;
    }
    let y = labels.iter().map(|label| names[label.as_str()]).collect();
    Ok((names.into_keys().map(str::to_owned).collect(), y))
}
