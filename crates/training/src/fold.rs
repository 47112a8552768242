//! Batch normalisation that is folded into a kernel and a bias before they are quantized.
//!
//! As the original's `QDenseBatchnorm` with batch statistics: the unfolded float layer gives mean and
//! variance of the batch, `kernel * f` and `(bias - mean) * f + beta` with
//! `f = gamma / sqrt(variance + epsilon)` are quantized, and the quantized ones give the outputs.
//! Gradients go straight through the quantizers and on through the statistics. Late in the run, and at
//! evaluation, running statistics stand in for the batch's.

use bitfront_kernel::{Buffer, stride};
use bitfront_network::{Fold, LayerWeights, Part};
use bitfront_quantizer::Quantizer;

use crate::parameter::Parameter;
use crate::statistics::Statistics;

/// What a folded layer keeps beside its kernel and its bias.
#[derive(Debug)]
pub(crate) struct Folded {
    epsilon: f64,
    /// Rows of the kernel that share an output channel's group: input channels of a depthwise kernel,
    /// 1 otherwise.
    groups: usize,
    /// Columns of the kernel.
    columns: usize,
    pub(crate) gamma: Parameter,
    pub(crate) beta: Parameter,
    pub(crate) statistics: Statistics,
    /// Of the last fold, a channel each: mean, `1 / sqrt(variance + epsilon)`, and that times gamma.
    center: Vec<f64>,
    inverse: Vec<f64>,
    factor: Vec<f64>,
    /// Gradient by the factor, then by the variance; gradient by the mean.
    by_factor: Vec<f64>,
    by_center: Vec<f64>,
    /// Folded kernel and bias, not quantized.
    pub(crate) kernel: Buffer,
    pub(crate) bias: Buffer,
    /// Outputs of the unfolded layer over the batch; in the backward pass the gradient by them.
    pub(crate) unfolded: Buffer,
    /// The unfolded kernel as the products' backward pass reads it.
    pub(crate) prepared: Buffer,
}

impl Folded {
    /// For a layer of `channels` output channels whose kernel has `columns` columns, with room for
    /// `rows` output rows.
    pub(crate) fn new(
        fold: Fold,
        weights: &LayerWeights,
        channels: usize,
        kernel: &Parameter,
        prepared: usize,
        rows: usize,
    ) -> Self {
        let parameter = |part| Parameter::new(&Quantizer::Float, weights.part(part), channels);
        let (mean, variance) = (weights.part(Part::Mean), weights.part(Part::Variance));
        let step = stride(channels);
        let channelwise = || vec![0.0; step];
        Self {
            epsilon: f64::from(fold.epsilon),
            groups: channels / kernel.columns(),
            columns: kernel.columns(),
            gamma: parameter(Part::Gamma),
            beta: parameter(Part::Beta),
            statistics: Statistics::new(fold.momentum, mean, variance, step),
            center: channelwise(),
            inverse: channelwise(),
            factor: channelwise(),
            by_factor: channelwise(),
            by_center: channelwise(),
            kernel: Buffer::zeroed(kernel.values.len()),
            bias: Buffer::zeroed(step),
            unfolded: Buffer::zeroed(rows * step),
            prepared: Buffer::zeroed(prepared),
        }
    }

    /// Number of output channels.
    fn channels(&self) -> usize {
        self.groups * self.columns
    }

    /// Folds by the last batch's statistics, or by the running ones.
    ///
    /// The same numbers as [`bitfront_network::Normalisation::fold`], in place.
    pub(crate) fn fold(&mut self, kernel: &[f32], bias: &[f32], batch: bool) {
        for (channel, bias) in bias.iter().enumerate().take(self.channels()) {
            let (mean, variance) = self.statistics.of(channel, batch);
            let root = (variance + self.epsilon).sqrt();
            self.center[channel] = mean;
            self.inverse[channel] = 1.0 / root;
            let factor = f64::from(self.gamma.values[channel]) / root;
            self.factor[channel] = factor;
            let offset = (f64::from(*bias) - mean) * factor;
            self.bias[channel] = (f64::from(self.beta.values[channel]) + offset) as f32;
        }
        let step = stride(self.columns);
        let rows = kernel
            .chunks_exact(step)
            .zip(self.kernel.chunks_exact_mut(step));
        for (row, (from, to)) in rows.enumerate() {
            let factors = &self.factor[row % self.groups * self.columns..][..self.columns];
            for ((to, from), factor) in to.iter_mut().zip(from).zip(factors) {
                *to = (f64::from(*from) * factor) as f32;
            }
        }
    }

    /// Turns gradients by the folded kernel and bias into gradients by what was folded. With batch
    /// statistics, [`Folded::unfolded`] becomes the gradient by the unfolded outputs of `rows` rows.
    pub(crate) fn unfold(
        &mut self,
        kernel: &mut Parameter,
        bias: &mut Parameter,
        batch_rows: Option<usize>,
    ) {
        let step = stride(self.columns);
        self.by_factor.fill(0.0);
        let rows = kernel.values.chunks_exact(step);
        for (row, (values, gradient)) in
            rows.zip(kernel.gradient.chunks_exact_mut(step)).enumerate()
        {
            let first = row % self.groups * self.columns;
            let factors = &self.factor[first..][..self.columns];
            let sums = &mut self.by_factor[first..][..self.columns];
            for (((sum, factor), value), g) in
                sums.iter_mut().zip(factors).zip(values).zip(gradient)
            {
                *sum += f64::from(*g) * f64::from(*value);
                *g = (f64::from(*g) * factor) as f32;
            }
        }
        for channel in 0..self.channels() {
            let g = f64::from(bias.gradient[channel]);
            let off = f64::from(bias.values[channel]) - self.center[channel];
            let by_factor = self.by_factor[channel] + g * off;
            let inverse = self.inverse[channel];
            self.beta.gradient[channel] += g as f32;
            self.gamma.gradient[channel] += (by_factor * inverse) as f32;
            let by_variance = -0.5 * by_factor * self.factor[channel] * inverse * inverse;
            self.by_factor[channel] = by_variance;
            self.by_center[channel] = -g * self.factor[channel];
            // The batch's mean moves with the bias and takes it out again.
            bias.gradient[channel] = match batch_rows {
                Some(_) => 0.0,
                None => (g * self.factor[channel]) as f32,
            };
        }
        let Some(rows) = batch_rows else { return };
        let step = stride(self.channels());
        let count = rows as f64;
        for row in self.unfolded.chunks_exact_mut(step).take(rows) {
            let sums = self.by_center.iter().zip(&self.by_factor).zip(&self.center);
            for (u, ((by_center, by_variance), center)) in row.iter_mut().zip(sums) {
                let off = f64::from(*u) - center;
                *u = ((by_center + 2.0 * by_variance * off) / count) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bitfront_network::Normalisation;

    use super::*;

    #[test]
    fn folding_is_the_networks_own() {
        let values = |seed: u32, count: u32| -> Vec<f32> {
            let word = |i: u32| (i + seed).wrapping_mul(2_654_435_761) >> 8;
            (0..count)
                .map(|i| word(i) as f32 / (1 << 24) as f32 + 0.01)
                .collect()
        };
        // A kernel with a column a channel, and a depthwise one with two columns for six channels.
        for columns in [6, 2] {
            let mut weights = LayerWeights::default();
            for (seed, part) in (1..).zip([Part::Gamma, Part::Beta, Part::Mean, Part::Variance]) {
                weights.parts.insert(part, values(seed, 6));
            }
            let (kernel, bias) = (values(7, 36), values(8, 6));
            let fold = Fold {
                epsilon: 1e-3,
                momentum: 0.9,
            };
            let parameter = Parameter::new(&Quantizer::Float, &kernel, columns);
            let mut folded = Folded::new(fold, &weights, 6, &parameter, 0, 1);
            folded.fold(&parameter.values, &bias, false);
            let normalisation = Normalisation::of(&weights, 1e-3).unwrap();
            let expected = normalisation.fold(&kernel, Some(&bias));
            assert_eq!(folded.kernel.dense(columns), expected.0);
            assert_eq!(folded.bias.dense(6), expected.1);
        }
    }
}
