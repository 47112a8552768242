//! Fake-quantization of slices.
//!
//! The rule this module keeps: families with a fixed scale have one scalar definition
//! ([`Scalar`], in f64, exact for every f32); the f32 loops of [`vector`] repeat it bit for bit.

use crate::po2::{Exact, Exponents, flushed_power};
use crate::scale::{self, Automatic};
use crate::vector;
use crate::{Alpha, Quantizer, Ternary};

/// Threshold of a ternary without one.
const TERNARY_THRESHOLD: f32 = 0.33;

impl Ternary {
    /// The dead band's half-width where the scale is fixed.
    pub(crate) fn fixed_threshold(&self) -> f32 {
        self.threshold.unwrap_or(TERNARY_THRESHOLD)
    }
}

/// Quantizers with one fixed scale, as a function of one real number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar {
    Identity,
    Rectifier,
    Uniform {
        to_code: f64,
        lo: f64,
        hi: f64,
        step: f64,
        cap: f64,
    },
    /// `use_sigmoid`: every other code, and the largest.
    Sigmoid {
        to_half_code: f64,
        shift: f64,
        hi: f64,
        step: f64,
        cap: f64,
    },
    /// `negative_slope`: `below = floor code, steps scaled by the slope`.
    Leaky {
        to_code: f64,
        hi: f64,
        step: f64,
        slope: f64,
        below: f64,
        cap: f64,
    },
    Sign {
        below: f64,
        above: f64,
    },
    Ternary {
        threshold: f64,
        scale: f64,
    },
    Po2(Exponents),
    ReluPo2 {
        exponents: Exponents,
        slope: f64,
    },
}

impl Scalar {
    /// The scalar form of a quantizer; `None` where the scale is found per tensor.
    pub(crate) fn of(quantizer: &Quantizer) -> Option<Self> {
        Some(match quantizer {
            Quantizer::Float => Self::Identity,
            Quantizer::Relu => Self::Rectifier,
            Quantizer::QuantizedBits(q) => {
                let alpha = f64::from(q.alpha.constant()?);
                let (lo, hi) = q.code_range();
                if q.unsigned_bits() == 0 {
                    Self::Sign {
                        below: -alpha,
                        above: alpha,
                    }
                } else {
                    Self::Uniform {
                        to_code: 2f64.powi(q.code_fraction()),
                        lo: lo as f64,
                        hi: hi as f64,
                        step: alpha * 2f64.powi(-q.code_fraction()),
                        cap: f64::INFINITY,
                    }
                }
            }
            Quantizer::QuantizedRelu(q) => {
                let to_code = 2f64.powi(q.code_fraction());
                let step = 2f64.powi(-q.code_fraction());
                let levels = 2f64.powi(q.unsigned_bits() as i32);
                let hi = levels - 1.0;
                let cap = q.cut().map_or(f64::INFINITY, f64::from);
                if q.use_sigmoid {
                    let shift = levels / 2.0;
                    Self::Sigmoid {
                        to_half_code: to_code / 2.0,
                        shift,
                        hi,
                        step,
                        cap,
                    }
                } else if q.negative_slope == 0.0 {
                    Self::Uniform {
                        to_code,
                        lo: 0.0,
                        hi,
                        step,
                        cap,
                    }
                } else {
                    let slope = f64::from(q.negative_slope);
                    Self::Leaky {
                        to_code,
                        hi,
                        step,
                        slope,
                        below: -slope * levels,
                        cap,
                    }
                }
            }
            Quantizer::Binary(q) | Quantizer::StochasticBinary(q) => {
                let alpha = f64::from(q.alpha.constant()?);
                Self::Sign {
                    below: if q.use_01 { 0.0 } else { -alpha },
                    above: alpha,
                }
            }
            Quantizer::Ternary(q) => Self::Ternary {
                threshold: f64::from(q.fixed_threshold()),
                scale: f64::from(q.alpha.constant()?),
            },
            Quantizer::QuantizedPo2(q) => Self::Po2(Exponents::of_po2(q)),
            Quantizer::QuantizedReluPo2(q) => Self::ReluPo2 {
                exponents: Exponents::of_relu_po2(q),
                slope: f64::from(q.negative_slope),
            },
        })
    }

    /// The quantized value of `x`.
    #[inline]
    pub(crate) fn value(&self, x: f64) -> f64 {
        match *self {
            Self::Identity => x,
            Self::Rectifier => x.max(0.0) + 0.0,
            Self::Uniform {
                to_code,
                lo,
                hi,
                step,
                cap,
            } => ((x * to_code).max(lo).min(hi).round_ties_even() * step + 0.0).min(cap),
            Self::Sigmoid {
                to_half_code,
                shift,
                hi,
                step,
                cap,
            } => {
                let half = (x * to_half_code).max(-shift).min(shift);
                // An odd shift (one bit) turns the parity that ties go to.
                let odd = shift % 2.0;
                let half = (half + odd).round_ties_even() - odd;
                ((2.0 * half).max(0.0).min(hi) * step + 0.0).min(cap)
            }
            Self::Leaky {
                to_code,
                hi,
                step,
                slope,
                below,
                cap,
            } => {
                let code = if x < 0.0 {
                    (x * to_code * slope).round_ties_even().max(below)
                } else {
                    (x * to_code).min(hi).round_ties_even()
                };
                (code * step + 0.0).min(cap)
            }
            Self::Sign { below, above } => {
                if x >= 0.0 {
                    above
                } else {
                    below
                }
            }
            Self::Ternary { threshold, scale } => {
                if x >= threshold {
                    scale
                } else if x <= -threshold {
                    -scale
                } else {
                    0.0
                }
            }
            Self::Po2(exponents) => {
                let magnitude = flushed_power(exponents.round(magnitude(x)));
                if x < 0.0 { 0.0 - magnitude } else { magnitude }
            }
            Self::ReluPo2 { exponents, slope } => {
                if x < 0.0 && slope != 0.0 {
                    0.0 - flushed_power(exponents.round(magnitude(x * slope)))
                } else {
                    flushed_power(exponents.round(magnitude(x.max(0.0))))
                }
            }
        }
    }
}

/// The exact magnitude of any float: infinities as a huge number, NaN as zero.
fn magnitude(x: f64) -> Exact {
    if x.is_nan() {
        Exact {
            mantissa: 0,
            exponent: 0,
        }
    } else {
        Exact::of(x.clamp(-f64::MAX, f64::MAX))
    }
}

impl Quantizer {
    /// Fake-quantizes `x` (row-major, `columns` channels in the last axis; a vector is one row)
    /// into `y`, and returns the scale of each column as `QKeras` reports it (one where the tensor
    /// has a single one, 1 where the family has none).
    ///
    /// # Panics
    /// If `y` is shorter than `x`, or `x` is not whole rows of `columns`.
    pub fn quantize(&self, x: &[f32], columns: usize, y: &mut [f32]) -> Vec<f32> {
        assert_eq!(x.len(), y.len(), "x and y have the same length");
        if let Some(automatic) = Automatic::of(self) {
            assert!(
                columns > 0 && x.len().is_multiple_of(columns),
                "{} values are whole rows of {columns}",
                x.len()
            );
            let scales = automatic.quantize(x, columns, y);
            self.blend(x, y);
            return scales;
        }
        if let Some(scalar) = Scalar::of(self)
            && !vector::apply(&scalar, x, y)
        {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = scalar.value(f64::from(x)) as f32;
            }
        }
        self.blend(x, y);
        vec![self.alpha().and_then(Alpha::constant).unwrap_or(1.0)]
    }

    /// Fake-quantizes f64 values with a single fixed scale: the same function of the real number as
    /// [`Quantizer::quantize`], for sums that f32 does not hold. Automatic scales are taken as 1, and
    /// products with a scale that is not a power of two are not rounded to f32.
    ///
    /// # Panics
    /// If `y` is shorter than `x`.
    pub fn quantize_f64(&self, x: &[f64], y: &mut [f64]) {
        assert_eq!(x.len(), y.len(), "x and y have the same length");
        let fixed = scale::with_unit_scale(self);
        let scalar = Scalar::of(&fixed).unwrap_or(Scalar::Identity);
        let noise = self.noise();
        for (y, &x) in y.iter_mut().zip(x) {
            *y = scalar.value(x);
            if let Some(f) = noise {
                let through = self.rectified(x);
                *y = through + f64::from(f) * (*y - through);
            }
        }
    }

    /// The scale setting, where the family has one.
    pub(crate) fn alpha(&self) -> Option<Alpha> {
        match self {
            Self::QuantizedBits(q) => Some(q.alpha),
            Self::Binary(q) | Self::StochasticBinary(q) => Some(q.alpha),
            Self::Ternary(q) => Some(q.alpha),
            _ => None,
        }
    }

    /// The share of the quantization error applied, where it is not all of it.
    pub(crate) fn noise(&self) -> Option<f32> {
        let factor = match self {
            Self::QuantizedBits(q) => q.qnoise_factor,
            Self::QuantizedRelu(q) => q.qnoise_factor,
            _ => 1.0,
        };
        (factor != 1.0).then_some(factor)
    }

    /// Blends quantized values with unquantized ones where `qnoise_factor` asks for it.
    fn blend(&self, x: &[f32], y: &mut [f32]) {
        let Some(f) = self.noise() else { return };
        for (y, &x) in y.iter_mut().zip(x) {
            let through = self.rectified(f64::from(x)) as f32;
            *y = through + f * (*y - through);
        }
    }

    /// What the quantizer would give without rounding: its rectifier and clip alone.
    fn rectified(&self, x: f64) -> f64 {
        let Self::QuantizedRelu(q) = self else {
            return x;
        };
        match q.gradient_bound() {
            Some(bound) if x > bound => bound,
            _ if x > 0.0 => x,
            _ => x * f64::from(q.negative_slope) + 0.0,
        }
    }
}
