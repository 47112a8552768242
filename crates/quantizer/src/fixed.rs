//! `ap_fixed` and `ap_ufixed`: fixed point with every rounding and overflow mode of hardware
//! description.
//!
//! The rule this module keeps: a value is rounded first and fitted into the width second, by
//! [`Modes`]; floats and integers share the decision whether to round up.

use crate::modes::{FixedRounding, Modes, Overflow, Rest};

/// `ap_fixed<width, integer, rounding, overflow, saturated bits>` or `ap_ufixed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// `ap_fixed`, not `ap_ufixed`.
    pub signed: bool,
    /// Total bits, sign included.
    pub width: u32,
    /// Bits left of the binary point, sign included.
    pub integer: i32,
    /// How numbers are rounded.
    pub rounding: FixedRounding,
    /// How codes are fitted into the width.
    pub overflow: Overflow,
    /// Saturated bits of the wrapping modes.
    pub saturated_bits: u32,
}

impl Fixed {
    /// Fraction bits of the codes.
    pub(crate) fn fraction(&self) -> i32 {
        self.width as i32 - self.integer
    }

    /// Smallest and largest code it gives.
    pub(crate) fn code_range(&self) -> (i64, i64) {
        if self.signed {
            let m = 1i64 << (self.width - 1);
            // One signed bit has -1 and 0 alone, even where a symmetric range is asked for.
            let symmetric = self.overflow == Overflow::SatSym && self.width > 1;
            (i64::from(symmetric) - m, m - 1)
        } else {
            (0, (1i64 << self.width) - 1)
        }
    }

    /// How its codes are rounded and fitted.
    pub fn modes(&self) -> Modes {
        Modes {
            rounding: self.rounding,
            overflow: self.overflow,
            saturated_bits: self.saturated_bits,
        }
    }

    /// Whether it is `clamp(round_half_even(x * 2^fraction))`.
    pub(crate) fn is_clamp(&self) -> bool {
        self.rounding == FixedRounding::RndConv
            && matches!(self.overflow, Overflow::Sat | Overflow::SatSym)
    }

    /// The code of `numerator * 2^-fraction`; the numerator has at most 63 bits.
    pub(crate) fn code(&self, numerator: i128, fraction: i32) -> i64 {
        let shift = self.fraction() - fraction;
        self.modes().code(numerator, shift, self.code_range())
    }

    /// The code of a finite `x`, as [`Fixed::code`] of the same real number.
    pub(crate) fn code_of_f64(&self, x: f64) -> i64 {
        let mut scaled = x * 2f64.powi(self.fraction());
        if scaled == 0.0 && x != 0.0 {
            // Too small for f64 in steps, but on its side of zero all the same.
            scaled = f64::MIN_POSITIVE.copysign(x);
        }
        let floor = scaled.floor();
        let rest = scaled - floor;
        let rest = if rest == 0.0 {
            // A tiny number below zero is not told from -1 by the difference; see the floor.
            if floor == scaled {
                Rest::None
            } else {
                Rest::AboveHalf
            }
        } else if rest < 0.5 {
            Rest::BelowHalf
        } else if rest == 0.5 {
            Rest::Half
        } else {
            Rest::AboveHalf
        };
        let odd = floor.rem_euclid(2.0) == 1.0;
        let rounded = floor + f64::from(u8::from(self.rounding.rounds_up(rest, x < 0.0, odd)));
        let (lo, hi) = self.code_range();
        if rounded >= lo as f64 && rounded <= hi as f64 {
            return rounded as i64;
        }
        if rounded.abs() < 2f64.powi(100) {
            self.modes().fit(rounded as i128, (lo, hi))
        } else {
            // Nothing of it reaches the width.
            self.modes().fit(
                if rounded < 0.0 {
                    -1i128 << 100
                } else {
                    1 << 100
                },
                (lo, hi),
            )
        }
    }

    /// Whether `x` is within the range: where gradients pass.
    pub(crate) fn holds(&self, x: f32) -> bool {
        if matches!(self.overflow, Overflow::Wrap | Overflow::WrapSm) {
            return true;
        }
        let wide = Self {
            width: 62,
            integer: 62 - self.fraction(),
            overflow: Overflow::Sat,
            signed: true,
            ..*self
        };
        let code = wide.code_of_f64(f64::from(x));
        let (lo, hi) = self.code_range();
        (lo..=hi).contains(&code)
    }
}
