//! The hard swish and its exact rounding.
//!
//! The rule this module keeps: a code is decided by comparing whole numbers of 256 bits, so that it
//! is that of the real function for every float and every integer.

use crate::QuantizedHswish;
use crate::squash::Real;

/// A whole number of up to 256 bits: high and low half.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wide(u128, u128);

impl Wide {
    /// `a * b`.
    fn product(a: u128, b: u128) -> Self {
        let half = |v: u128| (v >> 64, v & u128::from(u64::MAX));
        let ((a1, a0), (b1, b0)) = (half(a), half(b));
        let middle = a1 * b0 + ((a0 * b0) >> 64);
        let (carry, middle) = half(middle);
        let middle = middle + a0 * b1;
        Self(
            a1 * b1 + carry + (middle >> 64),
            (middle << 64) | ((a0 * b0) & u128::from(u64::MAX)),
        )
    }

    /// `value * 2^shift`, for results within 256 bits.
    fn shifted(value: u128, shift: u32) -> Self {
        match shift {
            0 => Self(0, value),
            1..=127 => Self(value >> (128 - shift), value << shift),
            _ => Self(value << (shift - 128), 0),
        }
    }
}

impl QuantizedHswish {
    /// `x min(max(x + shift, 0), bound) / bound`, in f64.
    pub(crate) fn function(&self, x: f64) -> f64 {
        let bound = f64::from(self.relu_upper_bound);
        x * (x + f64::from(self.relu_shift)).clamp(0.0, bound) / bound
    }

    /// The same as the original computes it in f32.
    pub(crate) fn function_f32(&self, x: f32) -> f32 {
        let bound = self.relu_upper_bound as f32;
        x * (x + self.relu_shift as f32).max(0.0).min(bound) / bound
    }

    /// The derivative, as the original's rectifier has it at its ends.
    pub(crate) fn slope(&self, x: f32) -> f32 {
        let bound = self.relu_upper_bound as f32;
        let shifted = x + self.relu_shift as f32;
        let share = 1.0 / bound;
        if shifted > bound {
            bound * share
        } else if shifted > 0.0 {
            shifted * share + x * share
        } else {
            0.0
        }
    }

    /// Smallest value of the function.
    pub(crate) fn lowest(&self) -> f64 {
        self.function(self.lowest_at())
    }

    /// Where that is: the parabola's vertex, or where its bound meets it first. A multiple of a half.
    fn lowest_at(&self) -> f64 {
        let (shift, bound) = (f64::from(self.relu_shift), f64::from(self.relu_upper_bound));
        (-shift / 2.0).min(bound - shift)
    }

    /// The smallest integer, read with `fraction`, from which on the function never falls.
    pub(crate) fn first_rising(&self, fraction: i32) -> i64 {
        // A multiple of a half that is at least -16: exact, and with fewer than 58 bits no more than a float holds.
        let scaled = self.lowest_at() * 2f64.powi(fraction.min(57));
        scaled.ceil() as i64
    }

    /// The code of `x`, within `lo..=hi` of the grid with `fraction` bits.
    pub(crate) fn code(&self, x: Real, fraction: i32, lo: i64, hi: i64) -> i64 {
        let (shift, bound) = (
            i128::from(self.relu_shift),
            i128::from(self.relu_upper_bound),
        );
        if x.mantissa == 0 {
            return 0;
        }
        let size = i128::from(x.mantissa.unsigned_abs());
        let leading = (127 - size.leading_zeros() as i32) + x.exponent;
        if leading < -(fraction + 3) {
            // The function is below a quarter of a step: |h| <= |x| max(shift, bound) / bound.
            return 0;
        }
        if leading > 40 {
            return if x.mantissa > 0 { hi } else { 0 };
        }
        // Numerator and denominator exponents of x, with x = n * 2^-f.
        let (n, f) = if x.exponent > 0 {
            (i128::from(x.mantissa) << x.exponent, 0u32)
        } else {
            (i128::from(x.mantissa), x.exponent.unsigned_abs())
        };
        let rectified = (n + (shift << f)).clamp(0, bound << f);
        if rectified == 0 {
            return 0;
        }
        // |h| * 2^fraction = size * 2^-(2f - fraction) / bound.
        let size = Wide::product(n.unsigned_abs(), rectified.unsigned_abs());
        let down = 2 * f as i32 - fraction;
        let size_twice = |size: Wide| Wide((size.0 << 1) | (size.1 >> 127), size.1 << 1);
        let twice = size_twice(size);
        // `2 |h| >= odd number of steps`, and whether they are equal.
        let against = |odd: i64| {
            let steps = u128::from(odd.unsigned_abs()) * bound.unsigned_abs();
            if down >= 0 {
                twice.cmp(&Wide::shifted(steps, down.unsigned_abs()))
            } else {
                let up = Wide::shifted(twice.1, down.unsigned_abs());
                up.cmp(&Wide(0, steps))
            }
        };
        let top = hi.max(-lo) + 1;
        let guess = (self.function(x.approximate()).abs() * 2f64.powi(fraction)).round_ties_even();
        let mut code = (guess as i64).clamp(0, top);
        while code > 0
            && (against(2 * code - 1).is_lt() || (against(2 * code - 1).is_eq() && code % 2 == 1))
        {
            code -= 1;
        }
        while code < top
            && (against(2 * code + 1).is_gt() || (against(2 * code + 1).is_eq() && code % 2 == 1))
        {
            code += 1;
        }
        if n < 0 { (-code).max(lo) } else { code.min(hi) }
    }
}
