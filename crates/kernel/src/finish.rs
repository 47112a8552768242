//! What becomes of a product's elements when their chains end: stored, or quantized at once.
//!
//! The rule this module keeps: an end sees each finished vector once, in registers, and gives the bits that
//! storing it and passing it through the kernels of [`crate::elementwise`] would.

use crate::buffer::LANES;
use crate::elementwise::Uniform;
use crate::fake_quantize::Steps;
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};

/// Takes finished vectors of a product.
///
/// # Safety
/// Called only from functions that have the level's target features, with rows and columns of the shape whose
/// slices the caller has checked.
pub(crate) trait Finish: Copy {
    /// Takes the vector that starts at `at`, counted in values of a padded matrix.
    unsafe fn take<V: Lanes>(self, value: V, at: usize);
}

/// An end that also takes two rows at once, where these have no more than half a vector each.
///
/// # Safety
/// As of [`Finish`].
pub(crate) trait FinishPair: Finish {
    /// Takes the first halves of vectors `at` and `at + 1`, counted in vectors of a matrix that is one wide.
    unsafe fn take_pair<V: Lanes>(self, both: V, at: usize);
}

/// Stored as they are.
#[derive(Clone, Copy)]
pub(crate) struct Store(pub(crate) *mut f32);

impl Finish for Store {
    #[inline(always)]
    unsafe fn take<V: Lanes>(self, value: V, at: usize) {
        value.store(self.0.add(at));
    }
}

impl FinishPair for Store {
    #[inline(always)]
    unsafe fn take_pair<V: Lanes>(self, both: V, at: usize) {
        let (first, padding) = (self.0.add(at * LANES), self.0.add(at * LANES + LANES / 2));
        both.store_apart(first, first.add(LANES));
        V::splat(0.0).store_apart(padding, padding.add(LANES));
    }
}

/// Stored where a bit says so, else zero.
#[derive(Clone, Copy)]
pub(crate) struct Keep {
    pub(crate) out: *mut f32,
    pub(crate) inside: *const u16,
}

impl Finish for Keep {
    #[inline(always)]
    unsafe fn take<V: Lanes>(self, value: V, at: usize) {
        let bits = *self.inside.add(at / LANES);
        value.keep_bits(bits).store(self.out.add(at));
    }
}

/// A quantizer that takes a product's elements, with a step that is a power of two and at most 256 codes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activate {
    steps: Steps,
    /// Largest value.
    bound: f32,
}

impl Activate {
    /// Of a grid; `None` for another one.
    #[must_use]
    pub fn new(grid: Uniform) -> Option<Self> {
        let fraction = grid.fraction()?;
        // The rounder less the lowest code must be even, for ties to go as they do without it.
        let bytes = grid.high - grid.low <= 255.0 && grid.low % 2.0 == 0.0;
        let steps = Steps::new(fraction, grid.low, grid.high)?;
        bytes.then_some(Self {
            steps: steps.less(grid.low),
            bound: grid.high * grid.step,
        })
    }
}

/// Where an activation's results go; lengths are those of the padded matrix, or a sixteenth for `inside`.
#[derive(Debug)]
pub struct Activated<'a> {
    /// Fake-quantized values; absent where codes are enough.
    pub values: Option<&'a mut [f32]>,
    /// Codes less the lowest one.
    pub codes: Option<&'a mut [u8]>,
    /// A bit for each value: whether what was quantized lies above zero and not above the largest value.
    pub inside: &'a mut [u16],
}

impl Activated<'_> {
    /// Panics where a slice is shorter than `values` padded values need.
    pub(crate) fn check(&self, values: usize) {
        let codes = self.codes.as_ref().map_or(values, |codes| codes.len());
        let stored = self.values.as_ref().map_or(values, |stored| stored.len());
        assert!(
            stored >= values && codes >= values && self.inside.len() * LANES >= values,
            "an activation of {values} values has {stored} values, {codes} codes and {} words of bits",
            self.inside.len()
        );
    }
}

/// Quantized and stored.
#[derive(Clone, Copy)]
pub(crate) struct Quantize {
    activate: Activate,
    values: Option<*mut f32>,
    codes: Option<*mut u8>,
    inside: *mut u16,
}

impl Quantize {
    /// By a quantizer, to where the results go.
    pub(crate) fn new(activate: Activate, out: &mut Activated<'_>) -> Self {
        Self {
            activate,
            values: out.values.as_mut().map(|values| values.as_mut_ptr()),
            codes: out.codes.as_mut().map(|codes| codes.as_mut_ptr()),
            inside: out.inside.as_mut_ptr(),
        }
    }
}

impl Finish for Quantize {
    #[inline(always)]
    unsafe fn take<V: Lanes>(self, value: V, at: usize) {
        let bits = value.bits_within(V::splat(0.0), V::splat(self.activate.bound));
        *self.inside.add(at / LANES) = bits;
        let code = self.activate.steps.code(value);
        if let Some(values) = self.values {
            self.activate.steps.value(code).store(values.add(at));
        }
        if let Some(codes) = self.codes {
            code.store_low_bytes(codes.add(at));
        }
    }
}

impl FinishPair for Quantize {
    #[inline(always)]
    unsafe fn take_pair<V: Lanes>(self, both: V, at: usize) {
        let bits = both.bits_within(V::splat(0.0), V::splat(self.activate.bound));
        *self.inside.add(at) = bits & 0xff;
        *self.inside.add(at + 1) = bits >> 8;
        let code = self.activate.steps.code(both);
        // Padding is a quantized zero.
        let zero = self.activate.steps.code(V::splat(0.0));
        if let Some(values) = self.values {
            let (first, padding) = (values.add(at * LANES), values.add(at * LANES + LANES / 2));
            let steps = self.activate.steps;
            steps.value(code).store_apart(first, first.add(LANES));
            steps.value(zero).store_apart(padding, padding.add(LANES));
        }
        if let Some(codes) = self.codes {
            let (first, padding) = (codes.add(at * LANES), codes.add(at * LANES + LANES / 2));
            code.store_low_bytes_apart(first, first.add(LANES));
            zero.store_low_bytes_apart(padding, padding.add(LANES));
        }
    }
}

#[inline(always)]
unsafe fn keep<V: Lanes>(inside: &[u16], gradient: &mut [f32]) {
    let end = Keep {
        out: gradient.as_mut_ptr(),
        inside: inside.as_ptr(),
    };
    for at in (0..gradient.len()).step_by(LANES) {
        end.take(V::load(gradient.as_ptr().add(at)), at);
    }
}

impl Kernels {
    /// Sets a padded gradient to zero where `inside` has no bit.
    ///
    /// # Panics
    /// When there are fewer bits than values, or the values are no multiple of [`LANES`].
    pub fn keep_inside(self, inside: &[u16], gradient: &mut [f32]) {
        assert!(
            gradient.len().is_multiple_of(LANES) && inside.len() * LANES >= gradient.len(),
            "{} words of bits for {} values",
            inside.len(),
            gradient.len()
        );
        dispatch!(self.level(), keep(inside: &[u16], gradient: &mut [f32]));
    }
}
