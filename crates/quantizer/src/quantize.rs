//! Fake-quantization of slices.
//!
//! The rule this module keeps: families with a fixed scale have one scalar definition
//! ([`Scalar`], in f64, exact for every f32); the f32 loops of [`vector`] repeat it bit for bit.

use crate::scalar::Scalar;
use crate::scale::Automatic;
use crate::{Alpha, Noise, QuantizedHswish, Quantizer, Workspace};
use crate::{table, vector};

impl Quantizer {
    /// Fake-quantizes `x` (row-major, `columns` channels in the last axis; a vector is one row)
    /// into `y`, and returns the scale of each column as `QKeras` reports it (one where the tensor
    /// has a single one, 1 where the family has none). Nothing is drawn at random: `bernoulli`
    /// gives its likelier value.
    ///
    /// # Panics
    /// If `y` is shorter than `x`, or `x` is not whole rows of `columns`.
    pub fn quantize(&self, x: &[f32], columns: usize, y: &mut [f32]) -> Vec<f32> {
        let mut memory = Workspace::default();
        self.quantize_in(x, columns, y, &mut memory);
        memory.scales
    }

    /// The same in memory that is kept between calls; the scales are left there.
    ///
    /// # Panics
    /// As [`Quantizer::quantize`].
    pub fn quantize_in(&self, x: &[f32], columns: usize, y: &mut [f32], memory: &mut Workspace) {
        assert_eq!(x.len(), y.len(), "x and y have the same length");
        if let Some(automatic) = Automatic::of(self) {
            assert!(
                columns > 0 && x.len().is_multiple_of(columns),
                "{} values are whole rows of {columns}",
                x.len()
            );
            let mut before = std::mem::take(&mut memory.before_grid);
            automatic.quantize(self.before_grid(x, &mut before), columns, y, memory);
            memory.before_grid = before;
        } else {
            if let Some(scalar) = Scalar::of(self)
                && !vector::apply(&scalar, x, y)
                && !table::apply(self, &scalar, x, y, memory)
            {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = scalar.value(f64::from(x)) as f32;
                }
            }
            memory.set_scale(self.alpha().constant().unwrap_or(1.0));
        }
        self.blend(x, y);
    }

    /// Fake-quantizes f64 values with a single fixed scale: the same function of the real number as
    /// [`Quantizer::quantize`], for sums that f32 does not hold. Automatic scales are taken as 1, and
    /// products with a scale that is not a power of two are not rounded to f32.
    ///
    /// # Panics
    /// If `y` is shorter than `x`.
    pub fn quantize_f64(&self, x: &[f64], y: &mut [f64]) {
        assert_eq!(x.len(), y.len(), "x and y have the same length");
        let fixed = self.with_unit_scale();
        let scalar = Scalar::of(&fixed).unwrap_or(Scalar::Identity);
        let noise = self.noise();
        for (y, &x) in y.iter_mut().zip(x) {
            *y = scalar.value(x);
            if noise.factor != 1.0 {
                let through = self.rectified(x);
                *y = through + f64::from(noise.factor) * (*y - through);
            }
        }
    }

    /// The scale setting; none where the family has no scale.
    pub fn alpha(&self) -> Alpha {
        match self {
            Self::QuantizedBits(q) => q.alpha,
            Self::QuantizedLinear(q) => q.alpha,
            Self::QuantizedHswish(q) => q.grid.alpha,
            Self::Binary(q) => q.alpha,
            Self::StochasticBinary(q) | Self::Bernoulli(q) => q.alpha,
            Self::Ternary(q) => q.alpha,
            Self::StochasticTernary(q) => q.ternary.alpha,
            _ => Alpha::None,
        }
    }

    /// Whether the scale is found from the tensor (`alpha='auto'` and `'auto_po2'`).
    pub fn has_automatic_scale(&self) -> bool {
        self.alpha().constant().is_none()
    }

    /// The same quantizer with another scale setting, where the family has one.
    pub(crate) fn with_alpha(&self, alpha: Alpha) -> Self {
        let mut other = *self;
        match &mut other {
            Self::QuantizedBits(q) => q.alpha = alpha,
            Self::QuantizedLinear(q) => q.alpha = alpha,
            Self::QuantizedHswish(q) => q.grid.alpha = alpha,
            Self::Binary(q) => q.alpha = alpha,
            Self::StochasticBinary(q) | Self::Bernoulli(q) => q.alpha = alpha,
            Self::Ternary(q) => q.alpha = alpha,
            Self::StochasticTernary(q) => q.ternary.alpha = alpha,
            _ => {}
        }
        other
    }

    /// The same quantizer with an automatic scale replaced by 1.
    pub(crate) fn with_unit_scale(&self) -> Self {
        if !self.has_automatic_scale() {
            return *self;
        }
        let mut fixed = self.with_alpha(Alpha::None);
        if let Self::QuantizedBits(q) | Self::QuantizedHswish(QuantizedHswish { grid: q, .. }) =
            &mut fixed
        {
            // The scale is found for a symmetric, signed grid.
            q.symmetric = true;
            if !q.keep_negative {
                q.keep_negative = true;
                q.integer -= 1;
            }
        }
        fixed
    }

    /// The share of the quantization error applied, and how gradients see it.
    pub(crate) fn noise(&self) -> Noise {
        match self {
            Self::QuantizedBits(q) => q.noise,
            Self::QuantizedHswish(q) => q.grid.noise,
            Self::QuantizedRelu(q) => q.noise,
            Self::QuantizedPo2(q) => q.noise,
            Self::QuantizedReluPo2(q) => q.noise,
            Self::QuantizedLinear(q) => Noise {
                factor: q.qnoise_factor,
                ..Noise::default()
            },
            _ => Noise::default(),
        }
    }

    /// What the grid of a family with a function in front sees; written to `seen` where that is not `x`.
    pub(crate) fn before_grid<'a>(&self, x: &'a [f32], seen: &'a mut Vec<f32>) -> &'a [f32] {
        match self {
            Self::QuantizedHswish(q) => {
                seen.clear();
                seen.extend(x.iter().map(|x| q.function_f32(*x)));
                seen
            }
            _ => x,
        }
    }

    /// Blends quantized values with unquantized ones where `qnoise_factor` asks for it.
    pub(crate) fn blend(&self, x: &[f32], y: &mut [f32]) {
        let noise = self.noise();
        if noise.factor == 1.0 {
            return;
        }
        for (y, &x) in y.iter_mut().zip(x) {
            let through = match self {
                Self::QuantizedHswish(q) => q.function_f32(x),
                _ => self.rectified(f64::from(x)) as f32,
            };
            *y = if noise.straight_through {
                through + noise.factor * (*y - through)
            } else {
                (1.0 - noise.factor) * through + noise.factor * *y
            };
            // Minus zero never comes out.
            *y += 0.0;
        }
    }

    /// What the quantizer would give without rounding: its function and clip alone.
    fn rectified(&self, x: f64) -> f64 {
        let leaky = |slope: f32, bound: Option<f64>| match bound {
            Some(bound) if x > bound => bound,
            _ if x > 0.0 => x,
            _ => x * f64::from(slope) + 0.0,
        };
        match self {
            Self::QuantizedRelu(q) => leaky(q.negative_slope, q.gradient_bound()),
            Self::QuantizedReluPo2(q) => leaky(q.negative_slope, q.max_value.map(f64::from)),
            Self::QuantizedHswish(q) => q.function(x),
            _ => x,
        }
    }
}
