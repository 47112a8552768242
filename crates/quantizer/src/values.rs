//! Representable values, and codes of single values and back.

use crate::po2::{Exponents, flushed_power};
use crate::squash::Real;
use crate::{NotExact, Quantizer, Role};

/// Most values that are listed.
pub(crate) const MOST_LEVELS: i64 = 65_536;

/// Most bits of a squashed rectifier whose values are searched for.
const MOST_SQUASHED_BITS: i32 = 14;

impl Quantizer {
    /// All values it gives, ascending; an automatic scale is taken as one. `None` for the float
    /// references, for `qnoise_factor` below 1 for more than 65,536 values, and for `quantized_relu`
    /// with `use_sigmoid` above 14 bits.
    pub fn levels(&self) -> Option<Vec<f64>> {
        if self.noise().factor != 1.0 {
            return None;
        }
        let fixed = self.with_unit_scale();
        match &fixed {
            Self::Float | Self::Relu => None,
            Self::QuantizedPo2(q) => {
                let sizes = Exponents::of_po2(q).all();
                let mut values: Vec<f64> = sizes.iter().map(|e| flushed_power(*e)).collect();
                values.extend(sizes.iter().map(|e| 0.0 - flushed_power(*e)));
                Some(ascending(values))
            }
            Self::QuantizedReluPo2(q) => {
                let sizes = Exponents::of_relu_po2(q).all();
                let mut values: Vec<f64> = sizes.iter().map(|e| flushed_power(*e)).collect();
                if q.negative_slope != 0.0 {
                    values.extend(sizes.iter().map(|e| 0.0 - flushed_power(*e)));
                }
                Some(ascending(values))
            }
            Self::QuantizedUlaw(q) => {
                let values = (0..q.positions()).map(|i| q.value(i)).collect();
                Some(ascending(values))
            }
            Self::QuantizedRelu(q) if q.use_sigmoid => {
                if q.squashed_bits() > MOST_SQUASHED_BITS {
                    return None;
                }
                // Both parts turn at their own inputs: the values on either side of every one.
                let step = 2f64.powi(-q.code_fraction());
                let cap = q.cut().map_or(f64::INFINITY, f64::from);
                let inputs = q.squashed_inputs();
                let values = inputs.map(|x| (q.squashed_code(Real::of(x)) * step + 0.0).min(cap));
                Some(ascending(values.collect()))
            }
            _ => fixed.spaced_levels(),
        }
    }

    /// Values of families whose every code is given.
    fn spaced_levels(&self) -> Option<Vec<f64>> {
        let (codes, step) = match self {
            Self::QuantizedBits(q) if q.unsigned_bits() == 0 => (vec![-1, 1], 1.0),
            Self::QuantizedBits(q) => {
                let (lo, hi) = q.code_range();
                (listed(lo, hi)?, 2f64.powi(-q.code_fraction()))
            }
            Self::QuantizedLinear(q) if q.is_sign() => (vec![-1, 1], q.code_unit()),
            Self::QuantizedLinear(q) => {
                let (lo, hi) = q.code_range();
                (listed(lo, hi)?, q.code_unit())
            }
            Self::Binary(q) if !q.use_01 => (vec![-1, 1], 1.0),
            Self::StochasticBinary(_) => (vec![-1, 1], 1.0),
            Self::QuantizedRelu(q) => {
                let (lo, hi) = self.true_range();
                let step = 2f64.powi(-q.code_fraction());
                let first = (lo / step).ceil() as i64;
                let mut values = scaled(&listed(first, (hi / step).floor() as i64)?, step);
                // Ends that are on no step: a slope's floor within one, a bound.
                values.extend([lo, hi]);
                return Some(ascending(values));
            }
            _ => {
                let (lo, hi) = self.true_range();
                let step = self.true_step();
                let codes = listed((lo / step).round() as i64, (hi / step).round() as i64)?;
                return Some(scaled(&codes, step));
            }
        };
        let alpha = f64::from(self.alpha().constant().unwrap_or(1.0));
        let values = scaled(&codes, step);
        // Values are f32: a scale with many bits is rounded with its level.
        Some(
            values
                .iter()
                .map(|v| f64::from((alpha * v) as f32))
                .collect(),
        )
    }

    /// The step of families that give every multiple of it within their range.
    fn true_step(&self) -> f64 {
        let alpha = f64::from(self.alpha().constant().unwrap_or(1.0));
        match self {
            Self::QuantizedTanh(q) => 2f64.powi(-q.code_fraction()),
            Self::QuantizedSigmoid(q) => 2f64.powi(-(q.bits as i32)),
            Self::QuantizedHswish(q) => alpha * 2f64.powi(-q.grid.code_fraction()),
            Self::Fixed(q) => 2f64.powi(-q.fraction()),
            _ => alpha,
        }
    }

    /// The code of the value that `x` is quantized to, on this quantizer's activation grid (for
    /// `quantized_ulaw`: its position in [`Quantizer::levels`]).
    ///
    /// # Errors
    /// [`NotExact`] as for [`Quantizer::grid`], and for numbers that are not finite.
    pub fn code(&self, x: f64) -> Result<i64, NotExact> {
        let role = Role::Activation;
        if !x.is_finite() {
            return Err(self.refuse(role, format!("{x} is not a finite number")));
        }
        if let Self::QuantizedUlaw(q) = self {
            let value = q.value(q.index(Real::of(x)));
            let levels = self.levels().unwrap_or_default();
            return Ok(levels.partition_point(|v| *v < value) as i64);
        }
        let grid = self.grid(role)?;
        let Real { mantissa, exponent } = Real::of(x);
        Ok(self.code_on(grid, mantissa, -exponent))
    }

    /// The value of a code, as [`Quantizer::code`] gives them.
    ///
    /// # Errors
    /// [`NotExact`] as for [`Quantizer::grid`], and for codes out of its range.
    pub fn value_of(&self, code: i64) -> Result<f64, NotExact> {
        let role = Role::Activation;
        let outside =
            |lo: i64, hi: i64| self.refuse(role, format!("code {code} is not within {lo} to {hi}"));
        if matches!(self, Self::QuantizedUlaw(_)) {
            let levels = self.levels().unwrap_or_default();
            let at = usize::try_from(code).ok().and_then(|at| levels.get(at));
            return at
                .copied()
                .ok_or_else(|| outside(0, levels.len() as i64 - 1));
        }
        let grid = self.grid(role)?;
        if (grid.lo..=grid.hi).contains(&code) {
            Ok(code as f64 * 2f64.powi(-grid.fraction))
        } else {
            Err(outside(grid.lo, grid.hi))
        }
    }
}

/// The codes `lo..=hi`, if they are not too many.
fn listed(lo: i64, hi: i64) -> Option<Vec<i64>> {
    (hi - lo < MOST_LEVELS).then(|| (lo..=hi).collect())
}

fn scaled(codes: &[i64], step: f64) -> Vec<f64> {
    codes.iter().map(|c| *c as f64 * step + 0.0).collect()
}

/// Sorted, without repetitions.
fn ascending(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}
