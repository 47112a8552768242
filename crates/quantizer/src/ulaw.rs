//! The logarithmic law: levels that lie on no uniform grid.

use bitfront_kernel::ln;

use crate::QuantizedUlaw;
use crate::squash::Real;

impl QuantizedUlaw {
    /// Position of `x` among the `2^(bits - 1) + 1` levels, from the lowest.
    pub(crate) fn index(&self, x: Real) -> i64 {
        let n = self.bits as i32 - 1;
        self.sigmoid.level(x.times_power(-self.integer), n)
    }

    /// Number of positions.
    pub(crate) fn positions(&self) -> i64 {
        (1i64 << (self.bits - 1)) + 1
    }

    /// Where a position stands between -1 and 1 before the law.
    fn place(&self, index: i64) -> f64 {
        2.0 * index as f64 / 2f64.powi(self.bits as i32 - 1) - 1.0
    }

    /// Smallest and largest law value that is let through.
    fn clip(&self) -> (f64, f64) {
        let m = 2f64.powi(self.bits as i32 - 1);
        (
            -1.0 + f64::from(u8::from(self.symmetric)) / m,
            1.0 - 1.0 / m,
        )
    }

    fn law(&self, place: f64) -> f64 {
        let u = f64::from(self.u);
        let size = ln(1.0 + u * place.abs()) / ln(1.0 + u);
        if place < 0.0 { -size } else { size }
    }

    /// The value of a position, rounded to f32.
    pub(crate) fn value(&self, index: i64) -> f64 {
        let (lo, hi) = self.clip();
        let value = self.law(self.place(index)).clamp(lo, hi) * 2f64.powi(self.integer);
        f64::from(value as f32) + 0.0
    }

    /// The original's gradient at `x`: the law's slope at the rounded place, none where it is cut.
    pub(crate) fn slope(&self, x: f64) -> f64 {
        let place = self.place(self.index(Real::of(x)));
        let (lo, hi) = self.clip();
        let law = self.law(place);
        // The original's absolute value has no slope at zero.
        if place == 0.0 || law < lo || law > hi {
            return 0.0;
        }
        let u = f64::from(self.u);
        let inner = u / ((1.0 + u * place.abs()) * ln(1.0 + u));
        2.0 * inner * self.sigmoid.slope(x * 2f64.powi(-self.integer))
    }
}
