//! Depthwise products: every channel meets its own weights, and a table says which rows meet.
//!
//! Each output element is one chain over the taps, each weight's gradient one chain over samples and
//! outputs; so no micro-batch and no level changes a bit.

use crate::buffer::{LANES, stride};
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};

/// Which input row each output row reads under each tap, the same for every sample.
#[derive(Clone, Copy, Debug)]
pub struct TapTable<'a> {
    /// Input row, `outputs x taps`; [`TapTable::BORDER`] reads zeros.
    pub rows: &'a [u32],
    /// Taps.
    pub taps: usize,
    /// Input rows of a sample.
    pub inputs: usize,
}

impl TapTable<'_> {
    /// A tap outside of the input.
    pub const BORDER: u32 = u32::MAX;

    /// Output rows of a sample.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.rows.len().checked_div(self.taps).unwrap_or(0)
    }

    /// Everything the bodies rely on.
    fn check(&self, samples: usize, columns: usize, x: usize, y: usize, w: usize) {
        let n = stride(columns);
        assert!(
            self.rows.len() == self.outputs() * self.taps,
            "a table of {} rows is no multiple of {} taps",
            self.rows.len(),
            self.taps
        );
        let inside = |row: &u32| *row == Self::BORDER || (*row as usize) < self.inputs;
        assert!(
            self.rows.iter().all(inside),
            "a tap reads beyond the {} input rows",
            self.inputs
        );
        assert!(
            x >= samples * self.inputs * n && y >= samples * self.outputs() * n,
            "inputs have {x} and outputs {y} values for {samples} samples"
        );
        assert!(
            w >= self.taps * n,
            "weights have {w} values, {} taps of stride {n} are needed",
            self.taps
        );
    }
}

#[inline(always)]
unsafe fn sums<V: Lanes>(
    table: TapTable<'_>,
    samples: usize,
    n: usize,
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let mut out = y.as_mut_ptr();
    for sample in 0..samples {
        let x = x.as_ptr().add(sample * table.inputs * n);
        for rows in table.rows.chunks_exact(table.taps) {
            for j in (0..n).step_by(LANES) {
                let mut sum = match bias {
                    Some(bias) => V::load(bias.as_ptr().add(j)),
                    None => V::splat(0.0),
                };
                for (tap, &row) in rows.iter().enumerate() {
                    if row != TapTable::BORDER {
                        let x = V::load(x.add(row as usize * n + j));
                        sum = x.mul_add(V::load(w.as_ptr().add(tap * n + j)), sum);
                    }
                }
                sum.store(out.add(j));
            }
            out = out.add(n);
        }
    }
}

#[inline(always)]
unsafe fn weight_gradient<V: Lanes>(
    table: TapTable<'_>,
    samples: usize,
    n: usize,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let mut gradient = dy.as_ptr();
    for sample in 0..samples {
        let x = x.as_ptr().add(sample * table.inputs * n);
        for rows in table.rows.chunks_exact(table.taps) {
            for j in (0..n).step_by(LANES) {
                let dy = V::load(gradient.add(j));
                for (tap, &row) in rows.iter().enumerate() {
                    if row != TapTable::BORDER {
                        let x = V::load(x.add(row as usize * n + j));
                        let to = dw.as_mut_ptr().add(tap * n + j);
                        x.mul_add(dy, V::load(to)).store(to);
                    }
                }
            }
            gradient = gradient.add(n);
        }
    }
}

#[inline(always)]
unsafe fn input_gradient<V: Lanes>(
    table: TapTable<'_>,
    samples: usize,
    n: usize,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
) {
    let mut gradient = dy.as_ptr();
    for sample in 0..samples {
        let dx = dx.as_mut_ptr().add(sample * table.inputs * n);
        for rows in table.rows.chunks_exact(table.taps) {
            for j in (0..n).step_by(LANES) {
                let dy = V::load(gradient.add(j));
                for (tap, &row) in rows.iter().enumerate() {
                    if row != TapTable::BORDER {
                        let to = dx.add(row as usize * n + j);
                        let w = V::load(w.as_ptr().add(tap * n + j));
                        dy.mul_add(w, V::load(to)).store(to);
                    }
                }
            }
            gradient = gradient.add(n);
        }
    }
}

impl Kernels {
    /// `y[o, j] = bias[j] + sum_t x[table[o, t], j] * w[t, j]`, sample by sample.
    ///
    /// `x` is `samples * inputs x columns`, `w` `taps x columns`, `bias` one row, `y`
    /// `samples * outputs x columns`, all padded.
    ///
    /// # Panics
    /// When a slice is shorter than its padded shape, or the table reads beyond the input.
    #[allow(clippy::too_many_arguments, reason = "a product with its table")]
    pub fn depthwise(
        self,
        table: TapTable<'_>,
        samples: usize,
        columns: usize,
        x: &[f32],
        w: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) {
        table.check(samples, columns, x.len(), y.len(), w.len());
        let n = stride(columns);
        if let Some(bias) = bias {
            assert!(
                bias.len() >= n,
                "bias has {} values, {n} are needed",
                bias.len()
            );
        }
        dispatch!(
            self.level(),
            sums(
                table: TapTable<'_>, samples: usize, n: usize, x: &[f32], w: &[f32],
                bias: Option<&[f32]>, y: &mut [f32]
            )
        );
    }

    /// `dw[t, j] += sum_o x[table[o, t], j] * dy[o, j]` over samples and outputs ascending.
    ///
    /// # Panics
    /// As [`Kernels::depthwise`].
    pub fn depthwise_kernel_gradient(
        self,
        table: TapTable<'_>,
        samples: usize,
        columns: usize,
        x: &[f32],
        dy: &[f32],
        dw: &mut [f32],
    ) {
        table.check(samples, columns, x.len(), dy.len(), dw.len());
        let n = stride(columns);
        dispatch!(
            self.level(),
            weight_gradient(
                table: TapTable<'_>, samples: usize, n: usize, x: &[f32], dy: &[f32], dw: &mut [f32]
            )
        );
    }

    /// `dx[table[o, t], j] += dy[o, j] * w[t, j]`, outputs and taps ascending.
    ///
    /// # Panics
    /// As [`Kernels::depthwise`].
    pub fn depthwise_input_gradient(
        self,
        table: TapTable<'_>,
        samples: usize,
        columns: usize,
        dy: &[f32],
        w: &[f32],
        dx: &mut [f32],
    ) {
        table.check(samples, columns, dx.len(), dy.len(), w.len());
        let n = stride(columns);
        dispatch!(
            self.level(),
            input_gradient(
                table: TapTable<'_>, samples: usize, n: usize, dy: &[f32], w: &[f32], dx: &mut [f32]
            )
        );
    }
}
