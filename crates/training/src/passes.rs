//! Passes of convolutions, poolings and flattens for engines that quantize by rules of their own.
//!
//! The rule this module keeps: these are the training engine's own passes, with all of their bits. Tensors hold a padded
//! row a position, the samples one behind the other.

use bitfront_kernel::{Buffer, Kernels, PatchTable, stride};
use bitfront_network::Geometry;

use crate::extent::{Extent, Mode, Out, Pass, Read, Target};
use crate::pooling::{self, MaxPool};
use crate::window::{Patches, Table, patch_values, slide_bytes};

/// A convolution that gives gradients by its kernel and by what it reads.
#[derive(Debug)]
pub struct Convolution(Patches);

impl Convolution {
    /// Of a window over `channels` channels, with `filters` filters.
    #[must_use]
    pub fn new(geometry: Geometry, channels: usize, filters: usize) -> Self {
        let mut patches = Patches::new(geometry, channels, filters);
        patches.feed_back();
        Self(patches)
    }

    /// Bytes that [`Convolution::new`] takes, at most.
    #[must_use]
    pub fn bytes(geometry: &Geometry, channels: usize) -> usize {
        let (taps, outputs) = (geometry.taps(), geometry.positions());
        let copies = PatchTable::bytes(outputs, taps, channels);
        let numbers = 2 * patch_values(taps, channels) + outputs * taps;
        copies + slide_bytes(geometry, channels) + numbers * size_of::<f32>()
    }

    /// `y = patches(x) * kernel + bias`: `kernel` is `taps * channels x filters`, `bias` one row, all padded.
    pub fn forward(
        &mut self,
        kernels: Kernels,
        samples: usize,
        x: &[f32],
        [kernel, bias]: [&[f32]; 2],
        y: &mut [f32],
    ) {
        let x = Read {
            values: x,
            codes: None,
        };
        let (pass, y) = (pass(kernels, samples), Out::Values(y));
        self.0.forward(pass, x, kernel, Some(bias), y);
    }

    /// `dkernel += patches(x)^T * dy`, one chain over the rows, and the gradient by `x`, given the transposed kernel.
    #[allow(clippy::too_many_arguments, reason = "a product and its operands")]
    pub fn backward(
        &mut self,
        kernels: Kernels,
        samples: usize,
        x: &[f32],
        dy: &[f32],
        dkernel: &mut [f32],
        transposed: &[f32],
        dx: &mut [f32],
    ) {
        let x = Read {
            values: x,
            codes: None,
        };
        let (pass, mut none) = (pass(kernels, samples), Buffer::zeroed(0));
        let mut target = target(dx, &mut none);
        let (bits, sums, target) = (None, None, Some(&mut target));
        self.0
            .backward(pass, x, dy, bits, dkernel, sums, transposed, target);
    }
}

/// The largest value under each window, the first one on a tie.
#[derive(Debug)]
pub struct MaxPooling(MaxPool);

impl MaxPooling {
    /// Of a window over `channels` channels, with room for `capacity` samples.
    #[must_use]
    pub fn new(geometry: &Geometry, channels: usize, capacity: usize) -> Self {
        let table = Table::of(geometry);
        let input = Extent {
            positions: table.inputs(),
            channels,
        };
        Self(MaxPool::new(table, input, capacity))
    }

    /// Bytes that [`MaxPooling::new`] takes, at most.
    #[must_use]
    pub fn bytes(geometry: &Geometry, channels: usize, capacity: usize) -> usize {
        let row = capacity.saturating_mul(stride(channels)) + geometry.taps();
        geometry.positions().saturating_mul(row) * size_of::<f32>()
    }

    /// The largest values.
    pub fn forward(&mut self, kernels: Kernels, samples: usize, x: &[f32], y: &mut [f32]) {
        self.0.forward(pass(kernels, samples), x, y);
    }

    /// The gradient by `x` of the last forward pass.
    pub fn backward(&self, kernels: Kernels, samples: usize, dy: &[f32], dx: &mut [f32]) {
        let mut none = Buffer::zeroed(0);
        self.0
            .backward(pass(kernels, samples), dy, &mut target(dx, &mut none));
    }
}

/// Joins `positions` rows of `channels` values into one row a sample.
pub fn flatten([positions, channels]: [usize; 2], samples: usize, x: &[f32], y: &mut [f32]) {
    let input = Extent {
        positions,
        channels,
    };
    pooling::flatten(input, samples, x, y);
}

/// The way back: a row a sample into `positions` rows of `channels` values; padding is left as it is.
pub fn unflatten([positions, channels]: [usize; 2], samples: usize, x: &[f32], y: &mut [f32]) {
    let output = Extent {
        positions,
        channels,
    };
    pooling::unflatten(output, samples, x, &mut target(y, &mut Buffer::zeroed(0)));
}

fn pass(kernels: Kernels, samples: usize) -> Pass {
    Pass {
        kernels,
        samples,
        mode: Mode::Train,
    }
}

fn target<'a>(gradient: &'a mut [f32], scratch: &'a mut Buffer) -> Target<'a> {
    Target {
        gradient,
        add: false,
        inside: None,
        scratch,
    }
}
