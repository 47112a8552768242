//! The integer program: what a trained candidate computes, in integers with derived widths.
//!
//! The rule this module keeps: every interval is derived from the actual weights, so no accumulator
//! can overflow, and every scale is a power of two held as a fraction count. Sums stay within 2^53,
//! where the f64 fake-quantized pass is exact too, so promise P1 holds for every program that
//! freezes.

use bitfront_quantizer::{Modes, Quantizer};

use crate::geometry::Geometry;
use crate::{Candidate, Source};

/// An inclusive range of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Smallest value.
    pub lo: i64,
    /// Largest value.
    pub hi: i64,
}

/// How the integers of a tensor are read: value = code * 2^-fraction, channel by channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorFormat {
    /// Shape, channels last.
    pub shape: Vec<usize>,
    /// Bits right of the binary point of each channel; negative when the step is above one.
    pub fraction: Vec<i32>,
    /// Range of the codes of each channel.
    pub range: Vec<Interval>,
}

/// How an accumulator becomes an activation code.
#[derive(Clone, Debug, PartialEq)]
pub enum ActivationRule {
    /// `accumulator * 2^(fraction - accumulator fraction)`, rounded and fitted into the range, the
    /// quantizer's whole grid: `clamp(round_half_even(..), range)` by [`Modes::NEAREST_EVEN`], and every
    /// mode of `ap_fixed`.
    Uniform {
        /// Fraction bits of the codes.
        fraction: i32,
        /// The quantizer's grid.
        range: Interval,
        /// How accumulators are rounded and fitted.
        modes: Modes,
    },
    /// A step function a channel: `codes[number of thresholds <= accumulator]`, thresholds
    /// ascending in units of that channel's accumulator.
    Steps {
        /// A channel, ascending thresholds.
        thresholds: Vec<Vec<i64>>,
        /// A channel, one code more than there are thresholds.
        codes: Vec<Vec<i64>>,
    },
    /// Any other quantizer, by [`Quantizer::code_of`] of the accumulator with its channel's fraction.
    Function(Quantizer),
    /// A rule a channel, each for channel 0 of a tensor of its own.
    Channels(Vec<Self>),
}

/// Which inputs meet which weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taps {
    /// Every output channel reads all input channels of its position.
    Dense,
    /// Every output channel reads all input channels under the window.
    Window(Geometry),
    /// Output channel `c * multiplier + m` reads input channel `c` under the window.
    Depthwise(Geometry),
}

/// Sums of products in integers.
///
/// `accumulator[j] = ((sum_i (x[i] << input_shift[i]) * kernel[i][j]) * multiplier[j]
///  << product_shift[j]) + bias[j]`, in units of the output's fraction of channel j. Border elements
/// are zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Which inputs meet which weights.
    pub taps: Taps,
    /// Number of input channels.
    pub inputs: usize,
    /// Number of output channels.
    pub outputs: usize,
    /// Left shift of each input channel, to a common fraction.
    pub input_shift: Vec<u32>,
    /// Kernel codes in the kernel's own order: `taps x inputs x outputs`, or
    /// `taps x inputs x (outputs / inputs)` for depthwise.
    pub kernel: Vec<i64>,
    /// Frozen scale of each output channel; 1 where it is a power of two.
    pub multiplier: Vec<i64>,
    /// Left shift of each output channel's scaled sum of products.
    pub product_shift: Vec<u32>,
    /// Bias of each output channel, in units of the accumulator.
    pub bias: Vec<i64>,
    /// Interval of each output channel's accumulator that holds every partial sum in any order, the
    /// bias first or last; the finished sum's own interval is the layer's output range.
    pub accumulator_range: Vec<Interval>,
}

/// What a layer computes in integers.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a program has few layers, and their tables are far larger than this"
)]
pub enum IntegerOperation {
    /// Dense, convolution, depthwise convolution.
    Linear(Linear),
    /// Depthwise, then pointwise.
    Separable {
        /// First.
        depthwise: Linear,
        /// Values between the two.
        between: TensorFormat,
        /// Second.
        pointwise: Linear,
    },
    /// Largest code under the window; border elements do not count.
    MaxPool(Geometry),
    /// Sum of the codes under the window times `reciprocal[n]`, n the number of elements that are
    /// not border.
    Mean {
        /// Window.
        geometry: Geometry,
        /// By count, 0 where a count does not occur; the output's fraction holds their common
        /// scale.
        reciprocal: Vec<i64>,
    },
    /// The same codes in another shape (flatten), or just the same codes (dropout).
    Reshape,
    /// Zeros around the spatial axes.
    ZeroPadding {
        /// Elements before and after each spatial axis.
        border: Vec<[usize; 2]>,
    },
    /// `(x * multiplier << product_shift) + offset`, a channel each.
    Affine {
        /// Frozen scale.
        multiplier: Vec<i64>,
        /// Left shift of the product.
        product_shift: Vec<u32>,
        /// Offset, in units of the output.
        offset: Vec<i64>,
    },
    /// Sum of the sources, each shifted left.
    Add {
        /// A source, a channel.
        shift: Vec<Vec<u32>>,
    },
    /// Channels side by side.
    Concatenate,
    /// A quantizer.
    Activation(ActivationRule),
}

/// One layer in integers.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerLayer {
    /// Name.
    pub name: String,
    /// What it reads.
    pub sources: Vec<Source>,
    /// What it computes.
    pub operation: IntegerOperation,
    /// Format of its values; ranges come from interval arithmetic over its sources' ranges.
    pub output: TensorFormat,
}

/// A trained candidate in integers.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerProgram {
    /// The candidate it was frozen from.
    pub candidate: Candidate,
    /// Format of the input codes.
    pub input: TensorFormat,
    /// Layers, index for index those of the candidate.
    pub layers: Vec<IntegerLayer>,
    /// Common fraction of the logits: the finest among the last layer's channels, to which
    /// [`IntegerProgram::logits`] shifts all of them.
    pub output_fraction: i32,
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

impl TensorFormat {
    /// A tensor whose channels have one format.
    pub fn uniform(shape: Vec<usize>, fraction: i32, range: Interval) -> Self {
        let channels = shape.last().copied().unwrap_or(0);
        Self {
            shape,
            fraction: vec![fraction; channels],
            range: vec![range; channels],
        }
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.fraction.len()
    }

    /// Number of values.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// The smallest interval that holds every channel's codes.
    pub fn hull(&self) -> Interval {
        let all = self.range.iter().copied();
        all.reduce(Interval::hull).unwrap_or(Interval::point(0))
    }
}

impl ActivationRule {
    /// The code that channel `c` gives for `accumulator * 2^-fraction`.
    ///
    /// # Panics
    /// If channel `c` has no steps, or the quantizer of [`ActivationRule::Function`] has no grid:
    /// freezing makes no such rules.
    pub fn apply(&self, c: usize, accumulator: i64, fraction: i32) -> i64 {
        match self {
            Self::Uniform {
                fraction: own,
                range: Interval { lo, hi },
                modes,
            } => {
                let shift = own - fraction;
                if *modes != Modes::NEAREST_EVEN {
                    return modes.code(accumulator.into(), shift, (*lo, *hi));
                }
                if shift >= 0 {
                    let wide = i128::from(accumulator) << shift.min(62);
                    wide.clamp(i128::from(*lo), i128::from(*hi)) as i64
                } else {
                    shift_right_half_even(accumulator, shift.unsigned_abs()).clamp(*lo, *hi)
                }
            }
            Self::Steps { thresholds, codes } => {
                codes[c][thresholds[c].partition_point(|t| *t <= accumulator)]
            }
            Self::Function(quantizer) => quantizer
                .code_of(accumulator, fraction)
                .expect("freezing asks for a grid"),
            Self::Channels(rules) => rules[c].apply(0, accumulator, fraction),
        }
    }

    /// The rule that channel `c` follows, and the channel that it is to that rule.
    ///
    /// # Panics
    /// If channels have rules of their own and `c` is none of them.
    pub fn of_channel(&self, c: usize) -> (&Self, usize) {
        match self {
            Self::Channels(rules) => (&rules[c], 0),
            _ => (self, c),
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

impl Interval {
    /// The interval of one value.
    pub fn point(value: i64) -> Self {
        Self {
            lo: value,
            hi: value,
        }
    }

    /// The smallest interval that holds both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self {
            lo: self.lo.min(other.lo),
            hi: self.hi.max(other.hi),
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
