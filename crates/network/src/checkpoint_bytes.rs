//! The fields of a checkpoint's payload, one writing and one reading function each.

use std::collections::BTreeMap;

use crate::checkpoint::{CheckpointError, Tensor, TensorValues};

/// Longest name of a tensor, scalar or random stream, in bytes.
const NAME: usize = 256;
/// Longest identity of a run, in bytes.
const RUN: usize = 1_024;
/// Most tensors, scalars or random streams.
const COUNT: usize = 65_536;
/// Most dimensions of a tensor.
const DIMENSIONS: usize = 8;

type Result<T> = std::result::Result<T, CheckpointError>;

fn content<T>(place: &str, problem: impl Into<String>) -> Result<T> {
    Err(CheckpointError::Content {
        place: place.to_owned(),
        problem: problem.into(),
    })
}

fn check_finite(place: &str, value: f64) -> Result<f64> {
    if value.is_finite() {
        Ok(value)
    } else {
        content(place, format!("{value} is not finite"))
    }
}

/// How many values a shape has.
fn check_shape(place: &str, shape: &[u64]) -> Result<u64> {
    if shape.len() > DIMENSIONS {
        let problem = format!("{} dimensions; at most {DIMENSIONS}", shape.len());
        return content(place, problem);
    }
    match shape.iter().try_fold(1u64, |n, d| n.checked_mul(*d)) {
        Some(count) => Ok(count),
        None => content(place, format!("its shape {shape:?} has too many values")),
    }
}

/// Refuses floats that are not finite.
fn check_values(place: &str, values: &TensorValues) -> Result<()> {
    let at = match values {
        TensorValues::F32(values) => values.iter().position(|v| !v.is_finite()),
        TensorValues::F64(values) => values.iter().position(|v| !v.is_finite()),
        TensorValues::U64(_) | TensorValues::U8(_) => None,
    };
    match at {
        Some(at) => content(place, format!("value {at} is not finite")),
        None => Ok(()),
    }
}

/// A payload that grows.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn flag(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    pub(crate) fn finite(&mut self, place: &str, value: f64) -> Result<()> {
        self.u64(check_finite(place, value)?.to_bits());
        Ok(())
    }

    pub(crate) fn count(&mut self, what: &str, count: usize) -> Result<()> {
        if count > COUNT {
            return content(what, format!("{count}; at most {COUNT}"));
        }
        self.0.extend((count as u32).to_le_bytes());
        Ok(())
    }

    pub(crate) fn run(&mut self, run: &str) -> Result<()> {
        self.text("run", run, 0, RUN)
    }

    pub(crate) fn name(&mut self, kind: &str, name: &str) -> Result<()> {
        self.text(kind, name, 1, NAME)
    }

    fn text(&mut self, place: &str, text: &str, least: usize, most: usize) -> Result<()> {
        check_length(place, text.len(), least, most)?;
        self.0.extend((text.len() as u16).to_le_bytes());
        self.0.extend(text.as_bytes());
        Ok(())
    }

    pub(crate) fn words(&mut self, name: &str, words: &[u64]) -> Result<()> {
        self.count(&format!("random stream `{name}`"), words.len())?;
        for word in words {
            self.u64(*word);
        }
        Ok(())
    }

    pub(crate) fn tensor(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        let place = format!("tensor `{name}`");
        let count = check_shape(&place, &tensor.shape)?;
        let (kind, len) = match &tensor.values {
            TensorValues::F32(values) => (0, values.len()),
            TensorValues::F64(values) => (1, values.len()),
            TensorValues::U64(values) => (2, values.len()),
            TensorValues::U8(values) => (3, values.len()),
        };
        if count != len as u64 {
            let shape = &tensor.shape;
            return content(&place, format!("{len} values for the shape {shape:?}"));
        }
        check_values(&place, &tensor.values)?;
        self.0.extend([kind, tensor.shape.len() as u8]);
        for dimension in &tensor.shape {
            self.u64(*dimension);
        }
        match &tensor.values {
            TensorValues::F32(values) => self.0.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            TensorValues::F64(values) => self.0.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            TensorValues::U64(values) => self.0.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            TensorValues::U8(values) => self.0.extend(values),
        }
        Ok(())
    }
}

fn check_length(place: &str, length: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&length) {
        return Ok(());
    }
    content(
        place,
        format!("a name of {length} bytes; accepted are {least} to {most}"),
    )
}

/// Bytes that are still to be read.
pub(crate) struct Reader<'a> {
    left: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(left: &'a [u8], what: &'static str) -> Self {
        Self { left, what }
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.left
    }

    /// All that was there has been read.
    pub(crate) fn end(self) -> Result<()> {
        if self.left.is_empty() {
            return Ok(());
        }
        let (count, what) = (self.left.len(), self.what);
        Err(CheckpointError::Format(format!(
            "{count} bytes follow the end of its {what}"
        )))
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let parts = usize::try_from(count)
            .ok()
            .and_then(|count| self.left.split_at_checked(count));
        let Some((taken, left)) = parts else {
            return Err(CheckpointError::Format(format!(
                "its {} ends early: {count} bytes are needed, {} are left",
                self.what,
                self.left.len()
            )));
        };
        self.left = left;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64)?);
        Ok(out)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn flag(&mut self, place: &str) -> Result<bool> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => content(place, format!("a flag of {other}; accepted are 0 and 1")),
        }
    }

    pub(crate) fn finite(&mut self, place: &str) -> Result<f64> {
        check_finite(place, f64::from_bits(self.u64()?))
    }

    fn count(&mut self, what: &str) -> Result<u64> {
        let count = u32::from_le_bytes(self.array()?);
        if count as usize > COUNT {
            return content(what, format!("{count}; at most {COUNT}"));
        }
        Ok(u64::from(count))
    }

    pub(crate) fn run(&mut self) -> Result<String> {
        self.text("run", 0, RUN)
    }

    fn text(&mut self, place: &str, least: usize, most: usize) -> Result<String> {
        let length = u16::from_le_bytes(self.array()?);
        check_length(place, usize::from(length), least, most)?;
        let bytes = self.take(u64::from(length))?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => content(place, "its name is not UTF-8"),
        }
    }

    /// A counted list of named values, names ascending; `value` is given the place of errors.
    pub(crate) fn named<T>(
        &mut self,
        kind: &str,
        value: impl Fn(&mut Self, &str) -> Result<T>,
    ) -> Result<BTreeMap<String, T>> {
        let mut all = BTreeMap::new();
        for _ in 0..self.count(&format!("{kind}s"))? {
            let name = self.text(kind, 1, NAME)?;
            let place = format!("{kind} `{name}`");
            if let Some((last, _)) = all.last_key_value().filter(|(last, _)| **last >= name) {
                return content(&place, format!("comes after `{last}`; names ascend"));
            }
            let value = value(self, &place)?;
            all.insert(name, value);
        }
        Ok(all)
    }

    pub(crate) fn words(&mut self, place: &str) -> Result<Vec<u64>> {
        let count = self.count(place)?;
        let (words, _) = self.take(count * 8)?.as_chunks();
        Ok(words.iter().map(|w| u64::from_le_bytes(*w)).collect())
    }

    pub(crate) fn tensor(&mut self, place: &str) -> Result<Tensor> {
        let [kind, dimensions] = self.array()?;
        if usize::from(dimensions) > DIMENSIONS {
            let problem = format!("{dimensions} dimensions; at most {DIMENSIONS}");
            return content(place, problem);
        }
        let shape = (0..dimensions)
            .map(|_| self.u64())
            .collect::<Result<Vec<u64>>>()?;
        let count = check_shape(place, &shape)?;
        let values = match kind {
            0 => TensorValues::F32(self.values(count, f32::from_le_bytes)?),
            1 => TensorValues::F64(self.values(count, f64::from_le_bytes)?),
            2 => TensorValues::U64(self.values(count, u64::from_le_bytes)?),
            3 => TensorValues::U8(self.take(count)?.to_vec()),
            other => {
                let problem = format!("a type of {other}; accepted are 0 (f32) to 3 (u8)");
                return content(place, problem);
            }
        };
        check_values(place, &values)?;
        Ok(Tensor { shape, values })
    }

    fn values<T, const N: usize>(&mut self, count: u64, of: fn([u8; N]) -> T) -> Result<Vec<T>> {
        let bytes = self.take(count.saturating_mul(N as u64))?;
        let (words, _) = bytes.as_chunks::<N>();
        Ok(words.iter().map(|word| of(*word)).collect())
    }
}
