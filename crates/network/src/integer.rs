//! The integer program: what a trained candidate computes, in integers with derived widths.
//!
//! The rule this module keeps: every interval is derived from the actual weights, so no accumulator
//! can overflow, and every scale is a power of two held as a fraction count. Accumulators stay
//! within 2^53, where the f64 fake-quantized pass is exact too, so promise P1 holds for every
//! program that freezes.

use crate::Candidate;

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
    /// An accumulator beyond 2^53, where f64 sums would stop being exact.
    #[error("{place} needs {bits} bits; accepted are sums of at most 2^53 units (54 bits signed)")]
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
    /// The interval of one value.
    pub fn point(value: i64) -> Self {
        Self {
            lo: value,
            hi: value,
        }
    }

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

impl ActivationRule {
    /// The code that output `j` gives for a finished accumulator with `fraction` bits.
    pub fn apply(&self, j: usize, accumulator: i64, fraction: i32, output: TensorFormat) -> i64 {
        match self {
            Self::Uniform => {
                let Interval { lo, hi } = output.range;
                let shift = output.fraction - fraction;
                if shift >= 0 {
                    let wide = i128::from(accumulator) << shift.min(62);
                    wide.clamp(i128::from(lo), i128::from(hi)) as i64
                } else {
                    shift_right_half_even(accumulator, shift.unsigned_abs()).clamp(lo, hi)
                }
            }
            Self::Steps { thresholds, codes } => {
                codes[j][thresholds[j].partition_point(|t| *t <= accumulator)]
            }
        }
    }
}

/// `round(v / 2^down)`, halfway to even, for |v| <= 2^53.
fn shift_right_half_even(v: i64, down: u32) -> i64 {
    if down == 0 {
        v
    } else if down > 55 {
        0
    } else {
        let odd = (v >> down) & 1;
        (v + (1 << (down - 1)) - 1 + odd) >> down
    }
}
