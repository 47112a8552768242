//! Softmax cross-entropy against shares of classes, each row with a weight of its own.

use crate::buffer::{LANES, stride};
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};
use crate::math::ln;
use crate::softmax::exp;

/// How logits are read and what their gradient is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftScale {
    /// What logits are multiplied by before the softmax: one over the temperature.
    pub sharpness: f32,
    /// What gradients are multiplied by: one over the rows of a batch.
    pub gradient: f32,
}

#[inline(always)]
unsafe fn soft_cross_entropy<V: Lanes>(
    columns: usize,
    logits: &[f32],
    targets: &[f32],
    weights: &[f32],
    scale: SoftScale,
    gradient: &mut [f32],
) -> f64 {
    let n = stride(columns);
    let sharpness = V::splat(scale.sharpness);
    let mut total = 0.0_f64;
    // Infinity and NaN times zero are NaN, and NaN stays.
    let mut seen = V::splat(0.0);
    let mut lanes = [0.0_f32; LANES];
    for (i, &weight) in weights.iter().enumerate() {
        let z = logits.as_ptr().add(i * n);
        let t = targets.as_ptr().add(i * n);
        let g = gradient.as_mut_ptr().add(i * n);
        let mut top = *z;
        for j in 1..columns {
            let value = *z.add(j);
            top = if value > top { value } else { top };
        }
        let tops = V::splat(top);
        let (mut sum, mut along) = (0.0_f32, 0.0_f64);
        for j in (0..n).step_by(LANES) {
            let block = V::load(z.add(j));
            seen = block.mul_add(V::splat(0.0), seen);
            exp(block.sub(tops).mul(sharpness)).store(lanes.as_mut_ptr());
            for (at, lane) in (j..columns).zip(lanes) {
                sum += lane;
                along += f64::from(*t.add(at)) * f64::from(*z.add(at) - top);
            }
        }
        let loss = ln(f64::from(sum)) - f64::from(scale.sharpness) * along;
        total += f64::from(weight) * loss;
        let share = V::splat(1.0 / sum);
        let factor = V::splat(scale.gradient * weight * scale.sharpness);
        for j in (0..n).step_by(LANES) {
            let exps = exp(V::load(z.add(j)).sub(tops).mul(sharpness));
            let off = exps.mul(share).sub(V::load(t.add(j)));
            off.mul_add(factor, V::load(g.add(j))).store(g.add(j));
        }
        for j in columns..n {
            *g.add(j) = 0.0;
        }
    }
    seen.store(lanes.as_mut_ptr());
    if lanes.iter().any(|lane| *lane != 0.0) {
        total = f64::NAN;
    }
    total
}

impl Kernels {
    /// Sum over rows of `weight * cross_entropy(target, softmax(sharpness * logits))` in nats; its
    /// gradient by the logits, times `scale.gradient`, is added to `gradient`
    /// (`scale.gradient * weight * sharpness * (softmax - target)`; padding columns become zero).
    ///
    /// `logits`, `targets` (shares that sum to one in each row) and `gradient` are padded
    /// `weights.len() x columns`. A logit that is not finite makes the sum NaN.
    ///
    /// # Panics
    /// When a slice is too short.
    pub fn soft_cross_entropy(
        self,
        columns: usize,
        logits: &[f32],
        targets: &[f32],
        weights: &[f32],
        scale: SoftScale,
        gradient: &mut [f32],
    ) -> f64 {
        let needed = weights.len() * stride(columns);
        for (name, len) in [
            ("logits", logits.len()),
            ("targets", targets.len()),
            ("gradient", gradient.len()),
        ] {
            assert!(
                len >= needed,
                "{name} has {len} values, {needed} are needed"
            );
        }
        dispatch!(
            self.level(),
            soft_cross_entropy(
                columns: usize, logits: &[f32], targets: &[f32], weights: &[f32],
                scale: SoftScale, gradient: &mut [f32]
            ) -> f64
        )
    }
}
