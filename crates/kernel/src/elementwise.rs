//! Elementwise kernels: uniform fake-quantization, gradient masks and the Adam update.

use crate::buffer::LANES;
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};

/// A uniform grid: `y = clamp(round_half_even(x * inverse_step), low, high) * step`, and never minus zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uniform {
    /// Factor before rounding, a power of two.
    pub inverse_step: f32,
    /// Smallest code.
    pub low: f32,
    /// Largest code.
    pub high: f32,
    /// Factor after rounding.
    pub step: f32,
}

impl Uniform {
    /// Where the step is `2^-fraction`: the fraction.
    pub(crate) fn fraction(self) -> Option<i32> {
        let bits = self.inverse_step.to_bits();
        let exact = bits & 0x807f_ffff == 0 && self.step * self.inverse_step == 1.0;
        exact.then(|| (bits >> 23) as i32 - 127)
    }
}

/// Constants of one Adam step in Keras' form: `w -= rate * m / (sqrt(v) + epsilon)` with the bias
/// corrections of both moments folded into `rate`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// `learning_rate * sqrt(1 - beta2^t) / (1 - beta1^t)`.
    pub rate: f32,
    /// Decay of the first moment; it and `1 - beta1` are rounded to f32, as in Keras.
    pub beta1: f64,
    /// Decay of the second moment, likewise.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Weights are kept within plus and minus this; infinite where they are free.
    pub limit: f32,
}

#[inline(always)]
unsafe fn quantize<V: Lanes>(u: Uniform, x: &[f32], y: &mut [f32]) {
    let (inverse, step) = (V::splat(u.inverse_step), V::splat(u.step));
    let (low, high) = (V::splat(u.low), V::splat(u.high));
    for i in (0..x.len()).step_by(LANES) {
        let code = V::load(x.as_ptr().add(i)).mul(inverse).round();
        let code = code.max(low).min(high);
        // The added zero turns minus zero into zero.
        code.mul_add(step, V::splat(0.0))
            .store(y.as_mut_ptr().add(i));
    }
}

#[inline(always)]
unsafe fn rectified<V: Lanes>(x: &[f32], y: &mut [f32]) {
    for i in (0..x.len()).step_by(LANES) {
        let x = V::load(x.as_ptr().add(i));
        x.max(V::splat(0.0)).store(y.as_mut_ptr().add(i));
    }
}

#[inline(always)]
unsafe fn mask<V: Lanes>(x: &[f32], low: f32, high: f32, gradient: &mut [f32]) {
    let (low, high) = (V::splat(low), V::splat(high));
    for i in (0..x.len()).step_by(LANES) {
        let x = V::load(x.as_ptr().add(i));
        let g = V::load(gradient.as_ptr().add(i));
        g.keep_where(x, low, high)
            .store(gradient.as_mut_ptr().add(i));
    }
}

#[inline(always)]
unsafe fn adam<V: Lanes>(
    s: AdamStep,
    w: &mut [f32],
    m: &mut [f32],
    v: &mut [f32],
    g: &[f32],
) -> bool {
    let (beta1, beta2) = (V::splat(s.beta1 as f32), V::splat(s.beta2 as f32));
    let rest = |beta: f64| V::splat((1.0 - beta) as f32);
    let (rest1, rest2) = (rest(s.beta1), rest(s.beta2));
    let (rate, epsilon) = (V::splat(s.rate), V::splat(s.epsilon));
    let zero = V::splat(0.0);
    let mut seen = zero;
    for i in (0..w.len()).step_by(LANES) {
        let g = V::load(g.as_ptr().add(i));
        let m1 = V::load(m.as_ptr().add(i)).mul(beta1).add(g.mul(rest1));
        let v1 = V::load(v.as_ptr().add(i))
            .mul(beta2)
            .add(g.mul(g).mul(rest2));
        let change = rate.mul(m1).div(v1.sqrt().add(epsilon));
        let w1 = V::load(w.as_ptr().add(i)).sub(change);
        m1.store(m.as_mut_ptr().add(i));
        v1.store(v.as_mut_ptr().add(i));
        let kept = w1.max(V::splat(-s.limit)).min(V::splat(s.limit));
        kept.store(w.as_mut_ptr().add(i));
        // Infinity and NaN times zero are NaN, and NaN stays.
        seen = seen.add(w1.mul(zero)).add(v1.mul(zero));
    }
    let mut lanes = [0.0_f32; LANES];
    seen.store(lanes.as_mut_ptr());
    lanes.iter().all(|lane| *lane == 0.0)
}

fn check(name: &str, len: usize, expected: usize) {
    assert!(
        len == expected && len.is_multiple_of(LANES),
        "{name} has {len} values, expected {expected}, a multiple of {LANES}"
    );
}

impl Kernels {
    /// Fake-quantizes `x` to a uniform grid. Lengths are equal multiples of [`LANES`].
    ///
    /// # Panics
    /// When the lengths differ or are no multiple of [`LANES`].
    pub fn quantize_uniform(self, grid: Uniform, x: &[f32], y: &mut [f32]) {
        check("x", x.len(), x.len());
        check("y", y.len(), x.len());
        dispatch!(self.level(), quantize(grid: Uniform, x: &[f32], y: &mut [f32]));
    }

    /// `y = max(x, 0)`; NaN becomes zero. Lengths are equal multiples of [`LANES`].
    ///
    /// # Panics
    /// When the lengths differ or are no multiple of [`LANES`].
    pub fn rectify(self, x: &[f32], y: &mut [f32]) {
        check("x", x.len(), x.len());
        check("y", y.len(), x.len());
        dispatch!(self.level(), rectified(x: &[f32], y: &mut [f32]));
    }

    /// Sets the gradient to zero where `x` is not in `(low, high]`.
    ///
    /// # Panics
    /// When the lengths differ or are no multiple of [`LANES`].
    pub fn mask_gradient(self, x: &[f32], low: f32, high: f32, gradient: &mut [f32]) {
        check("x", x.len(), x.len());
        check("gradient", gradient.len(), x.len());
        dispatch!(self.level(), mask(x: &[f32], low: f32, high: f32, gradient: &mut [f32]));
    }

    /// One Adam step on weights `w` with moments `m`, `v` and gradient `g`. Returns whether all
    /// weights and moments are finite afterwards.
    ///
    /// # Panics
    /// When the lengths differ or are no multiple of [`LANES`].
    pub fn adam(
        self,
        step: AdamStep,
        w: &mut [f32],
        m: &mut [f32],
        v: &mut [f32],
        g: &[f32],
    ) -> bool {
        check("m", m.len(), w.len());
        check("v", v.len(), w.len());
        check("g", g.len(), w.len());
        dispatch!(
            self.level(),
            adam(step: AdamStep, w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]) -> bool
        )
    }
}
