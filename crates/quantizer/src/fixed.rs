//! `ap_fixed` and `ap_ufixed`: fixed point with every rounding and overflow mode of hardware
//! description.
//!
//! The rule this module keeps: a value is rounded first and fitted into the width second, both on
//! integers; floats and integers share the decision whether to round up.

/// How a number between two codes is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FixedRounding {
    /// `AP_TRN`: down (the default).
    #[default]
    Trn,
    /// `AP_TRN_ZERO`: towards zero.
    TrnZero,
    /// `AP_RND`: to the nearest, halfway up.
    Rnd,
    /// `AP_RND_ZERO`: to the nearest, halfway towards zero.
    RndZero,
    /// `AP_RND_MIN_INF`: to the nearest, halfway down.
    RndMinInf,
    /// `AP_RND_INF`: to the nearest, halfway away from zero.
    RndInf,
    /// `AP_RND_CONV`: to the nearest, halfway to even.
    RndConv,
}

/// What becomes of a code that does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// `AP_WRAP`: bits beyond the width fall away (the default). With `N` saturated bits the sign
    /// stays, and the rest of the `N` bits are those of the extreme on its side.
    #[default]
    Wrap,
    /// `AP_WRAP_SM`: wraps to and fro, as sign and magnitude do; signed only.
    WrapSm,
    /// `AP_SAT`: the nearest extreme.
    Sat,
    /// `AP_SAT_ZERO`: zero.
    SatZero,
    /// `AP_SAT_SYM`: the nearest extreme of a symmetric range.
    SatSym,
}

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

/// Where a number stands between the code below it and the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    None,
    BelowHalf,
    Half,
    AboveHalf,
}

impl FixedRounding {
    fn rounds_up(self, rest: Rest, negative: bool, odd: bool) -> bool {
        match rest {
            Rest::None => false,
            Rest::BelowHalf => self == Self::TrnZero && negative,
            Rest::AboveHalf => match self {
                Self::Trn => false,
                Self::TrnZero => negative,
                _ => true,
            },
            Rest::Half => match self {
                Self::Trn | Self::RndMinInf => false,
                Self::TrnZero | Self::RndZero => negative,
                Self::Rnd => true,
                Self::RndInf => !negative,
                Self::RndConv => odd,
            },
        }
    }
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

    /// Whether it is `clamp(round_half_even(x * 2^fraction))`.
    pub(crate) fn is_clamp(&self) -> bool {
        self.rounding == FixedRounding::RndConv
            && matches!(self.overflow, Overflow::Sat | Overflow::SatSym)
    }

    /// Whether greater numbers never have smaller codes.
    pub(crate) fn is_monotone(&self) -> bool {
        matches!(self.overflow, Overflow::Sat | Overflow::SatSym)
    }

    /// The code of `numerator * 2^-fraction`; the numerator has at most 63 bits.
    pub(crate) fn code(&self, numerator: i128, fraction: i32) -> i64 {
        let shift = self.fraction() - fraction;
        let rounded = if shift >= 0 {
            // Beyond 64 places only zeros reach the width, and everything is out of range.
            numerator << shift.min(63)
        } else {
            let down = (-shift).min(100);
            let floor = numerator >> down;
            let rest = numerator - (floor << down);
            let half = 1i128 << (down - 1);
            let rest = match rest.cmp(&half) {
                _ if rest == 0 => Rest::None,
                std::cmp::Ordering::Less => Rest::BelowHalf,
                std::cmp::Ordering::Equal => Rest::Half,
                std::cmp::Ordering::Greater => Rest::AboveHalf,
            };
            let up = self.rounding.rounds_up(rest, numerator < 0, floor & 1 == 1);
            floor + i128::from(up)
        };
        self.fit(rounded)
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
            self.fit(rounded as i128)
        } else {
            // Nothing of it reaches the width.
            self.fit(if rounded < 0.0 {
                -1i128 << 100
            } else {
                1 << 100
            })
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

    /// Fits a rounded code into the width.
    fn fit(&self, code: i128) -> i64 {
        let (lo, hi) = self.code_range();
        if (i128::from(lo)..=i128::from(hi)).contains(&code) {
            return code as i64;
        }
        let negative = code < 0;
        match self.overflow {
            Overflow::Sat | Overflow::SatSym => {
                if negative {
                    lo
                } else {
                    hi
                }
            }
            Overflow::SatZero => 0,
            Overflow::Wrap => self.wrap(code, negative),
            Overflow::WrapSm => self.wrap_to_and_fro(code, negative),
        }
    }

    /// All bits of the width, as an unsigned number.
    fn mask(&self) -> u64 {
        (1u64 << self.width) - 1
    }

    /// The lowest bits of the width, read as a code.
    fn read(&self, bits: u64) -> i64 {
        let bits = bits & self.mask();
        if self.signed && bits >> (self.width - 1) == 1 {
            bits as i64 - (1i64 << self.width)
        } else {
            bits as i64
        }
    }

    fn wrap(&self, code: i128, negative: bool) -> i64 {
        let bits = code as u64 & self.mask();
        if self.saturated_bits == 0 {
            return self.read(bits);
        }
        self.saturate_top(bits, negative)
    }

    fn wrap_to_and_fro(&self, code: i128, negative: bool) -> i64 {
        let bits = code as u64 & self.mask();
        let bit = |at: u32| (code >> at) & 1 == 1;
        let top = bit(self.width - 1);
        match self.saturated_bits {
            0 => self.read(if bit(self.width) == top { bits } else { !bits }),
            1 => {
                let bits = if top == negative { bits } else { !bits };
                self.saturate_top(bits, negative)
            }
            n => {
                let lowest = bit(self.width - n.min(self.width));
                let bits = if lowest == negative { !bits } else { bits };
                self.saturate_top(bits, negative)
            }
        }
    }

    /// Sets the saturated bits to those of the extreme on the number's side.
    fn saturate_top(&self, bits: u64, negative: bool) -> i64 {
        let kept = self.width - self.saturated_bits.min(self.width);
        let low = (1u64 << kept) - 1;
        let (lo, hi) = self.code_range();
        let extreme = if negative { lo } else { hi };
        self.read((bits & low) | (extreme as u64 & !low))
    }
}
