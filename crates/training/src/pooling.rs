//! Pooling and movements of rows in the training loop.

use bitfront_kernel::{Buffer, LANES, stride};
use bitfront_network::reciprocal;

use crate::extent::{Extent, Pass, Target, add};
use crate::window::Table;

/// Largest value under a window, the first one on a tie.
#[derive(Debug)]
pub(crate) struct MaxPool {
    table: Table,
    channels: usize,
    /// For each value of the micro-batch, the input position it came from.
    chosen: Buffer,
}

impl MaxPool {
    /// With room for `capacity` samples.
    pub(crate) fn new(table: Table, input: Extent, capacity: usize) -> Self {
        Self {
            chosen: Buffer::zeroed(capacity * table.outputs() * input.stride()),
            table,
            channels: input.channels,
        }
    }

    pub(crate) fn forward(&mut self, pass: Pass, x: &[f32], y: &mut [f32]) {
        let (table, samples) = (self.table.taps_of(), pass.samples);
        let chosen = &mut self.chosen;
        pass.kernels
            .max_pool(table, samples, self.channels, x, y, chosen);
    }

    pub(crate) fn backward(&self, pass: Pass, dy: &[f32], target: &mut Target<'_>) {
        let (table, samples) = (self.table.taps_of(), pass.samples);
        let size = samples * self.table.inputs() * stride(self.channels);
        let dx = &mut target.gradient[..size];
        if !target.add {
            dx.fill(0.0);
        }
        let (channels, chosen) = (self.channels, &self.chosen);
        pass.kernels
            .max_pool_gradient(table, samples, channels, dy, chosen, dx);
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
