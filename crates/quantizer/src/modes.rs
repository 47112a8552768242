//! How a number becomes a code: rounding and overflow, as `ap_fixed` has them.
//!
//! The rule this module keeps: a number is rounded first and fitted into the range of codes second,
//! both on integers.

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

/// Where a number stands between the code below it and the next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    None,
    BelowHalf,
    Half,
    AboveHalf,
}

/// How numbers become codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes {
    /// How numbers are rounded.
    pub rounding: FixedRounding,
    /// How rounded codes are fitted into the range of codes.
    pub overflow: Overflow,
    /// Saturated bits of the wrapping modes.
    pub saturated_bits: u32,
}

impl FixedRounding {
    /// As HLS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trn => "AP_TRN",
            Self::TrnZero => "AP_TRN_ZERO",
            Self::Rnd => "AP_RND",
            Self::RndZero => "AP_RND_ZERO",
            Self::RndMinInf => "AP_RND_MIN_INF",
            Self::RndInf => "AP_RND_INF",
            Self::RndConv => "AP_RND_CONV",
        }
    }

    /// Whether a number goes to the code above it; `odd` is the code below it.
    pub(crate) fn rounds_up(self, rest: Rest, negative: bool, odd: bool) -> bool {
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

impl Overflow {
    /// As HLS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wrap => "AP_WRAP",
            Self::WrapSm => "AP_WRAP_SM",
            Self::Sat => "AP_SAT",
            Self::SatZero => "AP_SAT_ZERO",
            Self::SatSym => "AP_SAT_SYM",
        }
    }
}

impl Modes {
    /// To the nearest, halfway to even, and to the nearest extreme: what the families of `QKeras` do.
    pub const NEAREST_EVEN: Self = Self {
        rounding: FixedRounding::RndConv,
        overflow: Overflow::Sat,
        saturated_bits: 0,
    };

    /// Whether greater numbers never have smaller codes.
    pub fn is_monotone(self) -> bool {
        matches!(self.overflow, Overflow::Sat | Overflow::SatSym)
    }

    /// The code, among `lo..=hi`, of `numerator * 2^shift`; the numerator has at most 63 bits. Modes that
    /// do not saturate ask for all codes of a width.
    pub fn code(self, numerator: i128, shift: i32, (lo, hi): (i64, i64)) -> i64 {
        self.fit(self.rounded(numerator, shift), (lo, hi))
    }

    /// The modes of fewest parts that give the same codes of the integers `from.0..=from.1`, of both as
    /// `numerator * 2^shift`: what nothing needs is [`Modes::NEAREST_EVEN`]'s.
    #[must_use]
    pub fn simplified(self, from: (i64, i64), shift: i32, (lo, hi): (i64, i64)) -> Self {
        let mut same = self;
        if shift >= 0 {
            same.rounding = FixedRounding::RndConv;
        } else if from.0 >= 0 {
            same.rounding = match self.rounding {
                FixedRounding::TrnZero => FixedRounding::Trn,
                FixedRounding::RndZero => FixedRounding::RndMinInf,
                FixedRounding::RndInf => FixedRounding::Rnd,
                other => other,
            };
        }
        let [least, most] = [from.0, from.1].map(|end| self.rounded(end.into(), shift));
        if self.is_monotone() || (least >= lo.into() && most <= hi.into()) {
            same.overflow = Overflow::Sat;
            same.saturated_bits = 0;
        }
        same
    }

    /// Least and greatest code of the integers `from.0..=from.1`, read as `numerator * 2^shift`. Exact,
    /// but for `AP_WRAP_SM` and saturated bits over more than 4096 integers: there all codes.
    pub fn image(self, from: (i64, i64), shift: i32, (lo, hi): (i64, i64)) -> (i64, i64) {
        let ends = [from.0, from.1].map(|end| self.code(end.into(), shift, (lo, hi)));
        let same = self.simplified(from, shift, (lo, hi));
        match same.overflow {
            Overflow::Sat | Overflow::SatSym => (ends[0], ends[1]),
            Overflow::SatZero => {
                // Zero, and of the codes between the bounds the outermost that numbers reach.
                let [least, most] = [from.0, from.1].map(|end| self.rounded(end.into(), shift));
                let step = 1_i128 << shift.clamp(0, 62);
                let least = least.max(i128::from(lo).div_euclid(step) * step);
                let least = if least < lo.into() {
                    least + step
                } else {
                    least
                };
                let most = most.min(i128::from(hi).div_euclid(step) * step);
                if least > most {
                    (0, 0)
                } else {
                    (least.min(0) as i64, most.max(0) as i64)
                }
            }
            Overflow::Wrap if self.saturated_bits == 0 => {
                let [least, most] = [from.0, from.1].map(|end| self.rounded(end.into(), shift));
                let codes = i128::from(hi) - i128::from(lo) + 1;
                let period = |code: i128| (code - i128::from(lo)).div_euclid(codes);
                if period(least) == period(most) {
                    return (ends[0], ends[1]);
                }
                // Numbers stand on both sides of a place where codes begin anew.
                let step = 1_i128 << shift.clamp(0, 62);
                if step >= codes {
                    return (0, 0);
                }
                (lo, (i128::from(hi) + 1 - step) as i64)
            }
            Overflow::Wrap | Overflow::WrapSm => {
                if from.1 - from.0 >= 4096 {
                    return (lo, hi);
                }
                let codes = (from.0..=from.1).map(|n| self.code(n.into(), shift, (lo, hi)));
                codes.fold((ends[0], ends[0]), |(least, most), code| {
                    (least.min(code), most.max(code))
                })
            }
        }
    }

    /// `numerator * 2^shift`, rounded.
    fn rounded(self, numerator: i128, shift: i32) -> i128 {
        if shift >= 0 {
            // Beyond 64 places only zeros reach the width, and everything is out of range.
            return numerator << shift.min(63);
        }
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
    }

    /// Fits a rounded code among `lo..=hi`.
    pub(crate) fn fit(self, code: i128, (lo, hi): (i64, i64)) -> i64 {
        if (i128::from(lo)..=i128::from(hi)).contains(&code) {
            return code as i64;
        }
        let negative = code < 0;
        let width = Width::of(lo, hi);
        match self.overflow {
            Overflow::Sat | Overflow::SatSym => {
                if negative {
                    lo
                } else {
                    hi
                }
            }
            Overflow::SatZero => 0,
            Overflow::Wrap => width.wrap(code, negative, self.saturated_bits),
            Overflow::WrapSm => width.wrap_to_and_fro(code, negative, self.saturated_bits),
        }
    }
}

/// All codes of so many bits.
#[derive(Clone, Copy)]
struct Width {
    signed: bool,
    bits: u32,
}

impl Width {
    /// The narrowest that holds `lo..=hi`.
    fn of(lo: i64, hi: i64) -> Self {
        let magnitude = |code: i64| 64 - code.leading_zeros();
        let signed = lo < 0;
        Self {
            signed,
            bits: u32::from(signed) + magnitude(hi).max(if signed { magnitude(!lo) } else { 0 }),
        }
    }

    /// All of its bits, as an unsigned number.
    fn mask(self) -> u64 {
        (1u64 << self.bits) - 1
    }

    /// The lowest bits of a number, read as a code.
    fn read(self, bits: u64) -> i64 {
        let bits = bits & self.mask();
        if self.signed && bits >> (self.bits - 1) == 1 {
            bits as i64 - (1i64 << self.bits)
        } else {
            bits as i64
        }
    }

    fn wrap(self, code: i128, negative: bool, saturated_bits: u32) -> i64 {
        let bits = code as u64 & self.mask();
        if saturated_bits == 0 {
            return self.read(bits);
        }
        self.saturate_top(bits, negative, saturated_bits)
    }

    fn wrap_to_and_fro(self, code: i128, negative: bool, saturated_bits: u32) -> i64 {
        let bits = code as u64 & self.mask();
        let bit = |at: u32| (code >> at) & 1 == 1;
        let top = bit(self.bits - 1);
        match saturated_bits {
            0 => self.read(if bit(self.bits) == top { bits } else { !bits }),
            1 => {
                let bits = if top == negative { bits } else { !bits };
                self.saturate_top(bits, negative, 1)
            }
            n => {
                let lowest = bit(self.bits - n.min(self.bits));
                let bits = if lowest == negative { !bits } else { bits };
                self.saturate_top(bits, negative, n)
            }
        }
    }

    /// Sets the saturated bits to those of the extreme on the number's side.
    fn saturate_top(self, bits: u64, negative: bool, saturated_bits: u32) -> i64 {
        let kept = self.bits - saturated_bits.min(self.bits);
        let low = (1u64 << kept) - 1;
        let lo = if self.signed {
            -1i64 << (self.bits - 1)
        } else {
            0
        };
        let extreme = if negative {
            lo
        } else {
            !lo & self.mask() as i64
        };
        self.read((bits & low) | (extreme as u64 & !low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUNDING: [FixedRounding; 7] = [
        FixedRounding::Trn,
        FixedRounding::TrnZero,
        FixedRounding::Rnd,
        FixedRounding::RndZero,
        FixedRounding::RndMinInf,
        FixedRounding::RndInf,
        FixedRounding::RndConv,
    ];

    /// Every mode with the codes of a few bits.
    fn all() -> Vec<(Modes, (i64, i64))> {
        let mut all = Vec::new();
        for rounding in ROUNDING {
            let mut with = |overflow, saturated_bits, codes| {
                let modes = Modes {
                    rounding,
                    overflow,
                    saturated_bits,
                };
                all.push((modes, codes));
            };
            for codes in [(-8, 7), (0, 7), (-1, 0)] {
                with(Overflow::Sat, 0, codes);
                with(Overflow::SatZero, 0, codes);
                with(Overflow::Wrap, 0, codes);
                with(Overflow::Wrap, 1, codes);
            }
            with(Overflow::SatSym, 0, (-7, 7));
            with(Overflow::Wrap, 2, (-8, 7));
            for saturated_bits in 0..4 {
                with(Overflow::WrapSm, saturated_bits, (-8, 7));
            }
        }
        all
    }

    #[test]
    fn the_image_of_an_interval_is_that_of_its_integers_and_simplified_modes_have_the_same_codes() {
        for (modes, codes) in all() {
            for shift in -3..=5 {
                for (lo, hi) in [
                    (-70, 65),
                    (-9, 3),
                    (-3, -1),
                    (0, 40),
                    (1, 9),
                    (5, 5),
                    (-1, 0),
                ] {
                    let of = |modes: &Modes, n: i64| modes.code(n.into(), shift, codes);
                    let found: Vec<i64> = (lo..=hi).map(|n| of(&modes, n)).collect();
                    let hull = (*found.iter().min().unwrap(), *found.iter().max().unwrap());
                    let place = format!("{modes:?} {lo}..={hi} by {shift} to {codes:?}");
                    assert_eq!(modes.image((lo, hi), shift, codes), hull, "{place}");
                    let same = modes.simplified((lo, hi), shift, codes);
                    let again: Vec<i64> = (lo..=hi).map(|n| of(&same, n)).collect();
                    assert_eq!(again, found, "{place}");
                }
            }
        }
    }

    #[test]
    fn what_nothing_needs_is_left_out() {
        let modes = Modes {
            rounding: FixedRounding::RndInf,
            overflow: Overflow::Wrap,
            saturated_bits: 1,
        };
        assert_eq!(modes.simplified((-8, 7), 0, (-8, 7)), Modes::NEAREST_EVEN);
        let halves = modes.simplified((0, 14), -1, (-8, 7));
        assert_eq!(halves.rounding, FixedRounding::Rnd);
        assert_eq!(halves.overflow, Overflow::Sat);
        // 15 / 2 rounds to 8, which does not fit.
        assert_eq!(
            modes.simplified((0, 15), -1, (-8, 7)).overflow,
            Overflow::Wrap
        );
    }
}
