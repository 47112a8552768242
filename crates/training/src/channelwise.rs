//! Depthwise convolutions in the training loop.
//!
//! A kernel is stored as it is quantized, `taps * channels x multiplier`; products read it packed,
//! `taps x channels * multiplier`, and read inputs whose channels are repeated `multiplier` times.

use bitfront_kernel::{Buffer, stride};

use crate::extent::{Extent, Pass, Target};
use crate::window::Table;

/// A depthwise convolution: output channel `c * multiplier + m` reads channel `c`.
#[derive(Debug)]
pub(crate) struct Channelwise {
    table: Table,
    channels: usize,
    multiplier: usize,
    /// Inputs with repeated channels, and the gradient by them; empty where nothing is repeated.
    repeated: Buffer,
    repeated_gradient: Buffer,
    /// Gradient by the packed kernel.
    packed_gradient: Buffer,
}

impl Channelwise {
    /// With room for `capacity` samples.
    pub(crate) fn new(table: Table, channels: usize, multiplier: usize, capacity: usize) -> Self {
        let columns = channels * multiplier;
        let wide = if multiplier == 1 {
            0
        } else {
            capacity * table.inputs() * stride(columns)
        };
        Self {
            repeated: Buffer::zeroed(wide),
            repeated_gradient: Buffer::zeroed(wide),
            packed_gradient: Buffer::zeroed(table.taps() * stride(columns)),
            table,
            channels,
            multiplier,
        }
    }

    fn columns(&self) -> usize {
        self.channels * self.multiplier
    }

    /// Outputs a channel.
    pub(crate) fn multiplier(&self) -> usize {
        self.multiplier
    }

    /// Values of a packed kernel.
    pub(crate) fn packed_len(&self) -> usize {
        self.packed_gradient.len()
    }

    /// Calls `f(index in the stored kernel, index in the packed kernel)` for every element.
    fn each(&self, mut f: impl FnMut(usize, usize)) {
        let (from, to) = (stride(self.multiplier), stride(self.columns()));
        for tap in 0..self.table.taps() {
            for channel in 0..self.channels {
                for m in 0..self.multiplier {
                    let stored = (tap * self.channels + channel) * from + m;
                    f(stored, tap * to + channel * self.multiplier + m);
                }
            }
        }
    }

    /// Packs a stored kernel.
    pub(crate) fn pack(&self, kernel: &[f32], packed: &mut [f32]) {
        self.each(|from, to| packed[to] = kernel[from]);
    }

    fn repeat(&mut self, samples: usize, x: &[f32]) {
        let (from, to) = (stride(self.channels), stride(self.columns()));
        let rows = samples * self.table.inputs();
        let wide = self.repeated.chunks_exact_mut(to).take(rows);
        for (wide, x) in wide.zip(x.chunks_exact(from)) {
            for (wide, x) in wide
                .chunks_exact_mut(self.multiplier)
                .zip(&x[..self.channels])
            {
                wide.fill(*x);
            }
        }
    }

    /// `y = x * kernel + bias`, channel by channel.
    pub(crate) fn forward(
        &mut self,
        pass: Pass,
        x: &[f32],
        packed: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) {
        let (kernels, samples, columns) = (pass.kernels, pass.samples, self.columns());
        if self.multiplier > 1 {
            self.repeat(samples, x);
        }
        let x = if self.multiplier > 1 {
            &self.repeated
        } else {
            x
        };
        kernels.depthwise(self.table.taps_of(), samples, columns, x, packed, bias, y);
    }

    /// `dkernel += ...` (stored form), and the gradient by `x`.
    pub(crate) fn backward(
        &mut self,
        pass: Pass,
        x: &[f32],
        dy: &[f32],
        dkernel: &mut [f32],
        packed: &[f32],
        target: Option<&mut Target<'_>>,
    ) {
        let (kernels, samples, columns) = (pass.kernels, pass.samples, self.columns());
        let mut gradient = std::mem::replace(&mut self.packed_gradient, Buffer::zeroed(0));
        // The chain of each element goes on from the micro-batch before.
        self.each(|stored, packed| gradient[packed] = dkernel[stored]);
        if self.multiplier > 1 {
            self.repeat(samples, x);
        }
        let wide = if self.multiplier > 1 {
            &self.repeated
        } else {
            x
        };
        let table = self.table.taps_of();
        kernels.depthwise_kernel_gradient(table, samples, columns, wide, dy, &mut gradient);
        self.each(|stored, packed| dkernel[stored] = gradient[packed]);
        self.packed_gradient = gradient;
        let Some(target) = target else { return };
        let input = Extent {
            positions: self.table.inputs(),
            channels: self.channels,
        };
        let dx = &mut target.gradient[..samples * input.padded()];
        if !target.add {
            dx.fill(0.0);
        }
        if self.multiplier == 1 {
            kernels.depthwise_input_gradient(table, samples, columns, dy, packed, dx);
            return;
        }
        let wide = &mut self.repeated_gradient[..samples * table.inputs * stride(columns)];
        wide.fill(0.0);
        kernels.depthwise_input_gradient(table, samples, columns, dy, packed, wide);
        let rows = wide.chunks_exact(stride(columns));
        for (dx, wide) in dx.chunks_exact_mut(input.stride()).zip(rows) {
            for (dx, wide) in dx
                .iter_mut()
                .zip(wide[..columns].chunks_exact(self.multiplier))
            {
                *dx += wide.iter().sum::<f32>();
            }
        }
    }
}
