//! Codes of a trained tensor whose real scales become constants.
//!
//! The rule this module keeps: a frozen value is `code * multiplier * 2^-fraction` exactly; where a
//! scale is a power of two the multiplier is 1 and the value is what [`Quantizer::quantize`] gives,
//! and where it is any real number it is rounded to `scale_bits` significant bits first.

use crate::arguments::power_of_two;
use crate::po2::Exact;
use crate::scale::Automatic;
use crate::{Alpha, NotExact, Quantizer, Role, Workspace};

/// Integer codes of a frozen tensor: value = code * multiplier * 2^-fraction of its column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrozenCodes {
    /// Codes before the scale, in the tensor's own order.
    pub codes: Vec<i64>,
    /// Fraction bits, one a column (one in all when the tensor has a single scale).
    pub fraction: Vec<i32>,
    /// Constants that stand for real scales, as many as there are fractions: odd and positive, 0 for
    /// a column whose scale came out as zero, and 1 wherever the scale is a power of two.
    pub multiplier: Vec<i64>,
}

/// Most significant bits of a frozen scale.
const MOST_SCALE_BITS: u32 = 24;

/// The number nearest to `x` with at most `bits` (1 to 53) significant bits, ties to even, as
/// `(mantissa, exponent)` of `mantissa * 2^exponent`. The mantissa is odd, or zero with exponent 0,
/// so that a power of two has the mantissa 1. NaN gives zero, infinities the largest finite value.
///
/// ```
/// use bitfront_quantizer::significant;
/// assert_eq!(significant(0.375, 12), (3, -3));
/// assert_eq!(significant(-5.0, 2), (-1, 2)); // halfway between 4 and 6
/// assert_eq!(significant(0.0, 12), (0, 0));
/// ```
pub fn significant(x: f64, bits: u32) -> (i64, i32) {
    if x.is_nan() || x == 0.0 {
        return (0, 0);
    }
    let Exact { mantissa, exponent } = Exact::of(x.clamp(-f64::MAX, f64::MAX));
    let spare = mantissa.ilog2() + 1;
    let drop = spare.saturating_sub(bits.clamp(1, 53));
    let kept = mantissa >> drop;
    let rest = mantissa - (kept << drop);
    let half = if drop == 0 { 0 } else { 1u64 << (drop - 1) };
    let up = rest > half || (drop > 0 && rest == half && kept & 1 == 1);
    let rounded = kept + u64::from(up);
    let zeros = rounded.trailing_zeros();
    let odd = (rounded >> zeros) as i64;
    let exponent = exponent + (drop + zeros) as i32;
    (if x < 0.0 { -odd } else { odd }, exponent)
}

impl Quantizer {
    /// Whether [`Quantizer::codes_frozen`] has codes in a role: as [`Quantizer::check_exact`], and
    /// besides kernels and biases with `alpha='auto'`.
    ///
    /// # Errors
    /// [`NotExact`] as for [`Quantizer::check_exact`], but for `alpha='auto'` on kernels and biases.
    pub fn check_frozen(&self, role: Role) -> Result<(), NotExact> {
        if self.alpha() == Alpha::Auto && matches!(role, Role::Kernel | Role::Bias) {
            // What else may be against it is the same for scales that are powers of two.
            self.with_alpha(Alpha::AutoPo2)
                .check_exact(role)
                .map_err(|e| self.refuse(role, e.reason))
        } else {
            self.check_exact(role)
        }
    }

    /// Integer codes of a trained tensor (row-major, `columns` channels in the last axis), with real
    /// scales rounded to `scale_bits` (1 to 24) significant bits.
    ///
    /// # Errors
    /// [`NotExact`] as for [`Quantizer::check_frozen`], for values that are not finite, for scales
    /// that overflow f32, and for `scale_bits` out of range.
    ///
    /// # Panics
    /// If `x` is not whole rows of `columns`.
    pub fn codes_frozen(
        &self,
        role: Role,
        x: &[f32],
        columns: usize,
        scale_bits: u32,
    ) -> Result<FrozenCodes, NotExact> {
        if !(1..=MOST_SCALE_BITS).contains(&scale_bits) {
            return Err(self.refuse(
                role,
                format!("scale_bits is {scale_bits}; accepted are 1 to {MOST_SCALE_BITS}"),
            ));
        }
        self.check_frozen(role)?;
        match Automatic::of(self) {
            Some(automatic) if self.alpha() == Alpha::Auto => {
                self.check_finite(role, x)?;
                self.automatic_codes(role, automatic, x, columns, scale_bits)
            }
            _ => {
                let codes = self.codes(role, x, columns)?;
                Ok(FrozenCodes {
                    multiplier: vec![1; codes.fraction.len()],
                    fraction: codes.fraction,
                    codes: codes.codes,
                })
            }
        }
    }

    /// Levels and rounded scales of a tensor of finite numbers.
    pub(crate) fn automatic_codes(
        &self,
        role: Role,
        automatic: Automatic,
        x: &[f32],
        columns: usize,
        scale_bits: u32,
    ) -> Result<FrozenCodes, NotExact> {
        let mut levels = vec![0f32; x.len()];
        let (mut memory, mut before) = (Workspace::default(), Vec::new());
        let before = self.before_grid(x, &mut before);
        automatic.levels(before, columns.max(1), &mut levels, &mut memory);
        let scales = memory.scales;
        // A scale near the largest f32 overflows in the values, which are what the codes stand for.
        let mut values = levels.clone();
        automatic.apply(&scales, &mut values);
        let factor = power_of_two(automatic.factor()).unwrap_or(0);
        let mut frozen = FrozenCodes {
            codes: levels.iter().map(|level| *level as i64).collect(),
            fraction: Vec::with_capacity(scales.len()),
            multiplier: Vec::with_capacity(scales.len()),
        };
        for scale in scales {
            if !scale.is_finite() {
                return Err(self.refuse(role, format!("its scale came out as {scale}")));
            }
            let (multiplier, exponent) = significant(f64::from(scale), scale_bits);
            frozen.multiplier.push(multiplier);
            frozen.fraction.push(-(exponent + factor));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let reason = format!("value {at} comes out as {} by its scale", values[at]);
            return Err(self.refuse(role, reason));
        }
        Ok(frozen)
    }

    /// The values that [`Quantizer::codes_frozen`] stands for.
    ///
    /// # Errors
    /// As for [`Quantizer::codes_frozen`].
    pub fn frozen_values(
        &self,
        role: Role,
        x: &[f32],
        columns: usize,
        scale_bits: u32,
    ) -> Result<Vec<f64>, NotExact> {
        let frozen = self.codes_frozen(role, x, columns, scale_bits)?;
        let steps: Vec<f64> = frozen
            .multiplier
            .iter()
            .zip(&frozen.fraction)
            .map(|(m, f)| *m as f64 * 2f64.powi(-f))
            .collect();
        let values = frozen.codes.iter().zip(steps.iter().cycle());
        Ok(values.map(|(code, step)| *code as f64 * step).collect())
    }
}
