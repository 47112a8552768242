//! Values of codes on a grid, as a vector reads them.
//!
//! The rule this module keeps: a value of a code is the grid's own, bit for bit: one multiply-add, which is exact.

use crate::buffer::LANES;
use crate::elementwise::Uniform;
use crate::lanes::{Lanes, Part};
use crate::level::{Kernels, dispatch};

/// What bytes stand for: codes of a grid, less the lowest one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CodeValues {
    step: f32,
    inverse_step: f32,
    low: f32,
}

impl CodeValues {
    /// Of a grid; `None` where its step is no power of two, its codes do not fit bytes or zero has none.
    #[must_use]
    pub fn new(grid: Uniform) -> Option<Self> {
        grid.fraction()?;
        let fits = grid.high - grid.low <= 255.0 && grid.low <= 0.0 && grid.high >= 0.0;
        fits.then_some(Self {
            step: grid.step,
            inverse_step: grid.inverse_step,
            low: grid.low,
        })
    }

    /// The code of a value on the grid, less the lowest one.
    #[must_use]
    pub fn code(self, value: f32) -> u8 {
        (value * self.inverse_step - self.low) as u8
    }

    /// The value of a code.
    #[inline(always)]
    pub(crate) fn value(self, code: u8) -> f32 {
        (f32::from(code) + self.low) * self.step
    }

    /// The values of as many codes as there are lanes.
    ///
    /// # Safety
    /// As of [`Part`], with codes for all lanes.
    #[inline(always)]
    pub(crate) unsafe fn load<P: Part>(self, codes: *const u8) -> P {
        let lowest = P::splat(self.low * self.step);
        P::load_bytes(codes).mul_add(P::splat(self.step), lowest)
    }
}

#[inline(always)]
unsafe fn values_of<V: Lanes>(values: CodeValues, codes: &[u8], to: &mut [f32]) {
    for at in (0..codes.len()).step_by(LANES) {
        let value: V = values.load(codes.as_ptr().add(at));
        Lanes::store(value, to.as_mut_ptr().add(at));
    }
}

impl Kernels {
    /// The values of codes; lengths are equal multiples of [`LANES`].
    ///
    /// # Panics
    /// When the lengths differ or are no multiple of [`LANES`].
    pub fn values_of_codes(self, values: CodeValues, codes: &[u8], to: &mut [f32]) {
        assert!(
            codes.len() == to.len() && to.len().is_multiple_of(LANES),
            "{} codes for {} values",
            codes.len(),
            to.len()
        );
        dispatch!(self.level(), values_of(values: CodeValues, codes: &[u8], to: &mut [f32]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    #[test]
    fn grids_of_more_codes_or_without_zero_have_none() {
        let grid = |low, high| Uniform {
            inverse_step: 4.0,
            low,
            high,
            step: 0.25,
        };
        for (low, high, fits) in [
            (0.0, 255.0, true),
            (-128.0, 127.0, true),
            (-255.0, 0.0, true),
            (0.0, 256.0, false),
            (1.0, 2.0, false),
            (-2.0, -1.0, false),
        ] {
            assert_eq!(
                CodeValues::new(grid(low, high)).is_some(),
                fits,
                "{low} to {high}"
            );
        }
        let thirds = Uniform {
            step: 0.3,
            ..grid(0.0, 3.0)
        };
        assert!(CodeValues::new(thirds).is_none());
    }

    #[test]
    fn codes_and_values_are_each_others() {
        let grid = Uniform {
            inverse_step: 32.0,
            low: -128.0,
            high: 127.0,
            step: 1.0 / 32.0,
        };
        let values = CodeValues::new(grid).unwrap();
        let codes: Vec<u8> = (0..=255).collect();
        for kernels in Level::ALL.into_iter().filter_map(Kernels::at) {
            let mut all = vec![0.0; 256];
            kernels.values_of_codes(values, &codes, &mut all);
            let expected = codes.iter().map(|code| values.value(*code));
            assert!(all.into_iter().eq(expected), "{:?}", kernels.level());
        }
        for code in 0..=255 {
            let value = (f32::from(code) - 128.0) / 32.0;
            assert_eq!(values.value(code).to_bits(), value.to_bits());
            assert_eq!(values.code(value), code);
        }
    }
}
