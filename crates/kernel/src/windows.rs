//! Sliding windows: gradients by patches back to where these came from, and maxima.
//!
//! The rule this module keeps: a row of a [`TapTable`] that lies outside of the input reads zeros and takes no
//! gradient, like the border, so that no table reads beyond a slice.

use std::ops::Range;

use crate::buffer::{LANES, stride};
use crate::depthwise::TapTable;
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};

/// Most input rows whose numbers and the halves between them are f32.
const MOST_ROWS: usize = 1 << 22;

/// Adds gradients by patches to those by the rows they were made of.
#[inline(always)]
unsafe fn patch_gradients<V: Lanes>(
    table: TapTable<'_>,
    rows: Range<usize>,
    channels: usize,
    patches: &[f32],
    dx: &mut [f32],
) {
    let (outputs, row, step) = (
        table.outputs(),
        stride(table.taps * channels),
        stride(channels),
    );
    let blocks = step / LANES;
    // Of the last block, lanes that are channels.
    let last = u16::MAX >> (step - channels);
    let mut from = patches.as_ptr();
    for at in rows {
        let dx = dx.as_mut_ptr().add(at / outputs * table.inputs * step);
        let sources = table.rows.as_ptr().add(at % outputs * table.taps);
        for tap in 0..table.taps {
            let source = *sources.add(tap) as usize;
            if source >= table.inputs {
                continue;
            }
            let (from, to) = (from.add(tap * channels), dx.add(source * step));
            for block in 0..blocks - 1 {
                let to = to.add(block * LANES);
                V::load(to).add(V::load(from.add(block * LANES))).store(to);
            }
            let at = (blocks - 1) * LANES;
            let gradient = V::load(from.add(at)).keep_bits(last);
            V::load(to.add(at)).add(gradient).store(to.add(at));
        }
        from = from.add(row);
    }
}

#[inline(always)]
unsafe fn maxima<V: Lanes>(
    table: TapTable<'_>,
    samples: usize,
    step: usize,
    x: &[f32],
    y: &mut [f32],
    chosen: &mut [f32],
) {
    let outputs = table.outputs();
    for at in 0..samples * outputs {
        let x = x.as_ptr().add(at / outputs * table.inputs * step);
        let sources = table.rows.as_ptr().add(at % outputs * table.taps);
        for j in (0..step).step_by(LANES) {
            let (mut best, mut place) = (V::splat(0.0), V::splat(-1.0));
            let mut seen = false;
            for tap in 0..table.taps {
                let source = *sources.add(tap) as usize;
                if source >= table.inputs {
                    continue;
                }
                let value = V::load(x.add(source * step + j));
                let position = V::splat(source as f32);
                if seen {
                    place = position.where_above(value, best, place);
                    best = value.where_above(value, best, best);
                } else {
                    (best, place, seen) = (value, position, true);
                }
            }
            best.store(y.as_mut_ptr().add(at * step + j));
            place.store(chosen.as_mut_ptr().add(at * step + j));
        }
    }
}

#[inline(always)]
unsafe fn maxima_gradients<V: Lanes>(
    table: TapTable<'_>,
    samples: usize,
    step: usize,
    dy: &[f32],
    chosen: &[f32],
    dx: &mut [f32],
) {
    let outputs = table.outputs();
    for at in 0..samples * outputs {
        let dx = dx.as_mut_ptr().add(at / outputs * table.inputs * step);
        let sources = table.rows.as_ptr().add(at % outputs * table.taps);
        for j in (0..step).step_by(LANES) {
            let gradient = V::load(dy.as_ptr().add(at * step + j));
            let place = V::load(chosen.as_ptr().add(at * step + j));
            for tap in 0..table.taps {
                let source = *sources.add(tap) as usize;
                if source >= table.inputs {
                    continue;
                }
                let (low, high) = (source as f32 - 0.5, source as f32 + 0.5);
                let own = gradient.keep_where(place, V::splat(low), V::splat(high));
                let to = dx.add(source * step + j);
                V::load(to).add(own).store(to);
            }
        }
    }
}

impl TapTable<'_> {
    /// Panics where inputs or outputs of so many samples, of rows of `step` values, do not fit.
    fn check_rows(&self, samples: usize, step: usize, inputs: usize, outputs: usize) {
        assert!(
            self.outputs() > 0 && self.inputs <= MOST_ROWS,
            "a table of {} output and {} input rows; accepted are 1 and {MOST_ROWS}",
            self.outputs(),
            self.inputs
        );
        assert!(
            inputs >= samples * self.inputs * step && outputs >= samples * self.outputs() * step,
            "inputs have {inputs} and outputs {outputs} values for {samples} samples"
        );
    }

    /// Panics where patches of these output rows do not fit.
    fn check_patches(&self, rows: &Range<usize>, channels: usize, x: usize, patches: usize) {
        let samples = rows.end.div_ceil(self.outputs().max(1));
        self.check_rows(samples, stride(channels), x, usize::MAX);
        assert!(
            channels > 0 && patches >= rows.len() * stride(self.taps * channels) + stride(channels),
            "{patches} values for {} patches of {} x {channels}",
            rows.len(),
            self.taps
        );
    }
}

impl Kernels {
    /// Adds the gradients by the patches of output `rows` to `dx`, rows and taps ascending.
    ///
    /// # Panics
    /// When `dx` (`inputs x channels` a sample, padded) or `patches` (`taps * channels`, padded, and a block of channels
    /// behind the last) is too short.
    pub fn patch_gradients(
        self,
        table: TapTable<'_>,
        rows: Range<usize>,
        channels: usize,
        patches: &[f32],
        dx: &mut [f32],
    ) {
        table.check_patches(&rows, channels, dx.len(), patches.len());
        dispatch!(
            self.level(),
            patch_gradients(
                table: TapTable<'_>, rows: Range<usize>, channels: usize, patches: &[f32], dx: &mut [f32]
            )
        );
    }

    /// The largest value under each window, the first one on a tie, and the input row it came from; zero and
    /// row -1 where a window reads the border alone. All matrices are padded to `columns`.
    ///
    /// # Panics
    /// When a slice is too short or there are more than 2^22 input rows.
    pub fn max_pool(
        self,
        table: TapTable<'_>,
        samples: usize,
        columns: usize,
        x: &[f32],
        y: &mut [f32],
        chosen: &mut [f32],
    ) {
        let step = stride(columns);
        table.check_rows(samples, step, x.len(), y.len().min(chosen.len()));
        dispatch!(
            self.level(),
            maxima(
                table: TapTable<'_>, samples: usize, step: usize, x: &[f32], y: &mut [f32], chosen: &mut [f32]
            )
        );
    }

    /// Adds each output's gradient to that of the row it came from.
    ///
    /// # Panics
    /// As [`Kernels::max_pool`].
    pub fn max_pool_gradient(
        self,
        table: TapTable<'_>,
        samples: usize,
        columns: usize,
        dy: &[f32],
        chosen: &[f32],
        dx: &mut [f32],
    ) {
        let step = stride(columns);
        table.check_rows(samples, step, dx.len(), dy.len().min(chosen.len()));
        dispatch!(
            self.level(),
            maxima_gradients(
                table: TapTable<'_>, samples: usize, step: usize, dy: &[f32], chosen: &[f32], dx: &mut [f32]
            )
        );
    }
}
