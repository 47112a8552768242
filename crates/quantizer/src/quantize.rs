//! Fake-quantization of slices.
//!
//! The rule this module keeps: families with a fixed scale have one scalar definition
//! ([`Scalar`], in f64, exact for every f32); the f32 loops of [`vector`] repeat it bit for bit.

use crate::scalar::Scalar;
use crate::scale::{self, Automatic};
use crate::vector;
use crate::{Alpha, Quantizer};

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

    /// The same quantizer with another scale setting, where the family has one.
    pub(crate) fn with_alpha(&self, alpha: Alpha) -> Self {
        let mut other = *self;
        match &mut other {
            Self::QuantizedBits(q) => q.alpha = alpha,
            Self::Binary(q) | Self::StochasticBinary(q) => q.alpha = alpha,
            Self::Ternary(q) => q.alpha = alpha,
            _ => {}
        }
        other
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
