//! Activation layers in the training loop.

use bitfront_quantizer::Quantizer;

use crate::drawn::Drawn;
use crate::extent::{Extent, Pass};
use crate::plan::Plan;

/// A quantizer of values.
#[derive(Debug)]
pub(crate) struct Activation {
    extent: Extent,
    plan: Plan,
    drawn: Option<Box<Drawn>>,
}

impl Activation {
    pub(crate) fn new(extent: Extent, quantizer: &Quantizer) -> Self {
        Self {
            extent,
            plan: Plan::of(quantizer),
            drawn: Drawn::of(quantizer),
        }
    }

    /// Starts the draws of a step.
    pub(crate) fn begin(&mut self, seed: u64, step: u64, layer: usize) {
        if let Some(drawn) = &mut self.drawn {
            drawn.begin(seed, step, layer as u64);
        }
    }

    pub(crate) fn forward(&mut self, pass: Pass, x: &[f32], y: &mut [f32]) {
        match &mut self.drawn {
            Some(drawn) if pass.mode.is_training() => drawn.tensor(self.extent.channels, x, y),
            _ => self.plan.forward(pass.kernels, self.extent.stride(), x, y),
        }
    }

    /// Turns the gradient by the outputs into the one by the inputs `x`.
    pub(crate) fn backward(&self, pass: Pass, x: &[f32], gradient: &mut [f32]) {
        self.plan
            .backward(pass.kernels, self.extent.stride(), x, gradient);
    }
}
