//! Ranges: what values a quantizer truly gives, and what the original says.

use crate::arguments::power_of_two;
use crate::po2::{Exponents, flushed_power};
use crate::squash::Real;
use crate::{Alpha, QuantizedRelu, Quantizer, StochasticTernary};

impl Quantizer {
    /// Smallest and largest value it gives (automatic scales taken as 1, quantization error applied
    /// in full; infinite for the float references).
    pub fn true_range(&self) -> (f64, f64) {
        if self.has_automatic_scale() {
            return self.with_unit_scale().true_range();
        }
        let scaled = |alpha: Alpha, lo: f64, hi: f64| {
            // Values are f32: a scale with many bits is rounded with its level.
            let a = f64::from(alpha.constant().unwrap_or(1.0));
            let value = |level: f64| f64::from((a * level) as f32);
            (value(lo), value(hi))
        };
        match self {
            Self::Float => (f64::NEG_INFINITY, f64::INFINITY),
            Self::Relu => (0.0, f64::INFINITY),
            Self::QuantizedBits(q) => {
                let step = 2f64.powi(-q.code_fraction());
                let (lo, hi) = q.code_range();
                scaled(q.alpha, lo as f64 * step, hi as f64 * step)
            }
            Self::QuantizedLinear(q) => {
                let (lo, hi) = q.code_range();
                let step = q.code_unit();
                scaled(q.alpha, lo as f64 * step, hi as f64 * step)
            }
            Self::QuantizedRelu(q) => relu_range(q),
            Self::QuantizedUlaw(q) => (q.value(0), q.value(q.positions() - 1)),
            Self::QuantizedTanh(q) => {
                let (lo, hi) = q.code_range();
                let step = 2f64.powi(-q.code_fraction());
                (lo as f64 * step, hi as f64 * step)
            }
            Self::QuantizedSigmoid(q) => {
                let (lo, hi) = q.code_range();
                let step = 2f64.powi(-(q.bits as i32));
                (lo as f64 * step, hi as f64 * step)
            }
            Self::QuantizedHswish(q) => {
                let fraction = q.grid.code_fraction();
                let (lo, hi) = q.grid.code_range();
                let lowest = (q.lowest() * 2f64.powi(fraction)).round_ties_even() as i64;
                let step = 2f64.powi(-fraction);
                scaled(q.grid.alpha, lowest.max(lo) as f64 * step, hi as f64 * step)
            }
            Self::Binary(q) => scaled(q.alpha, if q.use_01 { 0.0 } else { -1.0 }, 1.0),
            Self::StochasticBinary(q) => scaled(q.alpha, -1.0, 1.0),
            Self::Bernoulli(q) => scaled(q.alpha, 0.0, 1.0),
            Self::Ternary(q) | Self::StochasticTernary(StochasticTernary { ternary: q, .. }) => {
                scaled(q.alpha, -1.0, 1.0)
            }
            Self::Fixed(q) => {
                let (lo, hi) = q.code_range();
                let step = 2f64.powi(-q.fraction());
                (lo as f64 * step, hi as f64 * step)
            }
            Self::QuantizedPo2(q) => {
                let hi = 2f64.powi(Exponents::of_po2(q).highest());
                (-hi, hi)
            }
            Self::QuantizedReluPo2(q) => {
                let e = Exponents::of_relu_po2(q);
                let hi = 2f64.powi(e.highest());
                (
                    if q.negative_slope == 0.0 {
                        flushed_power(e.lowest())
                    } else {
                        -hi
                    },
                    hi,
                )
            }
        }
    }

    /// What `QKeras`' `min()` and `max()` say, which is not always the true range; no minimum for
    /// the float reference, and none for most `quantized_hswish`, whose `min()` fails.
    pub fn reported_range(&self) -> (Option<f64>, f64) {
        let two = |alpha: Alpha| f64::from(alpha.constant().unwrap_or(1.0)).max(1.0);
        let whole = |integer: i32| 2f64.powi(integer).max(1.0);
        match self {
            Self::Float => (None, f64::INFINITY),
            Self::Relu => (Some(0.0), f64::INFINITY),
            Self::QuantizedBits(q) => {
                let hi = if q.unsigned_bits() > 0 {
                    whole(q.integer)
                } else {
                    1.0
                };
                (Some(if q.keep_negative { -hi } else { 0.0 }), hi)
            }
            Self::QuantizedRelu(q) => {
                let hi = if q.unsigned_bits() > 0 {
                    whole(q.integer)
                } else {
                    1.0
                };
                let lo = if q.negative_slope != 0.0 && q.unsigned_bits() == 0 {
                    -1.0
                } else {
                    0.0 - 2f64.powi(q.integer) * f64::from(q.negative_slope)
                };
                (Some(lo), hi)
            }
            Self::QuantizedUlaw(q) => {
                let hi = if q.bits > 1 { whole(q.integer) } else { 1.0 };
                (Some(-hi), hi)
            }
            // These say what is true.
            Self::QuantizedLinear(_)
            | Self::QuantizedTanh(_)
            | Self::QuantizedSigmoid(_)
            | Self::Fixed(_) => {
                let (lo, hi) = self.true_range();
                (Some(lo), hi)
            }
            Self::QuantizedHswish(q) => {
                let grid = Self::QuantizedBits(q.grid).reported_range();
                let (shift, bound) = (f64::from(q.relu_shift), f64::from(q.relu_upper_bound));
                let vertex = -shift * shift / (4.0 * bound);
                (grid.0.filter(|lo| *lo >= vertex), grid.1)
            }
            Self::Binary(q) => {
                let hi = two(q.alpha);
                (Some(if q.use_01 { 0.0 } else { -hi }), hi)
            }
            Self::StochasticBinary(q) => (Some(-two(q.alpha)), two(q.alpha)),
            Self::Bernoulli(q) => (Some(0.0), two(q.alpha)),
            Self::Ternary(q) | Self::StochasticTernary(StochasticTernary { ternary: q, .. }) => {
                (Some(-two(q.alpha)), two(q.alpha))
            }
            Self::QuantizedPo2(q) => {
                let max = Exponents::of_po2(q).max;
                let hi = q
                    .max_value
                    .map_or_else(|| 2f64.powi(max), f64::from)
                    .max(1.0);
                (Some(-hi), hi)
            }
            Self::QuantizedReluPo2(q) => {
                let e = Exponents::of_relu_po2(q);
                let hi = q
                    .max_value
                    .map_or_else(|| 2f64.powi(e.max), f64::from)
                    .max(1.0);
                let lowest = 2f64.powi(e.min);
                // With a slope it takes the bits for integer bits.
                let lo = if q.negative_slope == 0.0 || q.bits == 1 {
                    lowest
                } else {
                    let below = f64::from(q.negative_slope) * 2f64.powi(q.bits as i32 - 1);
                    lowest.min(-below)
                };
                (Some(lo), hi)
            }
        }
    }
}

/// The extremes, which lie at the ends of the input range or (behind a sigmoid) at its middle.
fn relu_range(q: &QuantizedRelu) -> (f64, f64) {
    let m = 2f64.powi(q.unsigned_bits() as i32);
    let limit = 2f64.powi(q.integer);
    let cut = |hi: f64| q.cut().map_or(hi, |cut| hi.min(f64::from(cut)));
    if let Some(slope) = power_of_two(q.negative_slope)
        && q.use_sigmoid
    {
        let huge = |mantissa| Real {
            mantissa,
            exponent: 120,
        };
        let step = 2f64.powi(-q.code_fraction());
        let end = |mantissa| q.squashed_code(huge(mantissa)) * step;
        let _ = slope;
        return (end(-1), cut(end(1)));
    }
    (
        0.0 - limit * f64::from(q.negative_slope),
        cut(limit * (1.0 - 1.0 / m)),
    )
}
