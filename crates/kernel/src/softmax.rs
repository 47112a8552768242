//! Softmax cross-entropy with its gradient, on an exponential that is the same on every level.
//!
//! Rows of at most [`LANES`] logits go through together, a row in each lane; each row's sum is the same chain
//! over its columns either way.

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
pub(crate) unsafe fn exp<V: Lanes>(x: V) -> V {
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

/// Adds up the losses of a batch, row by row.
struct Ledger {
    total: BatchLoss,
    rows: usize,
    product: f64,
}

impl Ledger {
    /// Takes whether a row's largest logit is the label's, the label's less the largest, and the sum of
    /// exponentials.
    #[inline(always)]
    fn take(&mut self, correct: bool, behind: f32, sum: f32) {
        self.total.correct += usize::from(correct);
        self.total.loss -= f64::from(behind);
        self.product *= f64::from(sum);
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_PER_LOGARITHM) {
            self.total.loss += ln(self.product);
            self.product = 1.0;
        }
    }

    /// The whole; NaN where a lane of `seen` is not zero.
    #[inline(always)]
    unsafe fn close<V: Lanes>(mut self, seen: V) -> BatchLoss {
        self.total.loss += ln(self.product);
        let mut lanes = [0.0_f32; LANES];
        seen.store(lanes.as_mut_ptr());
        if lanes.iter().any(|lane| *lane != 0.0) {
            self.total.loss = f64::NAN;
        }
        self.total
    }
}

#[inline(always)]
unsafe fn cross_entropy<V: Lanes>(
    columns: usize,
    logits: &[f32],
    labels: &[u8],
    scale: f32,
    gradient: &mut [f32],
) -> BatchLoss {
    let mut ledger = Ledger {
        total: BatchLoss::default(),
        rows: 0,
        product: 1.0,
    };
    // Infinity and NaN times zero are NaN, and NaN stays.
    let mut seen = V::splat(0.0);
    if columns <= LANES {
        let rows = logits
            .chunks(LANES * LANES)
            .zip(gradient.chunks_mut(LANES * LANES));
        for (labels, (z, g)) in labels.chunks(LANES).zip(rows) {
            seen = lanes_of_rows::<V>(columns, z, labels, scale, g, &mut ledger, seen);
        }
        return ledger.close(seen);
    }
    let n = stride(columns);
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
        *g.add(usize::from(label)) -= scale;
        let behind = *z.add(usize::from(label)) - top;
        ledger.take(class == usize::from(label), behind, sum);
    }
    ledger.close(seen)
}

/// At most [`LANES`] rows of one block each, a row in each lane; what they have `seen`.
#[inline(always)]
unsafe fn lanes_of_rows<V: Lanes>(
    columns: usize,
    logits: &[f32],
    labels: &[u8],
    scale: f32,
    gradient: &mut [f32],
    ledger: &mut Ledger,
    mut seen: V,
) -> V {
    // By column; lanes without a row hold zeros.
    let mut z = [[0.0_f32; LANES]; LANES];
    if labels.len() == LANES {
        for (j, column) in z[..columns].iter_mut().enumerate() {
            for (i, value) in column.iter_mut().enumerate() {
                *value = *logits.as_ptr().add(i * LANES + j);
            }
        }
    } else {
        for (j, column) in z[..columns].iter_mut().enumerate() {
            for (i, value) in column[..labels.len()].iter_mut().enumerate() {
                *value = *logits.as_ptr().add(i * LANES + j);
            }
        }
    }
    let mut wanted = [0.0_f32; LANES];
    for (wanted, label) in wanted.iter_mut().zip(labels) {
        *wanted = f32::from(*label);
    }
    let label = V::load(wanted.as_ptr());
    let is = |j: usize| (V::splat(j as f32 - 0.5), V::splat(j as f32 + 0.5));
    let zero = V::splat(0.0);
    let mut top = V::load(z[0].as_ptr());
    let (mut class, mut own) = (zero, zero);
    for (j, column) in z[..columns].iter().enumerate() {
        let value = V::load(column.as_ptr());
        seen = value.mul_add(zero, seen);
        class = V::splat(j as f32).where_above(value, top, class);
        top = value.where_above(value, top, top);
        let (low, high) = is(j);
        own = own.add(value.keep_where(label, low, high));
    }
    let mut g = [[0.0_f32; LANES]; LANES];
    let mut sum = zero;
    for (from, to) in z[..columns].iter().zip(&mut g) {
        let e = exp(V::load(from.as_ptr()).sub(top));
        e.store(to.as_mut_ptr());
        sum = sum.add(e);
    }
    let scale = V::splat(scale);
    let factor = scale.div(sum);
    for (j, column) in g[..columns].iter_mut().enumerate() {
        let (low, high) = is(j);
        let share = V::load(column.as_ptr()).mul(factor);
        let less = scale.keep_where(label, low, high);
        share.sub(less).store(column.as_mut_ptr());
    }
    let [mut behind, mut classes, mut sums] = [[0.0_f32; LANES]; 3];
    own.sub(top).store(behind.as_mut_ptr());
    class.store(classes.as_mut_ptr());
    sum.store(sums.as_mut_ptr());
    for (i, wanted) in wanted.iter().enumerate().take(labels.len()) {
        let to = gradient.as_mut_ptr().add(i * LANES);
        zero.store(to);
        for (j, column) in g.iter().enumerate().take(columns) {
            *to.add(j) = column[i];
        }
        ledger.take(classes[i] == *wanted, behind[i], sums[i]);
    }
    seen
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
