//! Softmax cross-entropy with its gradient, on an exponential that is the same on every level.

use crate::buffer::{LANES, stride};
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};
use crate::math::ln;

/// What a batch lost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchLoss {
    /// Sum of the cross-entropies in nats.
    pub loss: f64,
    /// Rows whose largest logit (lowest index on a tie) is the label's.
    pub correct: usize,
}

/// `e^x` for `x <= 0`, each lane within 2 ulp; below -87 it is `e^-87`, above 0 it is 1.
#[inline(always)]
unsafe fn exp<V: Lanes>(x: V) -> V {
    let x = x.max(V::splat(-87.0)).min(V::splat(0.0));
    let n = x.mul(V::splat(std::f32::consts::LOG2_E)).round();
    // ln 2 in two parts: the first has few enough bits that n times it is exact.
    let r = n.mul_add(V::splat(-0.693_359_4), x);
    let r = n.mul_add(V::splat(2.121_944_4e-4), r);
    let mut p = V::splat(1.0 / 5040.0);
    for c in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        p = p.mul_add(r, V::splat(c));
    }
    p.mul(n.exp2_integer())
}

/// Products of this many row sums (each at most 256) stay below the largest f64.
const ROWS_PER_LOGARITHM: usize = 64;

#[inline(always)]
unsafe fn cross_entropy<V: Lanes>(
    columns: usize,
    logits: &[f32],
    labels: &[u8],
    scale: f32,
    gradient: &mut [f32],
) -> BatchLoss {
    let n = stride(columns);
    let mut out = BatchLoss::default();
    let mut product = 1.0_f64;
    // Infinity and NaN times zero are NaN, and NaN stays.
    let mut seen = V::splat(0.0);
    for (i, &label) in labels.iter().enumerate() {
        let z = logits.as_ptr().add(i * n);
        let g = gradient.as_mut_ptr().add(i * n);
        let (mut top, mut class) = (*z, 0);
        for j in 1..columns {
            let value = *z.add(j);
            (top, class) = if value > top {
                (value, j)
            } else {
                (top, class)
            };
        }
        let label = usize::from(label);
        out.correct += usize::from(class == label);
        for j in (0..n).step_by(LANES) {
            let block = V::load(z.add(j));
            seen = block.mul_add(V::splat(0.0), seen);
            exp(block.sub(V::splat(top))).store(g.add(j));
        }
        let mut sum = 0.0_f32;
        for j in 0..columns {
            sum += *g.add(j);
        }
        let factor = V::splat(scale / sum);
        for j in (0..n).step_by(LANES) {
            V::load(g.add(j)).mul(factor).store(g.add(j));
        }
        for j in columns..n {
            *g.add(j) = 0.0;
        }
        *g.add(label) -= scale;
        out.loss -= f64::from(*z.add(label) - top);
        product *= f64::from(sum);
        if (i + 1) % ROWS_PER_LOGARITHM == 0 {
            out.loss += ln(product);
            product = 1.0;
        }
    }
    out.loss += ln(product);
    let mut lanes = [0.0_f32; LANES];
    seen.store(lanes.as_mut_ptr());
    if lanes.iter().any(|lane| *lane != 0.0) {
        out.loss = f64::NAN;
    }
    out
}

impl Kernels {
    /// Softmax cross-entropy of padded `logits` (`labels.len() x columns`), and its gradient times
    /// `scale`: `scale * (softmax - one_hot)`, padding columns zero.
    ///
    /// A logit that is not finite makes the loss NaN.
    ///
    /// # Panics
    /// When a slice is too short or a label is not below `columns`.
    pub fn softmax_cross_entropy(
        self,
        columns: usize,
        logits: &[f32],
        labels: &[u8],
        scale: f32,
        gradient: &mut [f32],
    ) -> BatchLoss {
        let needed = labels.len() * stride(columns);
        assert!(
            logits.len() >= needed && gradient.len() >= needed,
            "logits have {} and gradients {} values, {needed} are needed",
            logits.len(),
            gradient.len()
        );
        assert!(
            labels.iter().all(|label| usize::from(*label) < columns),
            "labels must be below {columns}"
        );
        dispatch!(
            self.level(),
            cross_entropy(
                columns: usize, logits: &[f32], labels: &[u8], scale: f32, gradient: &mut [f32]
            ) -> BatchLoss
        )
    }
}
