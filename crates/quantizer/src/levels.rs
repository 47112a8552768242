//! What a quantizer tells about itself: bits, sign, hardware kind, ranges.

use crate::arguments::power_of_two;
use crate::po2::{Exponents, flushed_power};
use crate::{Alpha, HardwareKind, QuantizedBits, QuantizedRelu, Quantizer};

impl Alpha {
    /// The fixed factor: 1 where none is given, `None` where it is found per tensor.
    pub(crate) fn constant(self) -> Option<f32> {
        match self {
            Self::None => Some(1.0),
            Self::Constant(a) => Some(a),
            Self::Auto | Self::AutoPo2 => None,
        }
    }

    /// The fixed factor's exponent where it is a power of two.
    pub(crate) fn exponent(self) -> Option<i32> {
        self.constant().and_then(power_of_two)
    }
}

impl QuantizedBits {
    /// Bits that carry magnitude: all but the sign.
    pub(crate) fn unsigned_bits(&self) -> u32 {
        self.bits - u32::from(self.keep_negative)
    }

    /// Smallest and largest code before the scale (for one signed bit: -1 and +1).
    pub(crate) fn code_range(&self) -> (i64, i64) {
        let m = 1i64 << self.unsigned_bits();
        if self.unsigned_bits() == 0 {
            (-1, 1)
        } else if self.keep_negative {
            (i64::from(self.symmetric) - m, m - 1)
        } else {
            (0, m - 1)
        }
    }

    /// Fraction bits of the codes before the scale (one signed bit ignores `integer`).
    pub(crate) fn code_fraction(&self) -> i32 {
        if self.unsigned_bits() == 0 {
            0
        } else {
            self.unsigned_bits() as i32 - self.integer
        }
    }
}

impl QuantizedRelu {
    /// Bits that carry magnitude: all but the sign that a negative slope needs.
    pub(crate) fn unsigned_bits(&self) -> u32 {
        self.bits - u32::from(self.negative_slope != 0.0)
    }

    /// Fraction bits of the codes.
    pub(crate) fn code_fraction(&self) -> i32 {
        self.unsigned_bits() as i32 - self.integer
    }

    /// The upper bound where it cuts the values.
    pub(crate) fn cut(&self) -> Option<f32> {
        self.relu_upper_bound.filter(|_| !self.is_quantized_clip)
    }
}

impl Quantizer {
    /// Stored bits a value: 1 for the binary families, 2 for ternary, 32 for the float references.
    pub fn bits(&self) -> u32 {
        match self {
            Self::Float | Self::Relu => 32,
            Self::QuantizedBits(q) => q.bits,
            Self::QuantizedRelu(q) => q.bits,
            Self::Binary(_) | Self::StochasticBinary(_) => 1,
            Self::Ternary(_) => 2,
            Self::QuantizedPo2(q) => q.bits,
            Self::QuantizedReluPo2(q) => q.bits,
        }
    }

    /// Whether negative values occur.
    pub fn is_signed(&self) -> bool {
        match self {
            Self::Float | Self::Ternary(_) | Self::QuantizedPo2(_) => true,
            Self::Relu => false,
            Self::QuantizedBits(q) => q.keep_negative,
            Self::QuantizedRelu(q) => q.negative_slope != 0.0,
            Self::Binary(q) | Self::StochasticBinary(q) => !q.use_01,
            Self::QuantizedReluPo2(q) => q.negative_slope != 0.0,
        }
    }

    /// What multiplying by a value of this quantizer takes in hardware (`QTools`' types:
    /// `quantized_relu(1,1)` counts as {0,1}, `quantized_bits(2,1)` stays fixed point).
    pub fn hardware_kind(&self) -> HardwareKind {
        match self {
            Self::Float | Self::Relu => HardwareKind::Float,
            Self::QuantizedRelu(q) if q.bits == 1 && q.integer == 1 => HardwareKind::ZeroOne,
            Self::QuantizedBits(_) | Self::QuantizedRelu(_) => HardwareKind::Fixed,
            Self::Binary(q) if q.use_01 => HardwareKind::ZeroOne,
            Self::Binary(_) | Self::StochasticBinary(_) => HardwareKind::Binary,
            Self::Ternary(_) => HardwareKind::Ternary,
            Self::QuantizedPo2(_) | Self::QuantizedReluPo2(_) => HardwareKind::PowerOfTwo,
        }
    }

    /// Whether training draws at random (`stochastic_*`); scoring never does.
    pub fn is_stochastic(&self) -> bool {
        matches!(self, Self::StochasticBinary(_))
    }

    /// Smallest and largest value it gives (automatic scales taken as 1, quantization error applied
    /// in full; infinite for the float references).
    pub fn true_range(&self) -> (f64, f64) {
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
                let auto = q.alpha.constant().is_none();
                let lo = if auto { -hi } else { lo };
                scaled(q.alpha, lo as f64 * step, hi as f64 * step)
            }
            Self::QuantizedRelu(q) => {
                let m = 2f64.powi(q.unsigned_bits() as i32);
                let limit = 2f64.powi(q.integer);
                let hi = limit * (1.0 - 1.0 / m);
                let hi = q.cut().map_or(hi, |cut| hi.min(f64::from(cut)));
                (0.0 - limit * f64::from(q.negative_slope), hi)
            }
            Self::Binary(q) | Self::StochasticBinary(q) => {
                scaled(q.alpha, if q.use_01 { 0.0 } else { -1.0 }, 1.0)
            }
            Self::Ternary(q) => scaled(q.alpha, -1.0, 1.0),
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
    /// the float reference.
    pub fn reported_range(&self) -> (Option<f64>, f64) {
        let two = |alpha: Alpha| f64::from(alpha.constant().unwrap_or(1.0)).max(1.0);
        match self {
            Self::Float => (None, f64::INFINITY),
            Self::Relu => (Some(0.0), f64::INFINITY),
            Self::QuantizedBits(q) => {
                let hi = 2f64.powi(q.integer).max(1.0);
                (Some(if q.keep_negative { -hi } else { 0.0 }), hi)
            }
            Self::QuantizedRelu(q) => {
                let limit = 2f64.powi(q.integer);
                (
                    Some(0.0 - limit * f64::from(q.negative_slope)),
                    limit.max(1.0),
                )
            }
            Self::Binary(q) | Self::StochasticBinary(q) => {
                let hi = two(q.alpha);
                (Some(if q.use_01 { 0.0 } else { -hi }), hi)
            }
            Self::Ternary(q) => (Some(-two(q.alpha)), two(q.alpha)),
            Self::QuantizedPo2(q) => {
                let hi = q
                    .max_value
                    .map_or_else(|| 2f64.powi(Exponents::of_po2(q).max), f64::from);
                (Some(-hi), hi)
            }
            Self::QuantizedReluPo2(q) => {
                let e = Exponents::of_relu_po2(q);
                let hi = q.max_value.map_or_else(|| 2f64.powi(e.max), f64::from);
                let lo = if q.negative_slope == 0.0 {
                    2f64.powi(e.min)
                } else {
                    -hi / f64::from(q.negative_slope)
                };
                (Some(lo), hi)
            }
        }
    }
}
