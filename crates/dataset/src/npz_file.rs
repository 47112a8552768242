//! The npz reader: numpy's zip of arrays.
//!
//! The rule this module keeps: what a header declares is checked against the bytes that are there
//! before anything is allocated for it, and a header's brackets are counted before it is parsed.

use std::io::{self, BufReader, Cursor, Read};

use npyz::{DType, Deserialize, Endianness, NpyFile, Order, TypeChar};
use zip::ZipArchive;

use crate::arrays::{self, Arrays, FEATURES, LABELS, Labels, wrong};
use crate::error::DatasetError;
use crate::scaling::Scaling;
use crate::table::{Dataset, Table};

/// Longest array header that is read, as in numpy; most have about 100 bytes.
const MAX_HEADER: u64 = 10_000;
/// Most brackets of a header within each other: the parser's time grows with the power of their
/// number. Two are needed, records of arrays (which are refused by their type) have four.
const MAX_NESTING: usize = 4;
/// No deflate stream grows by more than 1032 to 1.
const MAX_EXPANSION: u64 = 1100;

struct Archive<'a> {
    file: &'a str,
    zip: ZipArchive<Cursor<&'a [u8]>>,
}

type Entry<'a> = NpyFile<Box<dyn Read + 'a>>;

pub(crate) fn read(bytes: &[u8], file: &str) -> Result<Dataset, DatasetError> {
    let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(file, &e.to_string()))?;
    arrays::read(&mut Archive { file, zip })
}

fn damaged(file: &str, problem: &str) -> DatasetError {
    DatasetError::Damaged {
        file: file.to_owned(),
        problem: format!("not a whole npz file: {problem}"),
    }
}

impl Archive<'_> {
    /// Names of the arrays: a file `x.npy` of the zip is the array `x`.
    fn array_names(&self) -> impl Iterator<Item = String> {
        self.zip
            .file_names()
            .filter_map(|name| Some(name.ok()?.strip_suffix(".npy")?.to_owned()))
    }

    /// Opens an array whose declared size is that of its bytes.
    fn array(&mut self, name: &str) -> Result<Entry<'_>, DatasetError> {
        let file = self.file;
        if !self.has(name) {
            return Err(wrong(file, name, "missing", "an array of this name"));
        }
        let bad = |e: &dyn std::fmt::Display| damaged(file, &format!("array {name}: {e}"));
        let path = format!("{name}.npy");
        let (size, header) = {
            let mut entry = self.zip.by_name(&path).map_err(|e| bad(&e))?;
            let mut start = [0_u8; 12];
            entry.read_exact(&mut start).map_err(|e| bad(&e))?;
            let header = match start[6] {
                1 => 10 + u64::from(u16::from_le_bytes([start[8], start[9]])),
                _ => {
                    12 + u64::from(u32::from_le_bytes([
                        start[8], start[9], start[10], start[11],
                    ]))
                }
            };
            let limit = entry
                .compressed_size()
                .saturating_mul(MAX_EXPANSION)
                .saturating_add(1024);
            let size = entry.size();
            if header > MAX_HEADER || header > size || size > limit {
                return Err(bad(&format!(
                    "a header of {header} bytes in {size} bytes packed in {}",
                    entry.compressed_size()
                )));
            }
            let mut text = start[10..].to_vec();
            let rest = header.saturating_sub(start.len() as u64);
            entry
                .take(rest)
                .read_to_end(&mut text)
                .map_err(|e| bad(&e))?;
            if nesting(&text) > MAX_NESTING {
                return Err(bad(&format!(
                    "a header with more than {MAX_NESTING} brackets within each other"
                )));
            }
            (size, header)
        };
        let entry = self.zip.by_name(&path).map_err(|e| bad(&e))?;
        // Values are read one by one.
        let entry = BufReader::with_capacity(1 << 16, entry);
        let array = NpyFile::new(Box::new(entry) as Box<dyn Read + '_>).map_err(|e| bad(&e))?;
        let declared = (array.shape().iter())
            .try_fold(array.dtype().num_bytes().unwrap_or(0) as u64, |n, d| {
                n.checked_mul(*d)
            });
        if declared.is_none_or(|declared| declared != size - header) {
            return Err(bad(&format!(
                "shape {:?} of {} declared over {} bytes",
                array.shape(),
                array.dtype().descr(),
                size - header
            )));
        }
        Ok(array)
    }

    fn values<T: Deserialize>(
        name: &str,
        file: &str,
        array: Entry<'_>,
    ) -> Result<Vec<T>, DatasetError> {
        array
            .into_vec()
            .map_err(|e| damaged(file, &format!("array {name}: {e}")))
    }
}

impl Archive<'_> {
    /// Values of an array of float32 or float64.
    fn floats(name: &str, file: &str, array: Entry<'_>) -> Result<Vec<f32>, DatasetError> {
        if is_little_f32(&array) {
            let count = array.len() as usize;
            return little_f32(array.into_inner(), count)
                .map_err(|e| damaged(file, &format!("array {name}: {e}")));
        }
        if let Some((_, 8)) = kind(&array) {
            let values: Vec<f64> = Self::values(name, file, array)?;
            return Ok(values.into_iter().map(|v| v as f32).collect());
        }
        Self::values(name, file, array)
    }
}

impl Arrays for Archive<'_> {
    fn file(&self) -> &str {
        self.file
    }

    fn has(&self, name: &str) -> bool {
        self.array_names().any(|n| n == name)
    }

    fn list(&self) -> Vec<String> {
        self.array_names().take(20).collect()
    }

    fn features(&mut self, name: &str) -> Result<(Table, Scaling), DatasetError> {
        let file = self.file;
        let array = self.array(name)?;
        let shape = array.shape().to_vec();
        let kind = kind(&array);
        let descr = array.dtype().descr();
        let fortran = array.order() == Order::Fortran;
        let mut x: Vec<f32> = match kind {
            Some((TypeChar::Float, 4 | 8)) => Self::floats(name, file, array)?,
            Some((TypeChar::Int | TypeChar::Uint, _)) => integers(name, file, array)?
                .into_iter()
                .map(|v| v as f32)
                .collect(),
            _ => return Err(wrong(file, name, format!("type {descr}"), FEATURES)),
        };
        let columns = (shape.iter().skip(1)).try_fold(1_u64, |n, axis| n.checked_mul(*axis));
        let (2..=4, Some(columns)) = (shape.len(), columns) else {
            return Err(wrong(file, name, format!("shape {shape:?}"), FEATURES));
        };
        let rows = shape[0];
        let bytes = matches!(kind, Some((TypeChar::Uint, 1)));
        let scaling = arrays::scaling(&shape[1..], bytes);
        if rows == 0 || columns == 0 {
            return Err(wrong(
                file,
                name,
                format!("shape {shape:?}"),
                "at least one row and one feature",
            ));
        }
        let (rows, columns) = (rows as usize, columns as usize);
        if fortran {
            x = from_fortran(&x, &shape);
        }
        let table = Table {
            rows,
            columns,
            x: x.into(),
            y: Vec::new(),
            values: Vec::new(),
        };
        Ok((table, scaling))
    }

    fn labels(&mut self, name: &str) -> Result<Labels, DatasetError> {
        let file = self.file;
        let array = self.array(name)?;
        let shape = array.shape().to_vec();
        let descr = array.dtype().descr();
        let is_table = shape.len() == 1 || (shape.len() == 2 && shape[1] > 0);
        if let (Some((TypeChar::Float, 4 | 8)), true) = (kind(&array), is_table) {
            let fortran = array.order() == Order::Fortran;
            let mut values = Self::floats(name, file, array)?;
            if fortran {
                values = from_fortran(&values, &shape);
            }
            let columns = shape.get(1).map_or(1, |columns| *columns as usize);
            return Ok(Labels::Values { values, columns });
        }
        if shape.len() != 1 && !(shape.len() == 2 && shape[1] == 1) {
            return Err(wrong(file, name, format!("shape {shape:?}"), LABELS));
        }
        match kind(&array) {
            Some((TypeChar::Int | TypeChar::Uint, _)) => {
                integers(name, file, array).map(Labels::Classes)
            }
            _ => Err(wrong(file, name, format!("type {descr}"), LABELS)),
        }
    }

    fn names(&mut self, name: &str, count: usize) -> Result<Option<Vec<String>>, DatasetError> {
        if !self.has(name) {
            return Ok(None);
        }
        let file = self.file;
        let array = self.array(name)?;
        let shape = array.shape().to_vec();
        let descr = array.dtype().descr();
        let names: Vec<String> = match kind(&array) {
            Some((TypeChar::UnicodeStr, _)) => Self::values(name, file, array)?,
            Some((TypeChar::ByteStr, _)) => {
                let values: Vec<Vec<u8>> = Self::values(name, file, array)?;
                values
                    .iter()
                    .map(|v| String::from_utf8_lossy(v).into_owned())
                    .collect()
            }
            _ => return Err(wrong(file, name, format!("type {descr}"), "strings")),
        };
        if shape.len() != 1 || (count > 0 && names.len() != count) {
            let accepted = format!("one name for each of the {count} columns");
            let accepted = if count > 0 {
                &accepted
            } else {
                "a one-dimensional array"
            };
            return Err(wrong(file, name, format!("shape {shape:?}"), accepted));
        }
        Ok(Some(names))
    }
}

/// Values in row-major order, from an array whose first axis runs fastest.
fn from_fortran(x: &[f32], shape: &[u64]) -> Vec<f32> {
    let mut index = vec![0; shape.len()];
    let mut sorted = Vec::with_capacity(x.len());
    while sorted.len() < x.len() {
        let at = index
            .iter()
            .zip(shape)
            .rev()
            .fold(0, |at, (i, n)| at * n + i);
        sorted.push(x[at as usize]);
        for (i, n) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < *n {
                break;
            }
            *i = 0;
        }
    }
    sorted
}

/// Most brackets that are open at once; whether they stand in a string does not matter.
fn nesting(text: &[u8]) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for byte in text {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// Whether an array is of f32 as they lie in a file of most machines.
fn is_little_f32(array: &Entry<'_>) -> bool {
    match array.dtype() {
        DType::Plain(plain) => {
            let little = plain.endianness() == Endianness::Little;
            little && plain.type_char() == TypeChar::Float && plain.size_field() == 4
        }
        _ => false,
    }
}

/// So many little-endian values, many at a time.
fn little_f32(mut from: impl Read, count: usize) -> io::Result<Vec<f32>> {
    let mut values = Vec::with_capacity(count);
    let mut bytes = [0_u8; 1 << 14];
    while values.len() < count {
        let some = &mut bytes[..(4 * (count - values.len())).min(1 << 14)];
        from.read_exact(some)?;
        let (words, _) = some.as_chunks::<4>();
        values.extend(words.iter().map(|word| f32::from_le_bytes(*word)));
    }
    Ok(values)
}

/// Type and bytes of a plain array.
fn kind(array: &Entry<'_>) -> Option<(TypeChar, u64)> {
    match array.dtype() {
        DType::Plain(plain) => Some((plain.type_char(), plain.size_field())),
        _ => None,
    }
}

fn integers(name: &str, file: &str, array: Entry<'_>) -> Result<Vec<i64>, DatasetError> {
    fn wide<T: Deserialize + TryInto<i64>>(
        name: &str,
        file: &str,
        array: Entry<'_>,
    ) -> Result<Vec<i64>, DatasetError> {
        let values: Vec<T> = Archive::values(name, file, array)?;
        Ok(values
            .into_iter()
            .map(|v| v.try_into().unwrap_or(i64::MAX))
            .collect())
    }
    match kind(&array) {
        Some((TypeChar::Int, 1)) => wide::<i8>(name, file, array),
        Some((TypeChar::Int, 2)) => wide::<i16>(name, file, array),
        Some((TypeChar::Int, 4)) => wide::<i32>(name, file, array),
        Some((TypeChar::Uint, 1)) => wide::<u8>(name, file, array),
        Some((TypeChar::Uint, 2)) => wide::<u16>(name, file, array),
        Some((TypeChar::Uint, 4)) => wide::<u32>(name, file, array),
        Some((TypeChar::Uint, 8)) => wide::<u64>(name, file, array),
        _ => wide::<i64>(name, file, array),
    }
}
