//! The integer program: what a trained candidate computes, in integers with derived widths.
//!
//! The rule this module keeps: every interval is derived from the actual weights, so no accumulator
//! can overflow, and every scale is a power of two held as a fraction count.

use crate::{Candidate, Weights};

/// An inclusive range of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Smallest value.
    pub lo: i64,
    /// Largest value.
    pub hi: i64,
}

/// How the integers of a tensor are read: value = code * 2^-fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorFormat {
    /// Bits right of the binary point; negative when the step is above one.
    pub fraction: i32,
    /// Range of the codes.
    pub range: Interval,
}

/// How an accumulator becomes an activation code.
#[derive(Clone, Debug, PartialEq)]
pub enum ActivationRule {
    /// `clamp(round_half_even(accumulator * 2^(out.fraction - accumulator fraction)), out.range)`.
    Uniform,
    /// A step function per output: `codes[number of thresholds <= accumulator]`, thresholds
    /// ascending in units of that output's accumulator.
    Steps {
        /// Per output, ascending thresholds.
        thresholds: Vec<Vec<i64>>,
        /// Per output, one code more than there are thresholds.
        codes: Vec<Vec<i64>>,
    },
}

/// One dense layer in integers.
///
/// `accumulator[j] = (sum_i x[i] * kernel[i][j]) << product_shift[j] + (bias[j] << bias_shift[j])`,
/// in units of `2^-accumulator_fraction[j]`.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerLayer {
    /// Name of the dense layer.
    pub name: String,
    /// Number of inputs.
    pub inputs: usize,
    /// Number of outputs.
    pub outputs: usize,
    /// Format of the inputs.
    pub input: TensorFormat,
    /// Kernel codes, `inputs x outputs`, row-major.
    pub kernel: Vec<i64>,
    /// Bias codes, one an output.
    pub bias: Vec<i64>,
    /// Left shift of each output's sum of products.
    pub product_shift: Vec<u32>,
    /// Left shift of each output's bias code.
    pub bias_shift: Vec<u32>,
    /// Fraction bits of each output's accumulator.
    pub accumulator_fraction: Vec<i32>,
    /// Exact interval of each accumulator over all inputs in range, from the actual weights; it
    /// also holds every partial sum in any order.
    pub accumulator_range: Vec<Interval>,
    /// Exact interval of the finished accumulator (products and bias together).
    pub result_range: Vec<Interval>,
    /// What follows; `None`: the accumulators, shifted left to the common fraction of `output`,
    /// are the logits.
    pub activation: Option<ActivationRule>,
    /// Format of the outputs.
    pub output: TensorFormat,
}

/// A trained candidate in integers.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerProgram {
    /// The candidate it was frozen from.
    pub candidate: Candidate,
    /// Format of the input codes.
    pub input: TensorFormat,
    /// Layers, first to last.
    pub layers: Vec<IntegerLayer>,
}

/// Why a candidate has no integer program.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FreezeError {
    /// A quantizer without an exact integer form.
    #[error("{place} has no exact integer form: {reason}")]
    NotExact {
        /// Layer and parameter, `fc1.kernel`.
        place: String,
        /// Why.
        reason: String,
    },
    /// An accumulator wider than 63 bits.
    #[error("{place} needs {bits} bits, more than the 63 that integer inference has")]
    TooWide {
        /// Layer and output.
        place: String,
        /// Bits needed.
        bits: u32,
    },
    /// Weights of another shape.
    #[error("{place}: {reason}")]
    Shape {
        /// Layer and parameter.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

impl Interval {
    /// Bits of the narrowest two's-complement (when `lo < 0`) or unsigned number that holds it.
    pub fn width(self) -> u32 {
        let magnitude = |v: i64| 64 - v.leading_zeros();
        if self.lo < 0 {
            1 + magnitude(!self.lo).max(if self.hi > 0 { magnitude(self.hi) } else { 0 })
        } else {
            magnitude(self.hi)
        }
    }

    /// Whether negative values occur.
    pub fn is_signed(self) -> bool {
        self.lo < 0
    }
}

impl IntegerProgram {
    /// Freezes a candidate with its weights.
    ///
    /// # Errors
    /// [`FreezeError`] where a part has no exact integer form or needs more than 63 bits.
    pub fn freeze(candidate: &Candidate, weights: &Weights) -> Result<Self, FreezeError> {
        let _ = (candidate, weights);
        unimplemented!()
    }

    /// Codes of standardised inputs, row-major `rows x inputs`.
    pub fn input_codes(&self, rows: &[f32]) -> Vec<i32> {
        let _ = rows;
        unimplemented!()
    }

    /// Logit codes of each row, row-major `rows x outputs`, in the format of the last layer.
    pub fn logits(&self, input_codes: &[i32]) -> Vec<i64> {
        let _ = input_codes;
        unimplemented!()
    }

    /// Codes of every layer's outputs of one row, first to last layer.
    pub fn trace(&self, input_codes: &[i32]) -> Vec<Vec<i64>> {
        let _ = input_codes;
        unimplemented!()
    }

    /// Class of each row: the largest logit, the lowest index on a tie.
    pub fn classify(&self, input_codes: &[i32]) -> Vec<u8> {
        let _ = input_codes;
        unimplemented!()
    }
}
