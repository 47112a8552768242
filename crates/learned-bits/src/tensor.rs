//! A tensor of weights, each with its own fraction bits.

use bitfront_kernel::{AdamStep, Buffer, Kernels, stride};

use crate::bits::{integer_bits, power, round};

/// Largest magnitude of a weight, and of its fraction bits.
const LARGEST_WEIGHT: f32 = 8.0;
const MOST_FRACTION: f32 = 12.0;

/// Numbers that Adam moves, with a running average.
pub(crate) struct Learned {
    pub(crate) values: Buffer,
    pub(crate) gradient: Buffer,
    first_moment: Buffer,
    second_moment: Buffer,
    average: Buffer,
    limit: f32,
}

impl Learned {
    pub(crate) fn new(values: Buffer, limit: f32) -> Self {
        let zeros = Buffer::zeroed(values.len());
        Self {
            gradient: zeros.clone(),
            first_moment: zeros.clone(),
            second_moment: zeros,
            average: values.clone(),
            values,
            limit,
        }
    }

    /// One step; whether everything is finite afterwards. `keep` of the average is kept.
    pub(crate) fn step(&mut self, kernels: Kernels, step: AdamStep, keep: f32) -> bool {
        let step = AdamStep {
            limit: self.limit,
            ..step
        };
        let finite = kernels.adam(
            step,
            &mut self.values,
            &mut self.first_moment,
            &mut self.second_moment,
            &self.gradient,
        );
        let rest = 1.0 - keep;
        for (average, value) in self.average.iter_mut().zip(&*self.values) {
            *average += rest * (*value - *average);
        }
        self.gradient.fill(0.0);
        finite
    }

    /// Exchanges values and average.
    pub(crate) fn exchange(&mut self) {
        std::mem::swap(&mut self.values, &mut self.average);
    }
}

/// A kernel (`rows x columns`) or a bias (one row), padded by row.
pub(crate) struct Tensor {
    pub(crate) columns: usize,
    pub(crate) weights: Learned,
    fractions: Learned,
    /// What the passes use: `round(w * 2^f) * 2^-f`.
    pub(crate) quantized: Buffer,
    /// Width of each quantized magnitude; 0 for zero.
    widths: Buffer,
}

impl Tensor {
    pub(crate) fn new(dense: &[f32], columns: usize, fraction_bits: f32) -> Self {
        let weights = Buffer::padded(dense, columns);
        let zeros = Buffer::zeroed(weights.len());
        let mut fractions = zeros.clone();
        fractions.fill(fraction_bits);
        Self {
            columns,
            quantized: zeros.clone(),
            widths: zeros,
            fractions: Learned::new(fractions, MOST_FRACTION),
            weights: Learned::new(weights, LARGEST_WEIGHT),
        }
    }

    /// Quantizes every weight at its rounded fraction bits.
    pub(crate) fn quantize(&mut self) {
        let numbers = self.weights.values.iter().zip(&*self.fractions.values);
        let results = self.quantized.iter_mut().zip(&mut *self.widths);
        for ((weight, fraction), (quantized, width)) in numbers.zip(results) {
            let fraction = round(*fraction) as i32;
            *quantized = round(*weight * power(fraction)) * power(-fraction);
            *width = if *quantized == 0.0 {
                0.0
            } else {
                (integer_bits(*quantized) + fraction) as f32
            };
        }
    }

    /// Widths of one row's weights together.
    pub(crate) fn row_width(&self, row: usize) -> f32 {
        let step = stride(self.columns);
        self.widths[row * step..][..self.columns].iter().sum()
    }

    /// Sets a row to zero in what the passes use.
    pub(crate) fn clear_row(&mut self, row: usize) {
        let step = stride(self.columns);
        self.quantized[row * step..][..step].fill(0.0);
        self.widths[row * step..][..step].fill(0.0);
    }

    /// Moves weights and fraction bits by the gradient of the quantized weights and by the penalty:
    /// `penalty(row)` for each bit of a weight of that row. Whether everything is finite afterwards.
    pub(crate) fn step(
        &mut self,
        kernels: Kernels,
        [weights, bits]: [AdamStep; 2],
        keep: f32,
        penalty: impl Fn(usize) -> f32,
    ) -> bool {
        let step = stride(self.columns);
        for row in 0..self.quantized.len() / step {
            let at = row * step..(row + 1) * step;
            let bit = penalty(row);
            let numbers = self.weights.values[at.clone()]
                .iter()
                .zip(&self.quantized[at.clone()])
                .zip(&self.widths[at.clone()]);
            let gradients = self.weights.gradient[at.clone()]
                .iter()
                .zip(&mut self.fractions.gradient[at]);
            for (((weight, quantized), width), (by_weight, by_fraction)) in numbers.zip(gradients) {
                let error = std::f32::consts::LN_2 * (*weight - *quantized);
                let price = if *width > 0.0 { bit } else { 0.0 };
                *by_fraction = by_weight * error + price;
            }
        }
        let moved = self.weights.step(kernels, weights, keep);
        self.fractions.step(kernels, bits, keep) && moved
    }

    pub(crate) fn exchange(&mut self) {
        self.weights.exchange();
        self.fractions.exchange();
    }
}
