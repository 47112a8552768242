//! Batch normalisation in the training loop: of its own batch in training, by running statistics at
//! evaluation.

use bitfront_network::{LayerWeights, Part};
use bitfront_quantizer::Quantizer;

use crate::extent::{Extent, Pass};
use crate::parameter::Parameter;
use crate::statistics::Statistics;

/// `gamma * (x - mean) / sqrt(variance + epsilon) + beta`.
#[derive(Debug)]
pub(crate) struct Normalise {
    extent: Extent,
    epsilon: f64,
    pub(crate) gamma: Parameter,
    pub(crate) beta: Parameter,
    pub(crate) statistics: Statistics,
    /// Of the last forward pass: mean, `1 / sqrt(variance + epsilon)`, and that times gamma.
    center: Vec<f32>,
    inverse: Vec<f32>,
    factor: Vec<f32>,
    /// Sums of the backward pass.
    sums: [Vec<f64>; 2],
}

impl Normalise {
    pub(crate) fn new(extent: Extent, epsilon: f32, momentum: f32, weights: &LayerWeights) -> Self {
        let step = extent.stride();
        let parameter =
            |part| Parameter::new(&Quantizer::Float, weights.part(part), extent.channels);
        let (mean, variance) = (weights.part(Part::Mean), weights.part(Part::Variance));
        Self {
            extent,
            epsilon: f64::from(epsilon),
            gamma: parameter(Part::Gamma),
            beta: parameter(Part::Beta),
            statistics: Statistics::new(momentum, mean, variance, step),
            center: vec![0.0; step],
            inverse: vec![0.0; step],
            factor: vec![0.0; step],
            sums: [vec![0.0; step], vec![0.0; step]],
        }
    }

    pub(crate) fn forward(&mut self, pass: Pass, x: &[f32], y: &mut [f32]) {
        let batch = pass.mode.is_training();
        if batch {
            self.statistics.measure(x);
        }
        for channel in 0..self.extent.channels {
            let (mean, variance) = self.statistics.of(channel, batch);
            let inverse = 1.0 / (variance + self.epsilon).sqrt();
            self.center[channel] = mean as f32;
            self.inverse[channel] = inverse as f32;
            self.factor[channel] = (f64::from(self.gamma.values[channel]) * inverse) as f32;
        }
        let step = self.extent.stride();
        let constants = || self.center.iter().zip(&self.factor).zip(&*self.beta.values);
        for (y, x) in y.chunks_exact_mut(step).zip(x.chunks_exact(step)) {
            for ((y, x), ((center, factor), beta)) in y.iter_mut().zip(x).zip(constants()) {
                *y = (x - center) * factor + beta;
            }
        }
    }

    /// Turns the gradient by the outputs of a training batch into the one by the inputs `x`.
    pub(crate) fn backward(&mut self, x: &[f32], gradient: &mut [f32]) {
        let step = self.extent.stride();
        let count = (gradient.len() / step).max(1) as f64;
        let [whole, along] = &mut self.sums;
        whole.fill(0.0);
        along.fill(0.0);
        let scaled = |x: f32, center: f32, inverse: f32| (x - center) * inverse;
        for (g, x) in gradient.chunks_exact(step).zip(x.chunks_exact(step)) {
            let sums = whole.iter_mut().zip(along.iter_mut());
            let constants = self.center.iter().zip(&self.inverse);
            for (((whole, along), (center, inverse)), (g, x)) in
                sums.zip(constants).zip(g.iter().zip(x))
            {
                *whole += f64::from(*g);
                *along += f64::from(*g) * f64::from(scaled(*x, *center, *inverse));
            }
        }
        for channel in 0..self.extent.channels {
            self.beta.gradient[channel] += whole[channel] as f32;
            self.gamma.gradient[channel] += along[channel] as f32;
        }
        for sum in whole.iter_mut().chain(along) {
            *sum /= count;
        }
        let [whole, along] = &self.sums;
        for (g, x) in gradient.chunks_exact_mut(step).zip(x.chunks_exact(step)) {
            let means = whole.iter().zip(along);
            let constants = self.center.iter().zip(&self.inverse).zip(&self.factor);
            for (((whole, along), ((center, inverse), factor)), (g, x)) in
                means.zip(constants).zip(g.iter_mut().zip(x))
            {
                let rest = *along as f32 * scaled(*x, *center, *inverse) + *whole as f32;
                *g = (*g - rest) * factor;
            }
        }
    }
}
