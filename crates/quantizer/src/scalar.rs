//! The one scalar definition of every family with a fixed scale, in f64.
//!
//! The rule this module keeps: f64 holds every product here exactly for every f32 (and for sums of
//! up to 53 bits), so each value is the family's definition on the real number.

use crate::po2::{Exact, Exponents, flushed_power, power};
use crate::squash::Real;
use crate::{
    Fixed, QuantizedHswish, QuantizedLinear, QuantizedRelu, QuantizedSigmoid, QuantizedTanh,
    QuantizedUlaw, Quantizer, Sigmoid, StochasticTernary, Ternary,
};

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
    /// Inputs divided by a scale that is no power of two.
    Divided {
        scale: f64,
        lo: f64,
        hi: f64,
    },
    /// A sigmoid in front of a rectified grid, other than the plain hard one.
    Squashed(QuantizedRelu),
    Tanh(QuantizedTanh),
    Logistic(QuantizedSigmoid),
    Hswish {
        function: QuantizedHswish,
        fraction: i32,
        lo: i64,
        hi: i64,
        step: f64,
    },
    Ulaw(QuantizedUlaw),
    Fixed(Fixed),
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
                        to_code: power(q.code_fraction()),
                        lo: lo as f64,
                        hi: hi as f64,
                        step: alpha * power(-q.code_fraction()),
                        cap: f64::INFINITY,
                    }
                }
            }
            Quantizer::QuantizedRelu(q) => {
                let to_code = power(q.code_fraction());
                let step = power(-q.code_fraction());
                let levels = power(q.unsigned_bits() as i32);
                let hi = levels - 1.0;
                let cap = q.cut().map_or(f64::INFINITY, f64::from);
                if q.use_sigmoid && (q.negative_slope != 0.0 || q.sigmoid != Sigmoid::Hard) {
                    Self::Squashed(*q)
                } else if q.use_sigmoid {
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
            Quantizer::QuantizedLinear(q) => Self::linear(q)?,
            Quantizer::QuantizedTanh(q) if !q.use_real_tanh && q.sigmoid == Sigmoid::Hard => {
                let (lo, hi) = q.code_range();
                Self::Uniform {
                    to_code: power(q.code_fraction()),
                    lo: lo as f64,
                    hi: hi as f64,
                    step: power(-q.code_fraction()),
                    cap: f64::INFINITY,
                }
            }
            Quantizer::QuantizedTanh(q) => Self::Tanh(*q),
            Quantizer::QuantizedSigmoid(q) => Self::Logistic(*q),
            Quantizer::QuantizedUlaw(q) => Self::Ulaw(*q),
            Quantizer::QuantizedHswish(q) => {
                let alpha = f64::from(q.grid.alpha.constant()?);
                let (lo, hi) = q.grid.code_range();
                let fraction = q.grid.code_fraction();
                Self::Hswish {
                    function: *q,
                    fraction,
                    lo,
                    hi,
                    step: alpha * power(-fraction),
                }
            }
            Quantizer::Fixed(q) if q.is_clamp() => {
                let (lo, hi) = q.code_range();
                Self::Uniform {
                    to_code: power(q.fraction()),
                    lo: lo as f64,
                    hi: hi as f64,
                    step: power(-q.fraction()),
                    cap: f64::INFINITY,
                }
            }
            Quantizer::Fixed(q) => Self::Fixed(*q),
            Quantizer::Binary(q) => {
                let alpha = f64::from(q.alpha.constant()?);
                Self::Sign {
                    below: if q.use_01 { 0.0 } else { -alpha },
                    above: alpha,
                }
            }
            Quantizer::StochasticBinary(q) => {
                let alpha = f64::from(q.alpha.constant()?);
                Self::Sign {
                    below: -alpha,
                    above: alpha,
                }
            }
            Quantizer::Bernoulli(q) => Self::Sign {
                below: 0.0,
                above: f64::from(q.alpha.constant()?),
            },
            Quantizer::Ternary(q)
            | Quantizer::StochasticTernary(StochasticTernary { ternary: q, .. }) => Self::Ternary {
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

    /// About how many values a slow monotone function has; `None` for all others.
    pub(crate) fn table_values(&self) -> Option<usize> {
        let bits = match self {
            Self::Tanh(q) => q.bits,
            Self::Logistic(q) => q.bits,
            Self::Ulaw(q) => q.bits,
            Self::Squashed(q) => q.bits + 1,
            _ => return None,
        };
        Some(1 << bits)
    }

    fn linear(q: &QuantizedLinear) -> Option<Self> {
        let scale = f64::from(q.alpha.constant()?) * q.unit();
        let (lo, hi) = q.code_range();
        Some(if q.is_sign() {
            Self::Sign {
                below: -scale / 2.0,
                above: scale / 2.0,
            }
        } else if q.alpha.exponent().is_some() {
            Self::Uniform {
                to_code: 1.0 / scale,
                lo: lo as f64,
                hi: hi as f64,
                step: scale,
                cap: f64::INFINITY,
            }
        } else {
            Self::Divided {
                scale: f64::from(scale as f32),
                lo: lo as f64,
                hi: hi as f64,
            }
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
            Self::Divided { scale, lo, hi } => {
                (x / scale).max(lo).min(hi).round_ties_even() * scale + 0.0
            }
            Self::Squashed(q) => {
                let cap = q.cut().map_or(f64::INFINITY, f64::from);
                let code = q.squashed_code(Real::of(x).times_power(-q.integer));
                (code * 2f64.powi(-q.code_fraction()) + 0.0).min(cap)
            }
            Self::Tanh(q) => q.code(Real::of(x)) as f64 * 2f64.powi(-q.code_fraction()),
            Self::Logistic(q) => q.code(Real::of(x)) as f64 * 2f64.powi(-(q.bits as i32)),
            Self::Hswish {
                function,
                fraction,
                lo,
                hi,
                step,
            } => function.code(Real::of(x), fraction, lo, hi) as f64 * step,
            Self::Ulaw(q) => q.value(q.index(Real::of(x))),
            Self::Fixed(q) => {
                let x = if x.is_nan() {
                    0.0
                } else {
                    x.clamp(-f64::MAX, f64::MAX)
                };
                q.code_of_f64(x) as f64 * 2f64.powi(-q.fraction())
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
