//! The ARFF reader: a header with typed attributes, then rows of values.
//!
//! The numeric attributes are the features and the one nominal attribute is the label, wherever it
//! stands; classes keep the order in which the header lists them. Without a nominal attribute the last
//! one is a value to predict.
//!
//! The rule this module keeps: a value's place is its line and its attribute's name, and no value is
//! guessed: an unknown one (`?`), a sparse row and an instance weight are errors.

use std::borrow::Cow;

use crate::error::DatasetError;
use crate::scaling::Scaling;
use crate::table::{Dataset, MAX_CLASSES, Table};

/// Longest part of a value that an error repeats, in characters.
const SHOWN: usize = 60;

const ATTRIBUTES: &str = "attributes of the types numeric, real and integer, and a label: one nominal attribute, or else the last one, a value to predict";

/// What the header says.
#[derive(Default)]
struct Header {
    /// Names of all attributes, in column order.
    names: Vec<String>,
    /// Column of the label and its classes.
    label: Option<(usize, Vec<String>)>,
}

pub(crate) fn read(bytes: &[u8], file: &str) -> Result<Dataset, DatasetError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = bytes
        .split(|byte| *byte == b'\n')
        .zip(1_u64..)
        .map(|(line, number)| (line.trim_ascii(), number))
        .filter(|(line, _)| !line.is_empty() && line[0] != b'%')
        .map(|(line, number)| match str::from_utf8(line) {
            Ok(line) => Ok((line, number)),
            Err(_) => Err(damaged(file, number, "not UTF-8")),
        });
    let (mut names, at, classes) = read_header(&mut lines, file)?;
    let attributes = names.len();
    let are_values = classes.is_empty();

    let mut table = Table {
        columns: attributes - 1,
        ..Table::default()
    };
    let mut x = Vec::new();
    for line in lines {
        let (line, number) = line?;
        if line.starts_with('{') {
            let problem = "a sparse row (in braces); accepted: a value for each attribute";
            return Err(damaged(file, number, problem));
        }
        let mut columns = 0;
        for (column, field) in Fields::of(line).enumerate() {
            let field = field.map_err(|problem| damaged(file, number, problem))?;
            columns = column + 1;
            let Some(name) = names.get(column) else {
                break;
            };
            if column == at && !are_values {
                let class = classes.iter().position(|class| *class == field);
                let class = class.and_then(|class| u8::try_from(class).ok());
                table.y.push(class.ok_or_else(|| {
                    let accepted = "a class that the header lists";
                    value_error(file, number, name, &field, accepted)
                })?);
            } else {
                let value = field.parse::<f32>().ok().filter(|v| v.is_finite());
                let value = value
                    .ok_or_else(|| value_error(file, number, name, &field, "finite numbers"))?;
                let to = if column == at {
                    &mut table.values
                } else {
                    &mut x
                };
                to.push(value);
            }
        }
        if columns != attributes {
            let count = if columns > attributes {
                "more"
            } else {
                "fewer"
            };
            let problem = format!("{count} values than the {attributes} attributes of the header");
            return Err(damaged(file, number, &problem));
        }
    }
    table.x = x.into();
    table.rows = table.y.len() + table.values.len();
    if table.rows == 0 {
        let accepted = "at least one row";
        return Err(header(file, "no rows below @data".to_owned(), accepted));
    }
    let label = names.remove(at);
    Ok(Dataset {
        features: names,
        classes,
        targets: if are_values { vec![label] } else { Vec::new() },
        train: table,
        test: None,
        scaling: Scaling::Features,
        digest: String::new(),
    })
}

/// Reads up to `@data`: names of the attributes, column of the label, classes; none where the label is a value.
fn read_header<'a>(
    lines: &mut impl Iterator<Item = Result<(&'a str, u64), DatasetError>>,
    file: &str,
) -> Result<(Vec<String>, usize, Vec<String>), DatasetError> {
    let mut found = Header::default();
    loop {
        let Some(line) = lines.next() else {
            let problem = "no line @data".to_owned();
            return Err(header(file, problem, "@data below the attributes"));
        };
        let (line, number) = line?;
        let end = line.find(char::is_whitespace).unwrap_or(line.len());
        let (word, rest) = line.split_at(end);
        match word.to_ascii_lowercase().as_str() {
            "@relation" => {}
            "@attribute" => found.attribute(rest.trim_start(), file, number)?,
            "@data" => break,
            _ => {
                let problem = format!("line {number}: {}", shown(line));
                return Err(header(file, problem, "@relation, @attribute and @data"));
            }
        }
    }
    let count = found.names.len();
    match found.label {
        Some((at, classes)) if count > 1 => Ok((found.names, at, classes)),
        Some(_) => Err(header(file, "no numeric attribute".to_owned(), ATTRIBUTES)),
        None if count > 1 => Ok((found.names, count - 1, Vec::new())),
        None => {
            let problem = format!("{count} attributes, none of them nominal");
            Err(header(file, problem, ATTRIBUTES))
        }
    }
}

impl Header {
    /// Takes the attribute `text`: a name and a type.
    fn attribute(&mut self, text: &str, file: &str, line: u64) -> Result<(), DatasetError> {
        let wrong = |problem: &str| header(file, format!("line {line}: {problem}"), ATTRIBUTES);
        let (name, kind) = match quoted(text) {
            Some(Ok((name, rest))) => (name, rest),
            Some(Err(problem)) => return Err(wrong(problem)),
            None => {
                let end = text.find(|c: char| c.is_whitespace() || c == '{');
                let (name, rest) = text.split_at(end.unwrap_or(text.len()));
                (name.to_owned(), rest)
            }
        };
        let kind = kind.trim();
        if name.is_empty() || kind.is_empty() {
            return Err(wrong("an attribute without a name or a type"));
        }
        let shown_name = shown(&name);
        if let Some(list) = kind.strip_prefix('{') {
            let Some(list) = list.strip_suffix('}') else {
                return Err(wrong(&format!(
                    "the classes of {shown_name} have no closing brace"
                )));
            };
            if let Some((first, _)) = &self.label {
                let first = shown(&self.names[*first]);
                return Err(wrong(&format!(
                    "{shown_name} is nominal, and {first} is so already"
                )));
            }
            let mut classes = Vec::new();
            for class in Fields::of(list) {
                let class = class.map_err(wrong)?;
                if class.is_empty() || classes.len() == MAX_CLASSES {
                    return Err(wrong(&format!(
                        "{shown_name} has a class without a name or more than {MAX_CLASSES} classes"
                    )));
                }
                classes.push(class.into_owned());
            }
            self.label = Some((self.names.len(), classes));
        } else if !["numeric", "real", "integer"]
            .iter()
            .any(|known| kind.eq_ignore_ascii_case(known))
        {
            let kind = shown(kind);
            return Err(wrong(&format!("{shown_name} has the type {kind}")));
        }
        self.names.push(name);
        Ok(())
    }
}

/// Values of a line: commas between them, quotes around those that hold commas or blanks.
struct Fields<'a>(Option<&'a str>);

impl<'a> Fields<'a> {
    fn of(line: &'a str) -> Self {
        Self(Some(line))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Cow<'a, str>, &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.0.take()?.trim_start();
        match quoted(text) {
            Some(Err(problem)) => Some(Err(problem)),
            Some(Ok((value, rest))) => {
                let rest = rest.trim_start();
                self.0 = rest.strip_prefix(',');
                if self.0.is_none() && !rest.is_empty() {
                    return Some(Err("text behind a closing quote"));
                }
                Some(Ok(Cow::Owned(value)))
            }
            None => {
                let (value, rest) = match text.split_once(',') {
                    Some((value, rest)) => (value, Some(rest)),
                    None => (text, None),
                };
                self.0 = rest;
                Some(Ok(Cow::Borrowed(value.trim_end())))
            }
        }
    }
}

/// The quoted text at the start, without quotes and backslashes, and what stands behind it; `None`
/// where there is no quote.
fn quoted(text: &str) -> Option<Result<(String, &str), &'static str>> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c if c == quote => return Some(Ok((value, &text[at + 1..]))),
            c => value.push(c),
        }
    }
    Some(Err("a quote without its end"))
}

/// The start of a text, for an error.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn damaged(file: &str, line: u64, problem: &str) -> DatasetError {
    DatasetError::Damaged {
        file: file.to_owned(),
        problem: format!("not a regular ARFF file: line {line}: {problem}"),
    }
}

fn header(file: &str, problem: String, accepted: &str) -> DatasetError {
    DatasetError::Array {
        file: file.to_owned(),
        array: "header".to_owned(),
        problem,
        accepted: accepted.to_owned(),
    }
}

fn value_error(file: &str, line: u64, name: &str, value: &str, accepted: &str) -> DatasetError {
    DatasetError::Value {
        file: file.to_owned(),
        array: "arff".into(),
        place: format!("line {line}").into(),
        column: shown(name),
        value: format!("{:?}", shown(value)).into(),
        accepted: accepted.into(),
    }
}
