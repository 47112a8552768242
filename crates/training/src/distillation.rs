//! What a teacher says of each train row: its class probabilities at a temperature.

use bitfront_kernel::{Buffer, Kernels, SoftScale, exp, ln, stride};
use serde::{Deserialize, Serialize};

/// Learning from a teacher's logits beside the labels (Hinton, Vinyals, Dean, arXiv 1503.02531).
///
/// With `a` the weight, `T` the temperature, `z` the outputs and `t` the teacher's, a row's loss is
/// `(1 - a) CE(label, softmax(z)) + a T² KL(softmax(t / T) || softmax(z / T))`, in nats; its gradient by
/// `z` is `(1 - a) (softmax(z) - label) + a T (softmax(z / T) - softmax(t / T))`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distillation {
    /// What both sides' logits are divided by, 0.1 to 100.
    pub temperature: f32,
    /// The teacher's share of the loss, 0 to 1.
    pub weight: f32,
}

/// A teacher's class probabilities, row by row.
///
/// Logits become probabilities in f64 by correctly rounded operations, then f32: the same bits
/// everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct SoftTargets {
    distillation: Distillation,
    outputs: usize,
    /// `rows x outputs`.
    probabilities: Vec<f32>,
    /// `sum p ln p` of each row, in nats.
    negative_entropies: Vec<f32>,
}

impl SoftTargets {
    /// What logits (`rows x outputs`, row-major, finite) say at the temperature.
    ///
    /// # Panics
    /// When `logits` is not whole rows of `outputs`.
    #[must_use]
    pub fn new(distillation: Distillation, logits: &[f32], outputs: usize) -> Self {
        assert!(
            outputs > 0 && logits.len().is_multiple_of(outputs),
            "{} logits are whole rows of {outputs}",
            logits.len()
        );
        let temperature = f64::from(distillation.temperature);
        let mut probabilities = Vec::with_capacity(logits.len());
        let mut negative_entropies = Vec::with_capacity(logits.len() / outputs);
        let mut exps = vec![0.0; outputs];
        for row in logits.chunks_exact(outputs) {
            let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let off = |logit: f32| f64::from(logit - top) / temperature;
            for (e, logit) in exps.iter_mut().zip(row) {
                *e = exp(off(*logit));
            }
            let sum: f64 = exps.iter().sum();
            let log_sum = ln(sum);
            let mut entropy = 0.0;
            for (e, logit) in exps.iter().zip(row) {
                let probability = e / sum;
                probabilities.push(probability as f32);
                // Zero times minus infinity cannot come up: the logarithm is of the exponent itself.
                entropy += probability * (off(*logit) - log_sum);
            }
            negative_entropies.push(entropy as f32);
        }
        Self {
            distillation,
            outputs,
            probabilities,
            negative_entropies,
        }
    }

    /// How they weigh in the loss.
    #[must_use]
    pub fn distillation(&self) -> Distillation {
        self.distillation
    }

    /// Classes of a row.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.negative_entropies.len()
    }

    /// Copies the probabilities of these rows into padded rows of `to`; the sum of their
    /// `sum p ln p`, each times its row's weight.
    ///
    /// # Panics
    /// When a row is not below [`SoftTargets::rows`], or `to` or `weights` is too short.
    pub fn gather(
        &self,
        rows: impl Iterator<Item = usize>,
        weights: &[f32],
        to: &mut [f32],
    ) -> f64 {
        let mut total = 0.0;
        for ((row, weight), to) in rows
            .zip(weights)
            .zip(to.chunks_exact_mut(stride(self.outputs)))
        {
            let from = &self.probabilities[row * self.outputs..][..self.outputs];
            to[..self.outputs].copy_from_slice(from);
            total += f64::from(*weight) * f64::from(self.negative_entropies[row]);
        }
        total
    }
}

/// Gathered soft targets of the samples that go forward.
#[derive(Debug)]
pub struct Gathered {
    distillation: Distillation,
    outputs: usize,
    probabilities: Buffer,
    negative_entropy: f64,
}

impl Gathered {
    /// With room for `capacity` samples.
    #[must_use]
    pub fn new(targets: &SoftTargets, capacity: usize) -> Self {
        Self {
            distillation: targets.distillation,
            outputs: targets.outputs,
            probabilities: Buffer::zeroed(capacity * stride(targets.outputs)),
            negative_entropy: 0.0,
        }
    }

    /// Takes what the teacher says of these rows, whose losses have these weights.
    ///
    /// # Panics
    /// As [`SoftTargets::gather`].
    pub fn take(
        &mut self,
        targets: &SoftTargets,
        rows: impl Iterator<Item = usize>,
        weights: &[f32],
    ) {
        self.negative_entropy = targets.gather(rows, weights, &mut self.probabilities);
    }

    /// The labels' share of the loss.
    #[must_use]
    pub fn labels_share(&self) -> f32 {
        1.0 - self.distillation.weight
    }

    /// The teacher's part of the summed loss of `weights.len()` samples, whose outputs are padded; adds
    /// its gradient times `scale`.
    ///
    /// # Panics
    /// When a slice is too short.
    pub fn lose(
        &self,
        kernels: Kernels,
        outputs: &[f32],
        weights: &[f32],
        scale: f32,
        gradient: &mut [f32],
    ) -> f64 {
        let Distillation {
            temperature,
            weight,
        } = self.distillation;
        let factor = weight * temperature * temperature;
        let scale = SoftScale {
            sharpness: 1.0 / temperature,
            gradient: scale * factor,
        };
        let targets = &self.probabilities;
        let cross_entropy =
            kernels.soft_cross_entropy(self.outputs, outputs, targets, weights, scale, gradient);
        f64::from(factor) * (cross_entropy + self.negative_entropy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn softmax(z: &[f32], temperature: f64) -> Vec<f64> {
        let exps: Vec<f64> = z
            .iter()
            .map(|z| (f64::from(*z) / temperature).exp())
            .collect();
        let sum: f64 = exps.iter().sum();
        exps.into_iter().map(|e| e / sum).collect()
    }

    #[test]
    fn divergence_and_gradient_by_the_definition() {
        let logits = [1.0_f32, -2.0, 0.5, 3.0, 3.0, -40.0];
        let z = [0.25_f32, 0.5, -1.0, -2.0, 4.0, 1.0];
        let weights = [1.0_f32, 0.5];
        for (temperature, weight) in [(1.0_f32, 1.0_f32), (4.0, 0.75), (0.5, 0.25)] {
            let distillation = Distillation {
                temperature,
                weight,
            };
            let targets = SoftTargets::new(distillation, &logits, 3);
            assert_eq!((targets.rows(), targets.outputs()), (2, 3));
            let mut gathered = Gathered::new(&targets, 2);
            // The rows in another order than they are stored.
            gathered.take(&targets, [1, 0].into_iter(), &weights);
            let padded = Buffer::padded(&z, 3);
            let mut gradient = Buffer::zeroed(padded.len());
            let kernels = Kernels::detect();
            let loss = gathered.lose(kernels, &padded, &weights, 0.5, &mut gradient);
            let t = f64::from(temperature);
            let (mut expected, mut slopes) = (0.0, Vec::new());
            for (row, (z, logits)) in z.chunks(3).zip(logits.chunks(3).rev()).enumerate() {
                let (p, q) = (softmax(logits, t), softmax(z, t));
                let w = f64::from(weight) * f64::from(weights[row]);
                let divergence: f64 = p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum();
                expected += w * t * t * divergence;
                slopes.extend(p.iter().zip(&q).map(|(p, q)| 0.5 * w * t * (q - p)));
            }
            assert!(
                (loss - expected).abs() < 2e-6 * (1.0 + expected),
                "{loss} {expected}"
            );
            for (g, slope) in gradient.dense(3).into_iter().zip(slopes) {
                assert!((f64::from(g) - slope).abs() < 1e-6, "{g} {slope}");
            }
        }
    }

    #[test]
    fn a_student_like_its_teacher_loses_nothing() {
        let logits = [0.5_f32, -1.5, 2.0, 0.0];
        let distillation = Distillation {
            temperature: 3.0,
            weight: 1.0,
        };
        let targets = SoftTargets::new(distillation, &logits, 4);
        let mut gathered = Gathered::new(&targets, 1);
        gathered.take(&targets, 0..1, &[1.0]);
        let padded = Buffer::padded(&logits, 4);
        let mut gradient = Buffer::zeroed(padded.len());
        let loss = gathered.lose(Kernels::detect(), &padded, &[1.0], 1.0, &mut gradient);
        assert!(loss.abs() < 1e-5, "{loss}");
        assert!(gradient.iter().all(|g| g.abs() < 1e-6));
    }
}
