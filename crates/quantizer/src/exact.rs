//! Integer codes of quantized values, and the exact definition on integers.
//!
//! The rule this module keeps: `code_of` works on integers alone (128 bits) and gives the code of
//! what [`Quantizer::quantize`] gives for the same real number.

use crate::arguments::power_of_two;
use crate::po2::{Exact, Exponents};
use crate::scale::Automatic;
use crate::squash::Real;
use crate::{Grid, NotExact, Quantizer, Role, Sigmoid, StochasticTernary};

/// Integer codes of a quantized tensor: value = code * 2^-fraction of its column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes {
    /// Codes, in the tensor's own order.
    pub codes: Vec<i64>,
    /// Fraction bits, one a column (one in all when the tensor has a single scale).
    pub fraction: Vec<i32>,
}

impl Quantizer {
    /// Integer codes of `x` (row-major, `columns` channels in the last axis).
    ///
    /// # Errors
    /// [`NotExact`] as for [`Quantizer::check_exact`], and for values that are not finite; a kernel
    /// or a bias may have a power-of-two scale per column.
    pub fn codes(&self, role: Role, x: &[f32], columns: usize) -> Result<Codes, NotExact> {
        self.check_exact(role)?;
        self.check_finite(role, x)?;
        if let Some(automatic) = Automatic::of(self) {
            let frozen = self.automatic_codes(role, automatic, x, columns, 24)?;
            if let Some(at) = frozen.multiplier.iter().position(|m| *m != 1) {
                let reason = format!("the scale of column {at} is not a power of two");
                return Err(self.refuse(role, reason));
            }
            return Ok(Codes {
                codes: frozen.codes,
                fraction: frozen.fraction,
            });
        }
        let grid = self.grid(role)?;
        let mut y = vec![0f32; x.len()];
        self.quantize(x, columns.max(1), &mut y);
        let scale = 2f64.powi(grid.fraction);
        Ok(Codes {
            codes: y.iter().map(|v| (f64::from(*v) * scale) as i64).collect(),
            fraction: vec![grid.fraction],
        })
    }

    /// Refuses NaN and infinities.
    pub(crate) fn check_finite(&self, role: Role, x: &[f32]) -> Result<(), NotExact> {
        match x.iter().position(|v| !v.is_finite()) {
            Some(at) => Err(self.refuse(
                role,
                format!("value {at} is {}, not a finite number", x[at]),
            )),
            None => Ok(()),
        }
    }

    /// The code, on this quantizer's activation grid, of the real number `numerator * 2^-fraction`.
    ///
    /// # Errors
    /// [`NotExact`] as for [`Quantizer::grid`].
    pub fn code_of(&self, numerator: i64, fraction: i32) -> Result<i64, NotExact> {
        let grid = self.grid(Role::Activation)?;
        Ok(self.code_on(grid, numerator, fraction))
    }

    /// [`Quantizer::code_of`] with the grid at hand.
    pub(crate) fn code_on(&self, grid: Grid, numerator: i64, fraction: i32) -> i64 {
        // Beyond these a number is below or above every step.
        let fraction = fraction.clamp(-4096, 4096);
        let magnitude = Exact {
            mantissa: numerator.unsigned_abs(),
            exponent: -fraction,
        };
        let x = i128::from(numerator);
        let real = Real {
            mantissa: numerator,
            exponent: -fraction,
        };
        let clamp = |code: i128| code.clamp(i128::from(grid.lo), i128::from(grid.hi)) as i64;
        match self {
            Self::Float | Self::Relu | Self::QuantizedUlaw(_) | Self::Bernoulli(_) => {
                unreachable!("these have no grid")
            }
            Self::QuantizedLinear(q) if !q.is_sign() => {
                clamp(shift_half_even(x, grid.fraction - fraction, 0))
            }
            Self::QuantizedTanh(q) => q.code(real),
            Self::QuantizedSigmoid(q) => q.code(real),
            Self::QuantizedHswish(q) => {
                let (lo, hi) = q.grid.code_range();
                q.code(real, q.grid.code_fraction(), lo, hi)
            }
            Self::Fixed(q) => q.code(x, fraction),
            Self::QuantizedRelu(q)
                if q.use_sigmoid && (q.negative_slope != 0.0 || q.sigmoid != Sigmoid::Hard) =>
            {
                clamp(q.squashed_code(real.times_power(-q.integer)) as i128)
            }
            Self::QuantizedBits(q) if q.unsigned_bits() > 0 => {
                clamp(shift_half_even(x, q.code_fraction() - fraction, 0))
            }
            Self::QuantizedRelu(q) => {
                let shift = q.code_fraction() - fraction;
                if q.use_sigmoid {
                    let parity = i128::from(q.unsigned_bits() == 1);
                    let half = shift_half_even(x, shift - 1, parity);
                    clamp(2 * half)
                } else if numerator < 0 && q.negative_slope != 0.0 {
                    let slope = power_of_two(q.negative_slope).unwrap_or(0);
                    clamp(shift_half_even(x, shift + slope, 0))
                } else {
                    clamp(shift_half_even(x.max(0), shift, 0))
                }
            }
            Self::QuantizedBits(_)
            | Self::QuantizedLinear(_)
            | Self::Binary(_)
            | Self::StochasticBinary(_) => {
                if numerator >= 0 {
                    grid.hi
                } else {
                    grid.lo
                }
            }
            Self::Ternary(q) | Self::StochasticTernary(StochasticTernary { ternary: q, .. }) => {
                let threshold = Exact::of(f64::from(q.fixed_threshold()));
                if magnitude.below(threshold) {
                    0
                } else {
                    numerator.signum()
                }
            }
            Self::QuantizedPo2(q) => {
                let code = 1i64 << (Exponents::of_po2(q).round(magnitude) + grid.fraction);
                if numerator < 0 { -code } else { code }
            }
            Self::QuantizedReluPo2(q) => {
                let exponents = Exponents::of_relu_po2(q);
                let code = |e: i32| 1i64 << (e + grid.fraction);
                if numerator >= 0 {
                    code(exponents.round(magnitude))
                } else if let Some(slope) = power_of_two(q.negative_slope) {
                    let exponent = magnitude.exponent + slope;
                    -code(exponents.round(Exact {
                        exponent,
                        ..magnitude
                    }))
                } else {
                    code(exponents.min)
                }
            }
        }
    }
}

/// `round(x * 2^shift)`, halfway to even (to odd with `parity` 1); results that pass 2^96 are only
/// known to be huge.
fn shift_half_even(x: i128, shift: i32, parity: i128) -> i128 {
    if shift >= 0 {
        x << shift.min(62)
    } else if shift < -126 {
        0
    } else {
        let down = -shift;
        let floor = x >> down;
        let rest = x - (floor << down);
        let half = 1i128 << (down - 1);
        let up = rest > half || (rest == half && (floor & 1) != parity);
        floor + i128::from(up)
    }
}
