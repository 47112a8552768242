//! Sigmoids and hyperbolic tangents, rounded to levels.
//!
//! The rule this module keeps: a level is decided by comparing the real number with thresholds:
//! exact ones for the piecewise linear forms, and for the real functions the f64 numbers that
//! `bitfront-kernel`'s own logarithm gives for them, so that every machine, floats and integers
//! agree and levels never descend.

use bitfront_kernel::{exp, ln};

use crate::po2::Exact;
use crate::{QuantizedSigmoid, QuantizedTanh, Sigmoid};

/// `mantissa * 2^exponent`, signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Real {
    /// At most 63 bits.
    pub(crate) mantissa: i64,
    pub(crate) exponent: i32,
}

impl Real {
    /// The exact value of a float: infinities as a huge number, NaN as zero.
    pub(crate) fn of(x: f64) -> Self {
        if x.is_nan() || x == 0.0 {
            return Self {
                mantissa: 0,
                exponent: 0,
            };
        }
        let Exact { mantissa, exponent } = Exact::of(x.clamp(-f64::MAX, f64::MAX));
        // Odd, so that huge exponents stay small.
        let zeros = mantissa.trailing_zeros();
        let magnitude = (mantissa >> zeros) as i64;
        Self {
            mantissa: if x < 0.0 { -magnitude } else { magnitude },
            exponent: exponent + zeros as i32,
        }
    }

    /// The nearest f64, or near it.
    pub(crate) fn approximate(self) -> f64 {
        if self.mantissa == 0 {
            return 0.0;
        }
        self.mantissa as f64 * 2f64.powi(self.exponent)
    }

    /// Whether this is at least `t`.
    fn at_least(self, t: f64) -> bool {
        let (below, t_below) = (self.mantissa < 0, t < 0.0);
        let magnitude = Exact {
            mantissa: self.mantissa.unsigned_abs(),
            exponent: self.exponent,
        };
        match (below, t_below) {
            (false, true) => true,
            (true, false) => false,
            (false, false) => !magnitude.below(Exact::of(t)),
            (true, true) => !Exact::of(t).below(magnitude),
        }
    }

    pub(crate) fn times_power(self, exponent: i32) -> Self {
        Self {
            exponent: self.exponent + exponent,
            ..self
        }
    }
}

/// `round_half_even((numerator * 2^exponent) + 2^offset_exponent)` where the offset is at most 1/2 or
/// whole, clamped to `lo..=hi`.
fn round_with_offset(numerator: i128, exponent: i32, offset: i32, lo: i64, hi: i64) -> i64 {
    let clamp = |v: i128| v.clamp(i128::from(lo), i128::from(hi)) as i64;
    if numerator == 0 && offset < 0 {
        return clamp(0);
    }
    if exponent >= 0 {
        let whole = numerator << exponent.min(60);
        // A half added to a whole number is a tie.
        return clamp(match offset {
            0.. => whole + (1i128 << offset),
            -1 => whole + (whole & 1),
            _ => whole,
        });
    }
    let down = -exponent;
    if down > 90 {
        // Far below any step: only the side of a tie counts.
        return clamp(match offset {
            0.. => 1i128 << offset,
            -1 => i128::from(numerator > 0),
            _ => 0,
        });
    }
    let offset = offset + down;
    let sum = if offset >= 0 {
        numerator + (1i128 << offset)
    } else {
        numerator
    };
    let floor = sum >> down;
    let rest = sum - (floor << down);
    let half = 1i128 << (down - 1);
    clamp(floor + i128::from(rest > half || (rest == half && floor & 1 == 1)))
}

impl Sigmoid {
    /// `round_half_even(sigmoid(x) * 2^n)`, between 0 and `2^n`.
    pub(crate) fn level(self, x: Real, n: i32) -> i64 {
        if n < 0 {
            // At most a half, and a half rounds to zero.
            return 0;
        }
        let top = 1i64 << n;
        let m = i128::from(x.mantissa);
        match self {
            Self::Hard => round_with_offset(m, x.exponent + n - 1, n - 1, 0, top),
            Self::Smooth => round_with_offset(3 * m, x.exponent + n - 4, n - 1, 0, top),
            Self::Real => {
                let half = 1.0 / (1.0 + exp(-x.approximate()));
                let guess = (half * top as f64).round_ties_even() as i64;
                // The level from which on `k` is given: logit((k - 1/2) / 2^n).
                settle(x, guess, 0, top, |k| {
                    let at = k as f64 - 0.5;
                    ln(at / (top as f64 - at))
                })
            }
        }
    }

    /// `sigmoid(x)`, about.
    pub(crate) fn value(self, x: f64) -> f64 {
        match self {
            Self::Hard => (0.5 * x + 0.5).clamp(0.0, 1.0),
            Self::Smooth => (0.1875 * x + 0.5).clamp(0.0, 1.0),
            Self::Real => 1.0 / (1.0 + exp(-x)),
        }
    }

    /// The derivative at `x`; ends of the linear pieces belong to them.
    pub(crate) fn slope(self, x: f64) -> f64 {
        let inside = |reach: f64, slope: f64| if x.abs() <= reach { slope } else { 0.0 };
        match self {
            Self::Hard => inside(1.0, 0.5),
            Self::Smooth => inside(8.0 / 3.0, 0.1875),
            Self::Real => {
                let p = self.value(x);
                p * (1.0 - p)
            }
        }
    }
}

/// Moves a guessed level until `threshold(level) <= x < threshold(level + 1)`.
fn settle(x: Real, guess: i64, lo: i64, hi: i64, threshold: impl Fn(i64) -> f64) -> i64 {
    let mut level = guess.clamp(lo, hi);
    while level > lo && !x.at_least(threshold(level)) {
        level -= 1;
    }
    while level < hi && x.at_least(threshold(level + 1)) {
        level += 1;
    }
    level
}

/// `tanh(x)`, within a few units of f64.
pub(crate) fn tanh(x: f64) -> f64 {
    let e = exp(-2.0 * x.abs());
    let t = (1.0 - e) / (1.0 + e);
    if x < 0.0 { -t } else { t }
}

impl QuantizedTanh {
    /// Fraction bits of the codes.
    pub(crate) fn code_fraction(self) -> i32 {
        self.bits as i32 - 1
    }

    /// Smallest and largest code.
    pub(crate) fn code_range(self) -> (i64, i64) {
        let m = 1i64 << (self.bits - 1);
        (i64::from(self.symmetric) - m, m - 1)
    }

    /// The function that is rounded: about its value.
    pub(crate) fn function(self, x: f64) -> f64 {
        match self.sigmoid {
            _ if self.use_real_tanh => tanh(x),
            Sigmoid::Real => tanh(x / 2.0),
            sigmoid => 2.0 * sigmoid.value(x) - 1.0,
        }
    }

    /// The function's derivative.
    pub(crate) fn slope(self, x: f64) -> f64 {
        if self.use_real_tanh {
            let t = tanh(x);
            1.0 - t * t
        } else {
            2.0 * self.sigmoid.slope(x)
        }
    }

    /// The code of `x`.
    pub(crate) fn code(self, x: Real) -> i64 {
        let (lo, hi) = self.code_range();
        let n = self.code_fraction();
        let m = i128::from(x.mantissa);
        let none = i32::MIN / 2;
        if self.use_real_tanh || self.sigmoid == Sigmoid::Real {
            // tanh(x) with x, or tanh(x / 2): half the logarithm, or the whole.
            let share = if self.use_real_tanh { 0.5 } else { 1.0 };
            let top = 2f64.powi(n);
            let guess = (self.function(x.approximate()) * top).round_ties_even() as i64;
            return settle(x, guess, lo, hi, |k| {
                let at = k as f64 - 0.5;
                // Odd, so that thresholds mirror each other.
                let size = at.abs();
                let t = share * ln((top + size) / (top - size));
                if at < 0.0 { -t } else { t }
            });
        }
        match self.sigmoid {
            Sigmoid::Smooth => round_with_offset(3 * m, x.exponent + n - 3, none, lo, hi),
            Sigmoid::Hard | Sigmoid::Real => round_with_offset(m, x.exponent + n, none, lo, hi),
        }
    }
}

impl QuantizedSigmoid {
    /// Smallest and largest code; fraction bits are the bits.
    pub(crate) fn code_range(self) -> (i64, i64) {
        (i64::from(self.symmetric), (1i64 << self.bits) - 1)
    }

    /// The code of `x`.
    pub(crate) fn code(self, x: Real) -> i64 {
        let (lo, hi) = self.code_range();
        self.sigmoid.level(x, self.bits as i32).clamp(lo, hi)
    }
}
