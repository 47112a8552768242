//! Exact ranges of wires, and the price of an adder between two of them.

/// All values `n * 2^exponent` of a wire: `low <= n <= high`, `n` an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Smallest `n`.
    pub low: i128,
    /// Largest `n`.
    pub high: i128,
    /// Logarithm of the step: no bit of lower weight is ever set.
    pub exponent: i32,
}

/// No range may reach further than this from zero, in steps, so that sums stay inside `i128`.
pub(super) const LIMIT: i128 = 1 << 120;

impl Range {
    /// A range of `low..=high` steps of `2^exponent`.
    pub fn new(low: i128, high: i128, exponent: i32) -> Self {
        Self {
            low,
            high,
            exponent,
        }
    }

    /// A wire that is never anything but zero.
    pub fn is_zero(&self) -> bool {
        self.low == 0 && self.high == 0
    }

    /// All values times `2^shift`.
    #[must_use]
    pub fn shifted(self, shift: i32) -> Self {
        Self {
            exponent: self.exponent + shift,
            ..self
        }
    }

    /// All values times minus one.
    #[must_use]
    pub fn negated(self) -> Self {
        Self {
            low: -self.high,
            high: -self.low,
            exponent: self.exponent,
        }
    }

    /// What the sum of any two values may be; none where it reaches past 120 bits.
    pub fn plus(self, other: Self) -> Option<Self> {
        let exponent = self.exponent.min(other.exponent);
        let [a, b] = [self.refined(exponent)?, other.refined(exponent)?];
        let [low, high] = [a.low + b.low, a.high + b.high];
        (low > -LIMIT && high < LIMIT).then_some(Self {
            low,
            high,
            exponent,
        })
    }

    /// The same values counted in finer steps.
    fn refined(self, exponent: i32) -> Option<Self> {
        let shift = u32::try_from(self.exponent - exponent).ok()?;
        if self.is_zero() {
            return Some(Self { exponent, ..self });
        }
        if shift >= 120 {
            return None;
        }
        let factor = 1_i128 << shift;
        let [low, high] = [
            self.low.checked_mul(factor)?,
            self.high.checked_mul(factor)?,
        ];
        (low > -LIMIT && high < LIMIT).then_some(Self {
            low,
            high,
            exponent,
        })
    }

    /// Does a wire of this range need a sign bit?
    pub fn is_signed(&self) -> bool {
        self.low < 0
    }

    /// Weight above the highest magnitude bit: `ceil(log2(max(-low, high + 1))) + exponent`.
    pub(super) fn top(&self) -> i32 {
        logarithm((-self.low).max(self.high + 1)) + self.exponent
    }

    /// The same of the subtrahend of a subtraction, whose negative is what is added.
    pub(super) fn top_subtracted(&self) -> i32 {
        logarithm((-self.low).max(self.high)) + self.exponent
    }
}

/// `ceil(log2(magnitude))`, and nothing for zero.
fn logarithm(magnitude: i128) -> i32 {
    if magnitude <= 1 {
        return 0;
    }
    128 - (magnitude - 1).leading_zeros() as i32
}

/// Bits of the accumulator of `a + b`, or `a - b`: a sign bit where either operand has one, and
/// the magnitude bits from the coarser step up. Bits below it pass without an adder.
///
/// ```
/// use bitfront_hardware::adder_graph::{Range, adder_price};
/// let byte = Range::new(-128, 127, 0);
/// assert_eq!(adder_price(&byte, &byte, false), 8);
/// // The lowest bit of `a` passes by: b has none there.
/// assert_eq!(adder_price(&byte, &byte.shifted(1), true), 8);
/// ```
pub fn adder_price(a: &Range, b: &Range, subtract: bool) -> u32 {
    let top_b = if subtract {
        b.top_subtracted()
    } else {
        b.top()
    };
    let bits = a.top().max(top_b) - a.exponent.max(b.exponent);
    let sign = i32::from(a.is_signed() || b.is_signed());
    (bits + sign).max(0) as u32
}
