//! Integer codes of quantized values, and the exact definition on integers.

use crate::{Quantizer, Role};

/// Why a quantizer has no exact integer form in a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{quantizer} has no exact integer form as {role}: {reason}")]
pub struct NotExact {
    /// Canonical text of the quantizer.
    pub quantizer: String,
    /// `input`, `kernel`, `bias` or `activation`.
    pub role: &'static str,
    /// Why, and what would be accepted.
    pub reason: String,
}

/// The integer grid all values of a quantizer lie on: value = code * 2^-fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Bits right of the binary point; negative when the step is above one.
    pub fraction: i32,
    /// Smallest code.
    pub lo: i64,
    /// Largest code.
    pub hi: i64,
}

/// Integer codes of a quantized tensor: value = code * 2^-fraction of its column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes {
    /// Codes, in the tensor's own order.
    pub codes: Vec<i64>,
    /// Fraction bits, one a column (one in all when the tensor has a single scale).
    pub fraction: Vec<i32>,
}

/// A monotone quantizer on integers: `codes[number of thresholds <= x]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFunction {
    /// Ascending.
    pub thresholds: Vec<i64>,
    /// One more than there are thresholds.
    pub codes: Vec<i64>,
}

impl Quantizer {
    /// The grid of this quantizer in a role that has one scale for the whole tensor.
    ///
    /// # Errors
    /// [`NotExact`] for float, for scales that are not powers of two or are found per tensor at run
    /// time, and for grids that need more than 32 bits.
    pub fn grid(&self, role: Role) -> Result<Grid, NotExact> {
        let _ = role;
        unimplemented!()
    }

    /// Integer codes of `x` (row-major, `columns` channels in the last axis).
    ///
    /// # Errors
    /// [`NotExact`] as for [`Quantizer::grid`]; a kernel may have a power-of-two scale per column.
    pub fn codes(&self, role: Role, x: &[f32], columns: usize) -> Result<Codes, NotExact> {
        let _ = (role, x, columns);
        unimplemented!()
    }

    /// The code, on this quantizer's activation grid, of the real number `numerator * 2^-fraction`.
    ///
    /// # Errors
    /// [`NotExact`] as for [`Quantizer::grid`].
    pub fn code_of(&self, numerator: i64, fraction: i32) -> Result<i64, NotExact> {
        let _ = (numerator, fraction);
        unimplemented!()
    }

    /// This quantizer as a step function of integers read with `fraction`, over `lo..=hi`.
    ///
    /// # Errors
    /// [`NotExact`] as for [`Quantizer::grid`], and for more than 4096 levels.
    pub fn step_function(&self, fraction: i32, lo: i64, hi: i64) -> Result<StepFunction, NotExact> {
        let _ = (fraction, lo, hi);
        unimplemented!()
    }
}
