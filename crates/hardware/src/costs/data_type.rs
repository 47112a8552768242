//! Data types of the energy model: what `QTools` knows about a quantizer.

use bitfront_quantizer::{HardwareKind, Quantizer};

/// The float that stands where a layer has no quantizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatFormat {
    /// 16 bits: the paper's setting.
    Half,
    /// 32 bits: the original's default.
    Single,
}

impl FloatFormat {
    /// Bits of one value.
    pub fn bits(self) -> u32 {
        match self {
            Self::Half => 16,
            Self::Single => 32,
        }
    }
}

/// The data type of a tensor: its kind and its width in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataType {
    /// What multiplying by such a value takes.
    pub kind: HardwareKind,
    /// Bits of one value.
    pub bits: u32,
    /// Bits left of the binary point, the sign included.
    pub integer_bits: i32,
    /// Whether there are negative values.
    pub signed: bool,
    /// Whether the quantizer's name starts with `stochastic` (the 0.8 model counts those wrong).
    pub stochastic: bool,
    /// For powers of two: smallest exponent negated, and largest exponent.
    pub exponents: Option<(u32, u32)>,
}

impl DataType {
    /// A fixed-point type of `bits`, of which `integer_bits` (sign included) stand left of the point.
    pub fn fixed(bits: u32, integer_bits: i32, signed: bool) -> Self {
        Self {
            kind: HardwareKind::Fixed,
            bits,
            integer_bits,
            signed,
            stochastic: false,
            exponents: None,
        }
    }

    /// A float.
    pub fn float(format: FloatFormat) -> Self {
        Self {
            kind: HardwareKind::Float,
            ..Self::fixed(format.bits(), format.bits() as i32, true)
        }
    }

    /// A constant of `bits` significant bits, shifted by wires. One bit is a sign and no multiplier.
    pub(crate) fn constant(bits: u32, signed: bool) -> Self {
        if bits <= 1 {
            return Self {
                kind: HardwareKind::Binary,
                ..Self::fixed(1, 1, true)
            };
        }
        let sign = u32::from(signed);
        Self::fixed(bits + sign, 1 + sign as i32, signed)
    }

    /// A type that holds the values of both: the larger of each width, as the original has it; a float
    /// where one is.
    #[must_use]
    pub(crate) fn hull(self, other: Self) -> Self {
        if self == other || self.is_float() {
            return self;
        }
        if other.is_float() {
            return other;
        }
        let (one, other) = (self.expanded(), other.expanded());
        Self::fixed(
            one.bits.max(other.bits),
            one.integer_bits.max(other.integer_bits),
            one.signed || other.signed,
        )
    }

    /// The type of a quantizer's values; `None` and the float references are `unquantized` floats.
    ///
    /// `quantized_relu(1,1)` is a {0, 1} gate, as `QTools` has it, while `quantized_bits(2,1)` stays
    /// a 2-bit multiplier although its values are those of `ternary`. Tables of real numbers
    /// ([`HardwareKind::Table`], `quantized_ulaw`) are fixed point of their stored bits, as in the
    /// original; they have no integer codes, so no circuit and no costs of a trained network.
    pub fn of(quantizer: Option<&Quantizer>, unquantized: FloatFormat) -> Self {
        let Some(quantizer) = quantizer else {
            return Self::float(unquantized);
        };
        match *quantizer {
            Quantizer::Float | Quantizer::Relu => Self::float(unquantized),
            Quantizer::QuantizedBits(q) => Self::fixed(
                q.bits,
                q.integer + i32::from(q.keep_negative),
                q.keep_negative,
            ),
            Quantizer::QuantizedRelu(q) => Self {
                kind: if q.bits == 1 && q.integer == 1 {
                    HardwareKind::ZeroOne
                } else {
                    HardwareKind::Fixed
                },
                ..Self::fixed(q.bits, q.integer, q.negative_slope != 0.0)
            },
            Quantizer::QuantizedLinear(q) => Self::fixed(
                q.bits,
                q.integer + i32::from(q.keep_negative),
                q.keep_negative,
            ),
            Quantizer::QuantizedHswish(q) => Self::fixed(q.grid.bits, q.grid.integer + 1, true),
            // The original takes the logarithmic law for fixed point.
            Quantizer::QuantizedUlaw(q) => Self::fixed(q.bits, q.integer + 1, true),
            Quantizer::QuantizedTanh(q) => Self::fixed(q.bits, 1, true),
            Quantizer::QuantizedSigmoid(q) => Self::fixed(q.bits, 0, false),
            Quantizer::Fixed(q) => Self::fixed(q.width, q.integer, q.signed),
            Quantizer::Binary(q) if q.use_01 => Self {
                kind: HardwareKind::ZeroOne,
                ..Self::fixed(1, 1, false)
            },
            Quantizer::Bernoulli(_) => Self {
                kind: HardwareKind::ZeroOne,
                ..Self::fixed(1, 1, false)
            },
            Quantizer::Binary(_) | Quantizer::StochasticBinary(_) => Self {
                kind: HardwareKind::Binary,
                stochastic: matches!(
                    quantizer,
                    Quantizer::StochasticBinary(_) | Quantizer::StochasticTernary(_)
                ),
                ..Self::fixed(1, 1, true)
            },
            Quantizer::Ternary(_) | Quantizer::StochasticTernary(_) => Self {
                kind: HardwareKind::Ternary,
                stochastic: matches!(
                    quantizer,
                    Quantizer::StochasticBinary(_) | Quantizer::StochasticTernary(_)
                ),
                ..Self::fixed(2, 2, true)
            },
            Quantizer::QuantizedPo2(q) => Self::power_of_two(q.bits, true, q.max_value),
            Quantizer::QuantizedReluPo2(q) => Self::power_of_two(q.bits, false, q.max_value),
        }
    }

    /// Exponents `-2^(n-1) ..= min(2^(n-1) - 1, ceil(log2 max_value))` of `n` bits without sign.
    fn power_of_two(bits: u32, signed: bool, max_value: Option<f32>) -> Self {
        let magnitude_bits = bits.saturating_sub(u32::from(signed)).clamp(1, 6);
        let half = 1_u32 << (magnitude_bits - 1);
        let bound = max_value.map_or(u32::MAX, |value| value.log2().ceil().max(0.0) as u32);
        Self {
            kind: HardwareKind::PowerOfTwo,
            exponents: Some((half, (half - 1).min(bound))),
            ..Self::fixed(bits, bits as i32, signed)
        }
    }

    /// The fixed-point type that holds every value: powers of two spread over their exponents.
    #[must_use]
    pub fn expanded(self) -> Self {
        match self.exponents {
            Some((below, above)) => Self::fixed(
                below + above + u32::from(self.signed),
                (above + u32::from(self.signed)) as i32,
                self.signed,
            ),
            None => self,
        }
    }

    /// Whether this is a float.
    pub fn is_float(self) -> bool {
        self.kind == HardwareKind::Float
    }
}
