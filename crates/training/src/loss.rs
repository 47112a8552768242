//! What a head's outputs cost, and the gradient by them.

use std::sync::Arc;

use bitfront_kernel::{BatchLoss, Buffer, Kernels, SoftScale, exp, ln, stride};
use bitfront_network::Head;
use serde::{Deserialize, Serialize};

use crate::distillation::{Gathered, SoftTargets};
use crate::extent::Extent;
use crate::train::Targets;

/// What a row costs, by its outputs `z` and targets `t`; means are over a row's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossFunction {
    /// `ln(sum e^z) - z_class`, in nats: of a softmax head.
    SoftmaxCrossEntropy,
    /// Mean of `ln(1 + e^z) - z t`, in nats: of a sigmoid head.
    BinaryCrossEntropy,
    /// Mean of `(z - t)²`: of a linear head, unless a recipe says otherwise.
    MeanSquaredError,
    /// Mean of `|z - t|`, whose slope at `z = t` is 0: of a linear head.
    MeanAbsoluteError,
}

impl LossFunction {
    /// What a head is trained by where a recipe names nothing.
    #[must_use]
    pub fn of(head: Head) -> Self {
        match head {
            Head::Softmax { .. } => Self::SoftmaxCrossEntropy,
            Head::Sigmoid => Self::BinaryCrossEntropy,
            Head::Linear => Self::MeanSquaredError,
        }
    }

    /// The losses that a head can be trained by, for an error message.
    pub(crate) fn accepted(head: Head) -> &'static str {
        match head {
            Head::Softmax { .. } => "softmax_cross_entropy for a softmax head",
            Head::Sigmoid => "binary_cross_entropy for a sigmoid head",
            Head::Linear => "mean_squared_error or mean_absolute_error for a linear head",
        }
    }

    /// Whether a head's outputs are what this loss reads.
    #[must_use]
    pub fn suits(self, head: Head) -> bool {
        self == Self::of(head) || (head == Head::Linear && self == Self::MeanAbsoluteError)
    }

    /// Its name in files: `mean_squared_error`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SoftmaxCrossEntropy => "softmax_cross_entropy",
            Self::BinaryCrossEntropy => "binary_cross_entropy",
            Self::MeanSquaredError => "mean_squared_error",
            Self::MeanAbsoluteError => "mean_absolute_error",
        }
    }
}

/// A head's loss with the targets of one micro-batch.
#[derive(Debug)]
pub(crate) struct Loss {
    pub(crate) function: LossFunction,
    output: Extent,
    classes: Vec<u8>,
    /// `samples x outputs`.
    values: Vec<f32>,
    /// Share of a class target that training spreads evenly over all classes.
    pub(crate) smoothing: f32,
    /// Weight of each class in training; empty: all rows count alike.
    class_weights: Vec<f32>,
    /// Weight of each sample's loss in training.
    weights: Vec<f32>,
    /// Targets of a softmax head whose rows are weighted, padded.
    shares: Buffer,
    /// What a teacher says, of all train rows and of the samples.
    taught: Option<(Arc<SoftTargets>, Gathered)>,
}

impl Loss {
    /// With room for `capacity` samples.
    pub(crate) fn new(head: Head, output: Extent, capacity: usize) -> Self {
        let wide = match head {
            Head::Softmax { .. } => 0,
            Head::Sigmoid | Head::Linear => capacity * output.values(),
        };
        Self {
            function: LossFunction::of(head),
            output,
            classes: vec![0; capacity],
            values: vec![0.0; wide],
            smoothing: 0.0,
            class_weights: Vec::new(),
            weights: vec![1.0; capacity],
            shares: Buffer::zeroed(0),
            taught: None,
        }
    }

    /// Multiplies the loss of each train row by the weight of its class.
    pub(crate) fn weigh(&mut self, class_weights: Vec<f32>) {
        if self.function == LossFunction::SoftmaxCrossEntropy {
            self.shares = Buffer::zeroed(self.weights.len() * stride(self.output.values()));
        }
        self.class_weights = class_weights;
    }

    /// Adds a teacher's part to the loss of train rows.
    pub(crate) fn learn_from(&mut self, targets: Arc<SoftTargets>) {
        let gathered = Gathered::new(&targets, self.weights.len());
        self.taught = Some((targets, gathered));
    }

    /// Takes what training alone asks of the rows that go forward, after [`Loss::take`].
    pub(crate) fn take_for_training(&mut self, rows: &[u32]) {
        if !self.class_weights.is_empty() {
            for (weight, class) in self.weights.iter_mut().zip(&self.classes).take(rows.len()) {
                *weight = self.class_weights[usize::from(*class)];
            }
            let columns = self.output.values();
            let evenly = self.smoothing / columns as f32;
            let shares = self.shares.chunks_exact_mut(stride(columns));
            for (shares, class) in shares.zip(&self.classes).take(rows.len()) {
                shares[..columns].fill(evenly);
                shares[usize::from(*class)] += 1.0 - self.smoothing;
            }
        }
        if let Some((targets, gathered)) = &mut self.taught {
            let rows = rows.iter().map(|row| *row as usize);
            gathered.take(targets, rows, &self.weights);
        }
    }

    /// Summed training loss of `samples` rows of outputs: smoothed, weighted, with a teacher's part;
    /// and its gradient times `scale`.
    pub(crate) fn of_training(
        &self,
        kernels: Kernels,
        samples: usize,
        outputs: &[f32],
        scale: f32,
        gradient: &mut Buffer,
    ) -> BatchLoss {
        let taught = self.taught.as_ref().map(|(_, gathered)| gathered);
        let share = taught.map_or(1.0, Gathered::labels_share);
        let weights = &self.weights[..samples];
        let weighted = !self.class_weights.is_empty();
        let mut total = match self.function {
            LossFunction::BinaryCrossEntropy if weighted => {
                self.sigmoid(Some(weights), samples, outputs, scale, gradient)
            }
            _ => self.of(kernels, samples, outputs, scale * share, gradient),
        };
        match self.function {
            LossFunction::SoftmaxCrossEntropy if weighted => {
                gradient[..samples * self.output.padded()].fill(0.0);
                let scale = SoftScale {
                    sharpness: 1.0,
                    gradient: scale * share,
                };
                let (columns, shares) = (self.output.values(), &self.shares);
                total.loss =
                    kernels.soft_cross_entropy(columns, outputs, shares, weights, scale, gradient);
            }
            _ => total.loss += self.smooth(samples, outputs, scale * share, gradient),
        }
        total.loss *= f64::from(share);
        if let Some(taught) = taught {
            total.loss += taught.lose(kernels, outputs, weights, scale, gradient);
        }
        total
    }

    /// Takes the targets of the rows that go forward.
    pub(crate) fn take(&mut self, targets: Targets<'_>, rows: impl Iterator<Item = usize>) {
        let outputs = self.output.values();
        match targets {
            Targets::Classes(classes) if self.values.is_empty() => {
                for (own, row) in self.classes.iter_mut().zip(rows) {
                    *own = classes[row];
                }
            }
            Targets::Classes(classes) => {
                for (sample, row) in rows.enumerate() {
                    let class = classes[row];
                    self.classes[sample] = class;
                    if let Some(values) = self.values.chunks_exact_mut(outputs).nth(sample) {
                        // One output says whether the class is 1, several say which class it is.
                        let wanted = |at: usize| {
                            let class = usize::from(class);
                            if outputs == 1 {
                                class == 1
                            } else {
                                class == at
                            }
                        };
                        for (at, value) in values.iter_mut().enumerate() {
                            *value = f32::from(u8::from(wanted(at)));
                        }
                    }
                }
            }
            Targets::Values(values) => {
                for (to, row) in self.values.chunks_exact_mut(outputs).zip(rows) {
                    to.copy_from_slice(&values[row * outputs..][..outputs]);
                }
            }
        }
    }

    /// What smoothed targets of a softmax head add to the summed loss and to the gradient:
    /// with `s` the share and `y` the class, `s (z_y - mean z)` and its slope.
    fn smooth(&self, samples: usize, outputs: &[f32], scale: f32, gradient: &mut Buffer) -> f64 {
        if self.smoothing == 0.0 || self.function != LossFunction::SoftmaxCrossEntropy {
            return 0.0;
        }
        let (step, size) = (self.output.padded(), self.output.values());
        let by_class = scale * self.smoothing;
        let by_all = by_class / size as f32;
        let rows = outputs
            .chunks_exact(step)
            .zip(gradient.chunks_exact_mut(step));
        let mut total = 0.0;
        for ((z, g), class) in rows.zip(&self.classes).take(samples) {
            let class = usize::from(*class);
            let sum = z[..size].iter().fold(0.0, |sum, z| sum + f64::from(*z));
            total += f64::from(self.smoothing) * (f64::from(z[class]) - sum / size as f64);
            for g in &mut g[..size] {
                *g -= by_all;
            }
            g[class] += by_class;
        }
        total
    }

    /// Summed loss of `samples` rows of outputs against their targets alone, and its gradient times
    /// `scale`.
    pub(crate) fn of(
        &self,
        kernels: Kernels,
        samples: usize,
        outputs: &[f32],
        scale: f32,
        gradient: &mut Buffer,
    ) -> BatchLoss {
        match self.function {
            LossFunction::SoftmaxCrossEntropy => {
                let classes = &self.classes[..samples];
                let columns = self.output.values();
                kernels.softmax_cross_entropy(columns, outputs, classes, scale, gradient)
            }
            LossFunction::BinaryCrossEntropy => {
                self.sigmoid(None, samples, outputs, scale, gradient)
            }
            LossFunction::MeanSquaredError => {
                self.elementwise(None, samples, outputs, scale, gradient, |z, t| {
                    let off = z - t;
                    (off * off, 2.0 * off, false)
                })
            }
            LossFunction::MeanAbsoluteError => {
                self.elementwise(None, samples, outputs, scale, gradient, |z, t| {
                    let off = z - t;
                    let slope = f64::from(u8::from(off > 0.0)) - f64::from(u8::from(off < 0.0));
                    (off.abs(), slope, false)
                })
            }
        }
    }

    /// Binary cross-entropy, where given with a weight a row.
    fn sigmoid(
        &self,
        weights: Option<&[f32]>,
        samples: usize,
        outputs: &[f32],
        scale: f32,
        gradient: &mut Buffer,
    ) -> BatchLoss {
        self.elementwise(weights, samples, outputs, scale, gradient, |z, t| {
            // max(z, 0) - z t + ln(1 + e^-|z|), and sigmoid(z) - t.
            let small = exp(-z.abs());
            let loss = z.max(0.0) - z * t + ln(1.0 + small);
            let sigmoid = if z < 0.0 { small } else { 1.0 } / (1.0 + small);
            (loss, sigmoid - t, (z >= 0.0) == (t >= 0.5))
        })
    }

    /// A loss that is the mean over a row's outputs; a row is right where all its outputs are.
    fn elementwise(
        &self,
        weights: Option<&[f32]>,
        samples: usize,
        outputs: &[f32],
        scale: f32,
        gradient: &mut Buffer,
        of: impl Fn(f64, f64) -> (f64, f64, bool),
    ) -> BatchLoss {
        let (step, size) = (self.output.padded(), self.output.values());
        let share = 1.0 / size as f64;
        let all = f64::from(scale) * share;
        let mut total = BatchLoss::default();
        let rows = outputs
            .chunks_exact(step)
            .zip(gradient.chunks_exact_mut(step));
        let rows = rows.zip(self.values.chunks_exact(size)).take(samples);
        for (row, ((z, g), targets)) in rows.enumerate() {
            let weight = weights.map_or(1.0, |weights| f64::from(weights[row]));
            let factor = all * weight;
            let (mut sum, mut right) = (0.0, true);
            let (stride, channels) = (self.output.stride(), self.output.channels);
            let positions = z.chunks_exact(stride).zip(g.chunks_exact_mut(stride));
            for ((z, g), targets) in positions.zip(targets.chunks_exact(channels)) {
                for ((z, g), target) in z.iter().zip(g).zip(targets) {
                    let (loss, slope, hit) = of(f64::from(*z), f64::from(*target));
                    // Infinity times zero is NaN, and NaN stays.
                    sum += loss + f64::from(*z * 0.0);
                    *g = (slope * factor) as f32;
                    right &= hit;
                }
            }
            total.loss += sum * share * weight;
            total.correct += usize::from(right);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(head: Head, outputs: usize, z: &[f32], targets: Targets<'_>) -> (BatchLoss, Vec<f32>) {
        let samples = z.len() / outputs;
        let extent = Extent {
            positions: 1,
            channels: outputs,
        };
        let mut loss = Loss::new(head, extent, samples);
        loss.take(targets, 0..samples);
        let mut gradient = Buffer::zeroed(samples * extent.padded());
        let z = Buffer::padded(z, outputs);
        let total = loss.of(Kernels::detect(), samples, &z, 1.0, &mut gradient);
        (total, gradient.dense(outputs))
    }

    #[test]
    fn sigmoid_by_hand() {
        let (total, gradient) = loss(Head::Sigmoid, 1, &[0.0, 3.0], Targets::Classes(&[1, 0]));
        let expected = 2.0_f64.ln() + (1.0 + 3.0_f64.exp()).ln();
        assert!((total.loss - expected).abs() < 1e-9, "{}", total.loss);
        assert_eq!(total.correct, 1);
        let sigmoid = 1.0 / (1.0 + (-3.0_f64).exp());
        assert!((f64::from(gradient[0]) + 0.5).abs() < 1e-7);
        assert!((f64::from(gradient[1]) - sigmoid).abs() < 1e-7);
        let (total, gradient) = loss(Head::Sigmoid, 2, &[4.0, -4.0], Targets::Classes(&[0]));
        assert_eq!(total.correct, 1);
        assert!(gradient[0] < 0.0 && gradient[1] > 0.0);
    }

    #[test]
    fn squares_by_hand() {
        let targets = Targets::Values(&[0.0, 1.0, 2.0, 3.0]);
        let (total, gradient) = loss(Head::Linear, 2, &[1.0, 1.0, 0.0, 5.0], targets);
        assert_eq!(total.loss, 0.5 + 4.0);
        assert_eq!(gradient, [1.0, 0.0, -2.0, 2.0]);
        let (total, _) = loss(Head::Linear, 1, &[f32::INFINITY], Targets::Values(&[0.0]));
        assert!(!total.loss.is_finite());
    }

    #[test]
    fn absolute_values_by_hand() {
        let extent = Extent {
            positions: 1,
            channels: 2,
        };
        let mut loss = Loss::new(Head::Linear, extent, 2);
        loss.function = LossFunction::MeanAbsoluteError;
        loss.take(Targets::Values(&[0.0, 1.0, 2.0, 3.0]), 0..2);
        let z = Buffer::padded(&[1.0, 1.0, 0.0, 5.0], 2);
        let mut gradient = Buffer::zeroed(2 * extent.padded());
        let total = loss.of(Kernels::detect(), 2, &z, 1.0, &mut gradient);
        assert_eq!(total.loss, 0.5 + 2.0);
        assert_eq!(gradient.dense(2), [0.5, 0.0, -0.5, 0.5]);
    }

    #[test]
    fn each_head_has_its_losses() {
        use LossFunction::{MeanAbsoluteError, MeanSquaredError, SoftmaxCrossEntropy};
        for head in [Head::ARG_MAX, Head::Sigmoid, Head::Linear] {
            let own = LossFunction::of(head);
            assert!(own.suits(head));
            assert!(LossFunction::accepted(head).contains(own.name()));
            assert_eq!(MeanAbsoluteError.suits(head), head == Head::Linear);
            assert_eq!(MeanSquaredError.suits(head), head == Head::Linear);
            assert_eq!(SoftmaxCrossEntropy.suits(head), head == Head::ARG_MAX);
        }
    }

    #[test]
    fn smoothed_softmax_by_hand() {
        let extent = Extent {
            positions: 1,
            channels: 3,
        };
        let mut loss = Loss::new(Head::ARG_MAX, extent, 1);
        loss.smoothing = 0.25;
        loss.take(Targets::Classes(&[2]), 0..1);
        let dense = [0.5_f32, -1.0, 2.0];
        let z = Buffer::padded(&dense, 3);
        let mut gradient = Buffer::zeroed(extent.padded());
        let kernels = Kernels::detect();
        let total = loss.of_training(kernels, 1, &z, 1.0, &mut gradient).loss;
        let exps = dense.map(|z| f64::from(z).exp());
        let sum: f64 = exps.iter().sum();
        let targets = [0.25 / 3.0, 0.25 / 3.0, 0.75 + 0.25 / 3.0];
        let expected: f64 = targets
            .iter()
            .zip(exps)
            .map(|(t, e)| -t * (e / sum).ln())
            .sum();
        assert!((total - expected).abs() < 1e-6, "{total} {expected}");
        for ((g, t), e) in gradient.dense(3).into_iter().zip(targets).zip(exps) {
            assert!((f64::from(g) - (e / sum - t)).abs() < 1e-6);
        }
    }
}
