//! Pooling and movements of rows in the training loop.

use bitfront_kernel::LANES;
use bitfront_network::reciprocal;

use crate::extent::{Extent, Target, add};
use crate::window::Table;

/// Largest value under a window, the first one on a tie.
#[derive(Debug)]
pub(crate) struct MaxPool {
    table: Table,
    /// Distance between rows.
    step: usize,
    /// For each value of the micro-batch, the input position it came from.
    chosen: Vec<u32>,
}

impl MaxPool {
    /// With room for `capacity` samples.
    pub(crate) fn new(table: Table, input: Extent, capacity: usize) -> Self {
        let step = input.stride();
        Self {
            chosen: vec![0; capacity * table.outputs() * step],
            table,
            step,
        }
    }

    pub(crate) fn forward(&mut self, samples: usize, x: &[f32], y: &mut [f32]) {
        let (step, outputs) = (self.step, self.table.outputs());
        let out = y
            .chunks_exact_mut(step)
            .zip(self.chosen.chunks_exact_mut(step));
        for (at, (y, chosen)) in out.take(samples * outputs).enumerate() {
            let x = &x[at / outputs * self.table.inputs() * step..];
            let mut inside = self.table.inside(at % outputs);
            let Some(first) = inside.next() else {
                y.fill(0.0);
                chosen.fill(0);
                continue;
            };
            y.copy_from_slice(&x[first * step..][..step]);
            chosen.fill(first as u32);
            for position in inside {
                let x = &x[position * step..][..step];
                for ((y, chosen), x) in y.iter_mut().zip(chosen.iter_mut()).zip(x) {
                    let more = *x > *y;
                    *y = if more { *x } else { *y };
                    *chosen = if more { position as u32 } else { *chosen };
                }
            }
        }
    }

    pub(crate) fn backward(&self, samples: usize, dy: &[f32], target: &mut Target<'_>) {
        let (step, outputs) = (self.step, self.table.outputs());
        let size = self.table.inputs() * step;
        if !target.add {
            target.gradient[..samples * size].fill(0.0);
        }
        let out = dy.chunks_exact(step).zip(self.chosen.chunks_exact(step));
        for (at, (dy, chosen)) in out.take(samples * outputs).enumerate() {
            let dx = &mut target.gradient[at / outputs * size..][..size];
            for (column, (dy, chosen)) in dy.iter().zip(chosen).enumerate() {
                dx[*chosen as usize * step + column] += dy;
            }
        }
    }
}

/// Mean under a window; the border does not count.
#[derive(Debug)]
pub(crate) struct AveragePool {
    table: Table,
    step: usize,
    /// What each output's sum is multiplied with, rounded as it will be in the circuit.
    factors: Vec<f32>,
}

impl AveragePool {
    pub(crate) fn new(table: Table, input: Extent, reciprocal_bits: u32) -> Self {
        let factor = |position| {
            let count = table.inside(position).count().max(1);
            reciprocal(count, reciprocal_bits).value() as f32
        };
        Self {
            factors: (0..table.outputs()).map(factor).collect(),
            step: input.stride(),
            table,
        }
    }

    pub(crate) fn forward(&self, samples: usize, x: &[f32], y: &mut [f32]) {
        let (step, outputs) = (self.step, self.table.outputs());
        let out = y.chunks_exact_mut(step).take(samples * outputs);
        for (at, y) in out.enumerate() {
            let x = &x[at / outputs * self.table.inputs() * step..];
            y.fill(0.0);
            for position in self.table.inside(at % outputs) {
                add(&x[position * step..][..step], y);
            }
            for y in y {
                *y *= self.factors[at % outputs];
            }
        }
    }

    pub(crate) fn backward(&self, samples: usize, dy: &[f32], target: &mut Target<'_>) {
        let (step, outputs) = (self.step, self.table.outputs());
        let size = self.table.inputs() * step;
        if !target.add {
            target.gradient[..samples * size].fill(0.0);
        }
        for (at, dy) in dy.chunks_exact(step).take(samples * outputs).enumerate() {
            let dx = &mut target.gradient[at / outputs * size..][..size];
            let factor = self.factors[at % outputs];
            for position in self.table.inside(at % outputs) {
                for (dx, dy) in dx[position * step..][..step].iter_mut().zip(dy) {
                    *dx += dy * factor;
                }
            }
        }
    }
}

/// Zeros around an image.
#[derive(Debug)]
pub(crate) struct Pad {
    table: Table,
    step: usize,
}

impl Pad {
    pub(crate) fn new(table: Table, input: Extent) -> Self {
        Self {
            table,
            step: input.stride(),
        }
    }

    pub(crate) fn forward(&self, samples: usize, x: &[f32], y: &mut [f32]) {
        let (step, outputs) = (self.step, self.table.outputs());
        let out = y.chunks_exact_mut(step).take(samples * outputs);
        for (at, y) in out.enumerate() {
            let x = &x[at / outputs * self.table.inputs() * step..];
            match self.table.inside(at % outputs).next() {
                Some(position) => y.copy_from_slice(&x[position * step..][..step]),
                None => y.fill(0.0),
            }
        }
    }

    pub(crate) fn backward(&self, samples: usize, dy: &[f32], target: &mut Target<'_>) {
        let (step, outputs) = (self.step, self.table.outputs());
        let size = self.table.inputs() * step;
        for (at, dy) in dy.chunks_exact(step).take(samples * outputs).enumerate() {
            let dx = &mut target.gradient[at / outputs * size..][..size];
            if let Some(position) = self.table.inside(at % outputs).next() {
                let dx = &mut dx[position * step..][..step];
                if target.add {
                    add(dy, dx);
                } else {
                    dx.copy_from_slice(dy);
                }
            }
        }
    }
}

/// Rows of channels joined into one row a sample.
pub(crate) fn flatten(input: Extent, samples: usize, x: &[f32], y: &mut [f32]) {
    let step = input.values().next_multiple_of(LANES);
    for (y, x) in y
        .chunks_exact_mut(step)
        .zip(x.chunks_exact(input.padded()))
        .take(samples)
    {
        let rows = y
            .chunks_exact_mut(input.channels)
            .zip(x.chunks_exact(input.stride()));
        for (y, x) in rows {
            y.copy_from_slice(&x[..input.channels]);
        }
    }
}

/// The way back.
pub(crate) fn unflatten(input: Extent, samples: usize, dy: &[f32], target: &mut Target<'_>) {
    let step = input.values().next_multiple_of(LANES);
    let dx = target.gradient.chunks_exact_mut(input.padded());
    for (dx, dy) in dx.zip(dy.chunks_exact(step)).take(samples) {
        let rows = dx.chunks_exact_mut(input.stride());
        for (dx, dy) in rows.zip(dy.chunks_exact(input.channels)) {
            let dx = &mut dx[..input.channels];
            if target.add {
                add(dy, dx);
            } else {
                dx.copy_from_slice(dy);
            }
        }
    }
}

/// Writes `x` beside the other tensors of a concatenation, from channel `offset` on.
pub(crate) fn join(input: Extent, output: Extent, offset: usize, x: &[f32], y: &mut [f32]) {
    let rows = y
        .chunks_exact_mut(output.stride())
        .zip(x.chunks_exact(input.stride()));
    for (y, x) in rows {
        y[offset..offset + input.channels].copy_from_slice(&x[..input.channels]);
    }
}

/// The way back.
pub(crate) fn part(
    input: Extent,
    output: Extent,
    offset: usize,
    dy: &[f32],
    target: &mut Target<'_>,
) {
    let rows = target.gradient.chunks_exact_mut(input.stride());
    for (dx, dy) in rows.zip(dy.chunks_exact(output.stride())) {
        let (dx, dy) = (
            &mut dx[..input.channels],
            &dy[offset..offset + input.channels],
        );
        if target.add {
            add(dy, dx);
        } else {
            dx.copy_from_slice(dy);
        }
    }
}
