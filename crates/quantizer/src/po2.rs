//! Rounding to powers of two, by exact integer comparison.
//!
//! The rule this module keeps: the exponent of `x` rounds up if and only if its mantissa is above
//! the square root of two, decided by squaring integers; floats and integers share the decision.

use crate::{QuantizedPo2, QuantizedReluPo2};

/// Magnitudes below this (`QKeras`' epsilon, as f32) become the smallest power of two.
pub(crate) const EPSILON: f32 = 1e-7;

/// `mantissa * 2^exponent`, the exact value of a positive number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exact {
    /// At most 64 bits.
    pub(crate) mantissa: u64,
    /// Power of two.
    pub(crate) exponent: i32,
}

impl Exact {
    /// The exact value of a finite float's magnitude.
    pub(crate) fn of(value: f64) -> Self {
        let bits = value.abs().to_bits();
        let field = (bits >> 52) as i32;
        let low = bits & ((1 << 52) - 1);
        if field == 0 {
            Self {
                mantissa: low,
                exponent: -1074,
            }
        } else {
            Self {
                mantissa: low | 1 << 52,
                exponent: field - 1075,
            }
        }
    }

    /// Position of the leading bit: floor(log2(value)); the value is not zero.
    pub(crate) fn floor_log2(self) -> i32 {
        self.mantissa.ilog2() as i32 + self.exponent
    }

    /// Whether this is below `other`.
    pub(crate) fn below(self, other: Self) -> bool {
        if self.mantissa == 0 || other.mantissa == 0 {
            return self.mantissa < other.mantissa;
        }
        let (a, b) = (self.floor_log2(), other.floor_log2());
        if a != b {
            return a < b;
        }
        let aligned = |e: Self| e.mantissa << e.mantissa.leading_zeros();
        aligned(self) < aligned(other)
    }

    /// log2 rounded to the nearest integer (it is never halfway: the root of two is irrational).
    pub(crate) fn round_log2(self) -> i32 {
        let leading = self.mantissa.ilog2();
        let square = u128::from(self.mantissa) * u128::from(self.mantissa);
        let up = square > 1u128 << (2 * leading + 1);
        self.floor_log2() + i32::from(up)
    }

    /// log4 rounded to the nearest integer, halfway (odd powers of two) to even.
    fn round_log4(self) -> i32 {
        let e = self.floor_log2();
        let half = e.div_euclid(2);
        let power = self.mantissa.is_power_of_two();
        if e.rem_euclid(2) == 0 || (power && half.rem_euclid(2) == 0) {
            half
        } else {
            half + 1
        }
    }
}

/// The exponents a power-of-two quantizer may give.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exponents {
    /// Smallest, and what magnitudes below epsilon become.
    pub(crate) min: i32,
    /// Largest.
    pub(crate) max: i32,
    /// Largest magnitude before rounding.
    limit: Option<Exact>,
    /// Even exponents only: limits then hold the half exponent.
    pub(crate) quadratic: bool,
    /// Exponents are rounded down.
    pub(crate) floor: bool,
}

impl Exponents {
    fn new(magnitude_bits: u32, max_value: Option<f32>, quadratic: bool, floor: bool) -> Self {
        let sign = u32::from(max_value.is_none_or(|v| v > 1.0));
        let span = 1i32 << (magnitude_bits - sign);
        let max = span - 1;
        Self {
            min: -span,
            max: if quadratic {
                max.div_euclid(2) * 2
            } else {
                max
            },
            limit: max_value.map(|v| Exact::of(f64::from(v))),
            quadratic,
            floor,
        }
    }

    pub(crate) fn of_po2(q: &QuantizedPo2) -> Self {
        Self::new(q.bits - 1, q.max_value, q.quadratic_approximation, q.floor)
    }

    pub(crate) fn of_relu_po2(q: &QuantizedReluPo2) -> Self {
        Self::new(q.bits, q.max_value, q.quadratic_approximation, q.floor)
    }

    /// The exponent that a magnitude rounds to.
    pub(crate) fn round(&self, magnitude: Exact) -> i32 {
        if magnitude.below(Exact::of(f64::from(EPSILON))) {
            return self.min;
        }
        let clipped = self.clipped(magnitude);
        if self.quadratic {
            let half = if self.floor {
                clipped.floor_log2().div_euclid(2)
            } else {
                clipped.round_log4()
            };
            self.exponent(half)
        } else if self.floor {
            self.exponent(clipped.floor_log2())
        } else {
            self.exponent(clipped.round_log2())
        }
    }

    /// The magnitude within `max_value`.
    pub(crate) fn clipped(&self, magnitude: Exact) -> Exact {
        match self.limit {
            Some(limit) if limit.below(magnitude) => limit,
            _ => magnitude,
        }
    }

    /// The exponent for a rounded logarithm (to base 4 in quadratic form).
    pub(crate) fn exponent(&self, logarithm: i32) -> i32 {
        if self.quadratic {
            // Half exponents above 63 would leave f32.
            2 * logarithm.clamp(self.min, self.max.min(63))
        } else {
            logarithm.clamp(self.min, self.max)
        }
    }

    /// All exponents it gives.
    pub(crate) fn all(&self) -> Vec<i32> {
        let epsilon = Exact::of(f64::from(EPSILON));
        let mut all = vec![self.min];
        let step = if self.quadratic { 2 } else { 1 };
        let lowest = self.round(epsilon);
        let mut e = lowest;
        while e <= self.highest() {
            all.push(e);
            e += step;
        }
        all
    }

    /// The largest exponent it gives.
    pub(crate) fn highest(&self) -> i32 {
        self.round(Exact {
            mantissa: 1,
            exponent: 4096,
        })
    }

    /// A bound from below of all exponents it gives, reached for some `max_value`s.
    pub(crate) fn lowest(&self) -> i32 {
        self.round(Exact::of(f64::from(EPSILON))).min(self.min)
    }
}

/// `2^exponent` for exponents of normal f64, without the loop of a general power.
pub(crate) fn power(exponent: i32) -> f64 {
    f64::from_bits(u64::from((exponent + 1023).clamp(1, 2046).cast_unsigned()) << 52)
}

/// `2^exponent` in f32 with results below the normal range flushed to zero, as the original does.
pub(crate) fn flushed_power(exponent: i32) -> f64 {
    if exponent < -126 {
        0.0
    } else {
        2f64.powi(exponent)
    }
}
