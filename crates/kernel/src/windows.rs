//! Sliding windows: maxima, and their gradients back to where these came from.
//!
//! The rule this module keeps: a row of a [`TapTable`] that lies outside of the input reads zeros and takes no
//! gradient, like the border, so that no table reads beyond a slice.

use crate::buffer::{LANES, stride};
use crate::depthwise::TapTable;
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};

/// Most input rows whose numbers and the halves between them are f32.
const MOST_ROWS: usize = 1 << 22;

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
}

impl Kernels {
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
