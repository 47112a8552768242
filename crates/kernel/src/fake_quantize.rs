//! Fake-quantization of slices of any length to a uniform grid with a power-of-two step.
//!
//! The rule this module keeps: codes up to 2^22 are rounded half to even by adding and taking away
//! 1.5 * 2^23, which leaves four operations a value, each exact or correctly rounded, so that every
//! level gives the same bits.

use crate::buffer::LANES;
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};

/// Adding this leaves a sum whose last place is one.
pub(crate) const ROUNDER: f32 = 12_582_912.0;

/// Largest magnitude of a code.
const LARGEST_CODE: f32 = 4_194_304.0;

/// `y = clamp(round_half_even(x * inverse_step), low, high) * step`, ready for the kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    inverse_step: f32,
    low: f32,
    high: f32,
    step: f32,
    back: f32,
    rounder: f32,
}

impl Steps {
    /// A grid of step `2^-fraction` with codes `low..=high`; `None` where f32 does not hold its
    /// factors or codes pass 2^22.
    #[must_use]
    pub fn new(fraction: i32, low: f32, high: f32) -> Option<Self> {
        // Of the step times the rounder all bits must be normal, too.
        let fits = (-100..=120).contains(&fraction)
            && low <= high
            && low >= -LARGEST_CODE
            && high <= LARGEST_CODE;
        let power = |e: i32| f32::from_bits(((e + 127) as u32) << 23);
        fits.then(|| Self {
            inverse_step: power(fraction),
            low: ROUNDER + low,
            high: ROUNDER + high,
            step: power(-fraction),
            back: -ROUNDER * power(-fraction),
            rounder: ROUNDER,
        })
    }

    /// The same grid, whose codes in between are smaller by `offset`: even, and small beside the rounder.
    pub(crate) fn less(self, offset: f32) -> Self {
        Self {
            low: self.low - offset,
            high: self.high - offset,
            back: self.back + offset * self.step,
            rounder: ROUNDER - offset,
            ..self
        }
    }

    /// The code of a value, plus the rounder: the lowest bits of the sum are the code's.
    #[inline(always)]
    pub(crate) unsafe fn code<V: Lanes>(self, value: V) -> V {
        let code = value.mul_add(V::splat(self.inverse_step), V::splat(self.rounder));
        code.max(V::splat(self.low)).min(V::splat(self.high))
    }

    /// The value of such a code.
    #[inline(always)]
    pub(crate) unsafe fn value<V: Lanes>(self, code: V) -> V {
        code.mul_add(V::splat(self.step), V::splat(self.back))
    }
}

/// What is done with a block of lanes: no closure, which would not have the level's instructions.
trait Block: Copy {
    /// From where it is read to where it is written.
    unsafe fn one<V: Lanes>(self, from: *const f32, to: *mut f32);
}

impl Block for Steps {
    #[inline(always)]
    unsafe fn one<V: Lanes>(self, from: *const f32, to: *mut f32) {
        self.value(self.code(V::load(from))).store(to);
    }
}

#[derive(Clone, Copy)]
struct Copied;

impl Block for Copied {
    #[inline(always)]
    unsafe fn one<V: Lanes>(self, from: *const f32, to: *mut f32) {
        V::load(from).store(to);
        // Keeps the loop one, where the compiler would call its memory copy.
        std::hint::black_box(());
    }
}

/// Does `each` with every block of lanes; the last ones, where there are not enough, through a buffer.
#[inline(always)]
unsafe fn lanes<V: Lanes>(each: impl Block, x: &[f32], y: &mut [f32]) {
    let whole = x.len() - x.len() % LANES;
    for i in (0..whole).step_by(LANES) {
        each.one::<V>(x.as_ptr().add(i), y.as_mut_ptr().add(i));
    }
    let rest = x.len() - whole;
    if rest > 0 {
        let (mut from, mut to) = ([0.0; LANES], [0.0; LANES]);
        from[..rest].copy_from_slice(&x[whole..]);
        each.one::<V>(from.as_ptr(), to.as_mut_ptr());
        y[whole..].copy_from_slice(&to[..rest]);
    }
}

impl Kernels {
    /// Fake-quantizes `x` into `y`, slices of any length. NaN becomes the lowest value, and minus
    /// zero never comes out.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn fake_quantize(self, steps: Steps, x: &[f32], y: &mut [f32]) {
        assert_eq!(x.len(), y.len(), "x and y have the same length");
        dispatch!(self.level(), lanes(steps: Steps, x: &[f32], y: &mut [f32]));
    }

    /// Copies `x` into `y` by the loop of [`Kernels::fake_quantize`] without its arithmetic: the
    /// measure of its speed.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn copy(self, x: &[f32], y: &mut [f32]) {
        assert_eq!(x.len(), y.len(), "x and y have the same length");
        let each = Copied;
        dispatch!(self.level(), lanes(each: Copied, x: &[f32], y: &mut [f32]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use proptest::prelude::*;

    #[test]
    fn grids_that_do_not_fit_are_refused() {
        assert!(Steps::new(5, -32.0, 31.0).is_some());
        assert!(Steps::new(130, 0.0, 1.0).is_none());
        assert!(Steps::new(-101, 0.0, 1.0).is_none());
        assert!(Steps::new(0, 0.0, 4_194_305.0).is_none());
        assert!(Steps::new(0, 2.0, 1.0).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

        #[test]
        fn every_level_rounds_and_clamps(
            x in prop::collection::vec(prop_oneof![-9f32..9f32, (-400i32..400).prop_map(|i| i as f32 / 64.0), any::<f32>()], 0..70),
            fraction in -20i32..40,
            bits in 1u32..=22,
        ) {
            let high = ((1u32 << bits) - 1) as f32;
            let low = if bits % 2 == 0 { 0.0 } else { -high - 1.0 };
            let steps = Steps::new(fraction, low, high).expect("fits");
            for level in Level::ALL {
                let Some(kernels) = Kernels::at(level) else { continue };
                let mut y = vec![f32::NAN; x.len()];
                kernels.fake_quantize(steps, &x, &mut y);
                for (x, y) in x.iter().zip(&y) {
                    let code = (f64::from(*x) * 2f64.powi(fraction)).max(low.into()).min(high.into());
                    let expected = (code.round_ties_even() * 2f64.powi(-fraction) + 0.0) as f32;
                    prop_assert_eq!(y.to_bits(), expected.to_bits(), "{:?} at {:?}", x, level);
                }
                kernels.copy(&x, &mut y);
                prop_assert!(x.iter().zip(&y).all(|(x, y)| x.to_bits() == y.to_bits()));
            }
        }
    }
}
