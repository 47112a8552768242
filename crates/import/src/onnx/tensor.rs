//! Constants of an ONNX graph.

use crate::array::Array;
use crate::limits::{AXES, WEIGHTS};
use bitfront_onnx::Tensor;

/// Values of a constant with their type's kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    /// Real numbers.
    Real(Array),
    /// Integers, as shapes and axes are.
    Integer(Vec<i64>),
}

impl Constant {
    /// The real array.
    pub(crate) fn real(&self) -> Option<&Array> {
        match self {
            Self::Real(array) => Some(array),
            Self::Integer(_) => None,
        }
    }

    /// The list of integers.
    pub(crate) fn integers(&self) -> Option<&[i64]> {
        match self {
            Self::Integer(values) => Some(values),
            Self::Real(_) => None,
        }
    }
}

/// Decodes a tensor.
///
/// # Errors
/// What is wrong and what is accepted, as a sentence's end.
pub(crate) fn constant(tensor: &Tensor) -> Result<Constant, String> {
    if tensor.data_location != 0 {
        return Err("has its values in another file; accepted are values in the model file".into());
    }
    let shape: Option<Vec<usize>> = tensor
        .dims
        .iter()
        .map(|d| usize::try_from(*d).ok())
        .collect();
    let size = |shape: &Vec<usize>| {
        shape
            .iter()
            .try_fold(1usize, |n, axis| n.checked_mul(*axis))
    };
    let shape = shape.filter(|shape| shape.len() <= AXES);
    let (shape, size) = shape
        .and_then(|shape| Some((size(&shape)?, shape)))
        .map(|(size, shape)| (shape, size))
        .filter(|(_, size)| *size as u64 <= WEIGHTS)
        .ok_or_else(|| {
            format!(
                "has a constant of shape {:?}; accepted are up to 2^24 values",
                tensor.dims
            )
        })?;
    let raw = &tensor.raw_data;
    let real = |values: Vec<f32>| (values, None);
    let integer = |values: Vec<i64>| (Vec::new(), Some(values));
    let (reals, integers) = match tensor.data_type {
        1 if raw.is_empty() => real(tensor.float_data.clone()),
        1 => real(words(raw).map(f32::from_le_bytes).collect()),
        11 if raw.is_empty() => real(tensor.double_data.iter().map(|v| *v as f32).collect()),
        11 => real(words(raw).map(|w| f64::from_le_bytes(w) as f32).collect()),
        7 if raw.is_empty() => integer(tensor.int64_data.clone()),
        7 => integer(words(raw).map(i64::from_le_bytes).collect()),
        6 if raw.is_empty() => integer(tensor.int32_data.iter().map(|v| i64::from(*v)).collect()),
        6 => integer(
            words(raw)
                .map(|w| i64::from(i32::from_le_bytes(w)))
                .collect(),
        ),
        other => {
            return Err(format!(
                "has a constant of the element type {other}; accepted are float (1), int32 (6), \
                 int64 (7) and double (11)"
            ));
        }
    };
    let have = integers.as_ref().map_or(reals.len(), Vec::len);
    if have != size {
        return Err(format!(
            "has a constant of shape {shape:?} with {have} values"
        ));
    }
    Ok(match integers {
        Some(values) => Constant::Integer(values),
        None => Constant::Real(Array::new(shape, reals)),
    })
}

/// Little-endian words; a rest that is no whole word is one value short, which the caller sees.
fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}
