//! Dropout in the training loop.

use bitfront_kernel::{Buffer, stride};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::extent::{Extent, Pass};
use crate::random::{Purpose, stream_of};

/// Zeroes a share of the values at random in training and scales the others so that sums keep their
/// mean. Draws are counted from the seed, the step and the layer, value by value.
#[derive(Debug)]
pub(crate) struct Dropout {
    extent: Extent,
    /// Words below this zero a value.
    threshold: u64,
    scale: f32,
    words: ChaCha8Rng,
    /// Factor of each value of the micro-batch.
    factors: Buffer,
}

impl Dropout {
    pub(crate) fn new(extent: Extent, rate: f32, capacity: usize) -> Self {
        let rate = f64::from(rate);
        Self {
            extent,
            threshold: (rate * 2.0_f64.powi(32)).round() as u64,
            scale: (1.0 / (1.0 - rate)) as f32,
            words: stream_of(0, Purpose::Dropout, 0, 0),
            factors: Buffer::zeroed(capacity * extent.padded()),
        }
    }

    /// Starts the draws of a step.
    pub(crate) fn begin(&mut self, seed: u64, step: u64, layer: usize) {
        self.words = stream_of(seed, Purpose::Dropout, step, layer as u64);
    }

    pub(crate) fn forward(&mut self, pass: Pass, x: &[f32], y: &mut [f32]) {
        if !pass.mode.is_training() {
            y.copy_from_slice(x);
            return;
        }
        let factors = &mut self.factors[..x.len()];
        for row in factors.chunks_exact_mut(stride(self.extent.channels)) {
            for factor in &mut row[..self.extent.channels] {
                let zeroed = u64::from(self.words.next_u32()) < self.threshold;
                *factor = if zeroed { 0.0 } else { self.scale };
            }
        }
        for ((y, x), factor) in y.iter_mut().zip(x).zip(&*factors) {
            *y = x * factor;
        }
    }

    pub(crate) fn backward(&self, gradient: &mut [f32]) {
        for (g, factor) in gradient.iter_mut().zip(&*self.factors) {
            *g *= factor;
        }
    }
}
