//! What a quantizer tells about itself: bits, sign, hardware kind, ranges.

use bitfront_kernel::ln;

use crate::Sigmoid;
use crate::arguments::power_of_two;
use crate::squash::Real;
use crate::{
    Alpha, HardwareKind, QuantizedBits, QuantizedLinear, QuantizedRelu, Quantizer, Rounding,
};

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

    /// The code behind a sigmoid of `x` (in units of `2^integer`); fractional where the slope ends
    /// within one step.
    pub(crate) fn squashed_code(&self, x: Real) -> f64 {
        let n = self.unsigned_bits() as i32;
        let top = 1i64 << n;
        let above = (2 * self.sigmoid.level(x, n) - top).clamp(0, top - 1) as f64;
        let Some(slope) = power_of_two(self.negative_slope) else {
            return above;
        };
        // The original rounds the scaled sigmoid, which for slopes within a step is always zero.
        let floor = 2f64.powi(n + slope);
        let below = 2.0 * self.sigmoid.level(x, n + slope) as f64 - floor;
        above + below.clamp(-floor, 0.0)
    }

    /// Bits of the finer of both parts behind a sigmoid.
    pub(crate) fn squashed_bits(&self) -> i32 {
        let slope = power_of_two(self.negative_slope).unwrap_or(0);
        self.unsigned_bits() as i32 + slope.max(0)
    }

    /// Inputs at, just below and just above every step of the sigmoid, and beyond its ends.
    pub(crate) fn squashed_inputs(&self) -> impl Iterator<Item = f64> {
        // Halves of the finest of both grids.
        let fine = 2 * (1i64 << self.squashed_bits());
        let sigmoid = self.sigmoid;
        (0..=fine).flat_map(move |k| {
            let p = k as f64 / fine as f64;
            let x = match sigmoid {
                Sigmoid::Hard => 2.0 * p - 1.0,
                Sigmoid::Smooth => (2.0 * p - 1.0) * (8.0 / 3.0),
                Sigmoid::Real => ln((p / (1.0 - p)).clamp(1e-18, 1e18)),
            };
            [x - 1e-9, x, x + 1e-9]
        })
    }

    /// The upper bound where it cuts the values.
    pub(crate) fn cut(&self) -> Option<f32> {
        self.relu_upper_bound.filter(|_| !self.is_quantized_clip)
    }
}

impl QuantizedLinear {
    /// The step where the scale is 1.
    pub(crate) fn unit(&self) -> f64 {
        2f64.powi(self.integer - self.bits as i32 + i32::from(self.keep_negative))
    }

    /// One signed bit: half a step up or down.
    pub(crate) fn is_sign(&self) -> bool {
        self.bits == 1 && self.keep_negative
    }

    /// Smallest and largest code (for one signed bit: half steps).
    pub(crate) fn code_range(&self) -> (i64, i64) {
        let m = 1i64 << (self.bits - u32::from(self.keep_negative));
        if self.is_sign() {
            (-1, 1)
        } else if self.keep_negative {
            (i64::from(self.symmetric) - m, m - 1)
        } else {
            (0, m - 1)
        }
    }

    /// Step of the codes where the scale is 1, one signed bit included.
    pub(crate) fn code_unit(&self) -> f64 {
        if self.is_sign() {
            self.unit() / 2.0
        } else {
            self.unit()
        }
    }
}

impl Quantizer {
    /// Stored bits a value: 1 for the binary families, 2 for ternary, 32 for the float references.
    pub fn bits(&self) -> u32 {
        match self {
            Self::Float | Self::Relu => 32,
            Self::QuantizedBits(q) => q.bits,
            Self::QuantizedLinear(q) => q.bits,
            Self::QuantizedRelu(q) => q.bits,
            Self::QuantizedUlaw(q) => q.bits,
            Self::QuantizedTanh(q) => q.bits,
            Self::QuantizedSigmoid(q) => q.bits,
            Self::QuantizedHswish(q) => q.grid.bits,
            Self::Binary(_) | Self::StochasticBinary(_) | Self::Bernoulli(_) => 1,
            Self::Ternary(_) | Self::StochasticTernary(_) => 2,
            Self::QuantizedPo2(q) => q.bits,
            Self::QuantizedReluPo2(q) => q.bits,
            Self::Fixed(q) => q.width,
        }
    }

    /// Whether negative values occur.
    pub fn is_signed(&self) -> bool {
        match self {
            Self::Float
            | Self::Ternary(_)
            | Self::StochasticTernary(_)
            | Self::StochasticBinary(_)
            | Self::QuantizedPo2(_)
            | Self::QuantizedUlaw(_)
            | Self::QuantizedHswish(_)
            | Self::QuantizedTanh(_) => true,
            Self::Relu | Self::Bernoulli(_) | Self::QuantizedSigmoid(_) => false,
            // The original takes signs along where it finds the scale.
            Self::QuantizedBits(q) => q.keep_negative || q.alpha.constant().is_none(),
            Self::QuantizedLinear(q) => q.keep_negative,
            Self::QuantizedRelu(q) => q.negative_slope != 0.0,
            Self::Binary(q) => !q.use_01,
            Self::QuantizedReluPo2(q) => q.negative_slope != 0.0,
            Self::Fixed(q) => q.signed,
        }
    }

    /// What multiplying by a value of this quantizer takes in hardware (`QTools`' types:
    /// `quantized_relu(1,1)` counts as {0,1}, `quantized_bits(2,1)` stays fixed point;
    /// `quantized_ulaw`, whose values are on no grid, is a table where `QTools` has a multiplier).
    pub fn hardware_kind(&self) -> HardwareKind {
        match self {
            Self::Float | Self::Relu => HardwareKind::Float,
            Self::QuantizedRelu(q) if q.bits == 1 && q.integer == 1 => HardwareKind::ZeroOne,
            Self::QuantizedBits(_)
            | Self::QuantizedLinear(_)
            | Self::QuantizedRelu(_)
            | Self::QuantizedTanh(_)
            | Self::QuantizedSigmoid(_)
            | Self::QuantizedHswish(_)
            | Self::Fixed(_) => HardwareKind::Fixed,
            Self::QuantizedUlaw(_) => HardwareKind::Table,
            Self::Binary(q) if q.use_01 => HardwareKind::ZeroOne,
            Self::Bernoulli(_) => HardwareKind::ZeroOne,
            Self::Binary(_) | Self::StochasticBinary(_) => HardwareKind::Binary,
            Self::Ternary(_) | Self::StochasticTernary(_) => HardwareKind::Ternary,
            Self::QuantizedPo2(_) | Self::QuantizedReluPo2(_) => HardwareKind::PowerOfTwo,
        }
    }

    /// Whether training draws at random (`stochastic_*`, `bernoulli`, stochastic rounding); scoring
    /// never does, but for `bernoulli`, which it refuses.
    pub fn is_stochastic(&self) -> bool {
        matches!(
            self,
            Self::StochasticBinary(_) | Self::StochasticTernary(_) | Self::Bernoulli(_)
        ) || self.rounding() != Rounding::Nearest
    }

    /// Rounding in training.
    pub(crate) fn rounding(&self) -> Rounding {
        match self {
            Self::QuantizedBits(q) => q.rounding,
            Self::QuantizedLinear(q) => q.rounding,
            Self::QuantizedRelu(q) => q.rounding,
            Self::QuantizedTanh(q) => q.rounding,
            Self::QuantizedSigmoid(q) => q.rounding,
            Self::QuantizedHswish(q) => q.grid.rounding,
            Self::Binary(q) => q.rounding,
            Self::Ternary(q) => q.rounding,
            Self::QuantizedPo2(q) => q.rounding,
            Self::QuantizedReluPo2(q) => q.rounding,
            _ => Rounding::Nearest,
        }
    }
}
