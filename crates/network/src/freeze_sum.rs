//! Sums of integers whose summands have fractions of their own: alignment and proven intervals.
//!
//! The rule this module keeps: intervals are computed in 128 bits, and whatever passes 2^53 units is
//! refused before it is narrowed.

use crate::{FreezeError, Interval};

/// Largest magnitude of a sum, in its units.
pub(crate) const LARGEST: i128 = 1 << 53;

/// Fractions whose units, and 2^53 of them, are normal numbers of f64.
const FRACTIONS: std::ops::RangeInclusive<i32> = -900..=900;

/// Intervals of a sum while it grows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    /// Ends of the finished sum.
    lo: i128,
    hi: i128,
    /// Ends of all partial sums in any order.
    least: i128,
    most: i128,
}

impl Sum {
    /// Adds a summand with the ends `a` and `b`, in either order.
    pub(crate) fn add(&mut self, a: i128, b: i128) {
        let (down, up) = (a.min(b), a.max(b));
        self.lo += down;
        self.hi += up;
        self.least += down.min(0);
        self.most += up.max(0);
    }

    /// Whether every partial sum is zero.
    pub(crate) fn is_zero(&self) -> bool {
        (self.least, self.most) == (0, 0)
    }

    /// The sum with every summand multiplied by `factor` and shifted left.
    ///
    /// # Errors
    /// The bits needed where a partial sum passes 2^53.
    pub(crate) fn scaled(&self, factor: i64, shift: u32) -> Result<Self, u32> {
        self.check()?;
        if self.is_zero() {
            return Ok(*self);
        }
        let scale = |v: i128| v * i128::from(factor);
        let sorted = |a: i128, b: i128| (scale(a).min(scale(b)), scale(a).max(scale(b)));
        let ((lo, hi), (least, most)) = (sorted(self.lo, self.hi), sorted(self.least, self.most));
        let needed = bits(least, most) + shift;
        if needed > 62 {
            return Err(needed);
        }
        Ok(Self {
            lo: lo << shift,
            hi: hi << shift,
            least: least << shift,
            most: most << shift,
        })
    }

    /// Refuses partial sums beyond 2^53.
    pub(crate) fn check(&self) -> Result<(), u32> {
        if -self.least > LARGEST || self.most > LARGEST {
            return Err(bits(self.least, self.most));
        }
        Ok(())
    }

    /// The intervals of all partial sums and of the finished sum.
    ///
    /// # Errors
    /// The bits needed where one passes 2^53.
    pub(crate) fn intervals(&self) -> Result<(Interval, Interval), u32> {
        self.check()?;
        let interval = |lo: i128, hi: i128| Interval {
            lo: lo as i64,
            hi: hi as i64,
        };
        let partial = interval(self.least, self.most);
        Ok((partial, interval(self.lo, self.hi)))
    }
}

/// `value << shift`, or the bits needed where that passes 2^53.
pub(crate) fn shifted(value: i64, shift: u32) -> Result<i128, u32> {
    let mut sum = Sum::default();
    sum.add(i128::from(value), i128::from(value));
    sum.scaled(1, shift).and_then(|sum| {
        sum.check()?;
        Ok(sum.lo)
    })
}

/// The finest fraction among the parts that ask for one; a part that is always zero does not ask.
/// Where none asks, the coarsest.
pub(crate) fn common_fraction(parts: impl Iterator<Item = (i32, bool)>) -> i32 {
    let (mut finest, mut coarsest) = (None, None);
    for (fraction, asks) in parts {
        if asks {
            finest = finest.max(Some(fraction));
        }
        coarsest = Some(coarsest.map_or(fraction, |c: i32| c.min(fraction)));
    }
    finest.or(coarsest).unwrap_or(0)
}

/// Left shift of a part to the common fraction.
pub(crate) fn shift_to(common: i32, (fraction, asks): (i32, bool)) -> u32 {
    if asks { common.abs_diff(fraction) } else { 0 }
}

/// Refuses units that f64 does not hold.
pub(crate) fn check_fraction(place: &str, fraction: i32) -> Result<(), FreezeError> {
    if FRACTIONS.contains(&fraction) {
        return Ok(());
    }
    Err(FreezeError::NotExact {
        place: place.into(),
        reason: format!(
            "its values are multiples of 2^{}; accepted are 2^-900 to 2^900",
            -i64::from(fraction)
        ),
    })
}

/// Bits of the two's-complement number that holds both.
fn bits(lo: i128, hi: i128) -> u32 {
    let magnitude = |v: i128| 128 - (if v < 0 { !v } else { v }).leading_zeros();
    1 + magnitude(lo).max(magnitude(hi))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_end_at_the_largest_magnitude() {
        let of = |v: i128| {
            let mut sum = Sum::default();
            sum.add(v, v);
            sum.intervals()
        };
        for largest in [1i128 << 53, -(1 << 53)] {
            let (_, finished) = of(largest).expect("fits");
            assert_eq!(i128::from(finished.lo), largest);
        }
        assert_eq!(of((1 << 53) + 1), Err(55));
        assert_eq!(of(-(1 << 53) - 1), Err(55));
        assert!(shifted(1 << 52, 1).is_ok() && shifted(1 << 53, 1).is_err());
    }
}
