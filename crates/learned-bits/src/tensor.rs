//! A tensor of weights with fraction bits, of each or of several together.

use bitfront_kernel::{AdamStep, Buffer, Kernels, stride};

use crate::bits::{integer_bits, power, round};
use crate::settings::Granularity;

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
    granularity: Granularity,
    pub(crate) weights: Learned,
    fractions: Learned,
    /// What the passes use: `round(w * 2^f) * 2^-f`.
    pub(crate) quantized: Buffer,
    /// Width of each quantized magnitude; 0 for zero.
    pub(crate) widths: Buffer,
}

impl Tensor {
    /// Padded copies of its numbers: themselves, gradient, moments and average, of weights and of fraction bits, what the
    /// passes use, and its widths.
    pub(crate) const COPIES: usize = 12;

    /// Of these weights, which the passes use as they are until they are quantized.
    pub(crate) fn new(
        dense: &[f32],
        columns: usize,
        fraction_bits: f32,
        granularity: Granularity,
    ) -> Self {
        let weights = Buffer::padded(dense, columns);
        let zeros = Buffer::zeroed(weights.len());
        let mut fractions = zeros.clone();
        fractions.fill(fraction_bits);
        Self {
            columns,
            granularity,
            quantized: weights.clone(),
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

    /// Rows, without padding between them.
    pub(crate) fn rows(&self) -> usize {
        self.quantized.len() / stride(self.columns)
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
        self.find_by_fraction(penalty);
        let moved = self.weights.step(kernels, weights, keep);
        self.fractions.step(kernels, bits, keep) && moved
    }

    /// The gradient by fraction bits. Those that are one number have one gradient, the sum of theirs, and so
    /// stay equal: they began equal.
    fn find_by_fraction(&mut self, penalty: impl Fn(usize) -> f32) {
        let step = stride(self.columns);
        for row in 0..self.rows() {
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
        let gradient = &mut *self.fractions.gradient;
        match self.granularity {
            Granularity::Weight => {}
            Granularity::Channel => {
                let (first, rest) = gradient.split_at_mut(step);
                for row in rest.chunks_exact(step) {
                    for (sum, one) in first.iter_mut().zip(row) {
                        *sum += one;
                    }
                }
                for row in rest.chunks_exact_mut(step) {
                    row.copy_from_slice(first);
                }
            }
            Granularity::Layer => {
                let sum = gradient.iter().sum();
                gradient.fill(sum);
            }
        }
    }

    pub(crate) fn exchange(&mut self) {
        self.weights.exchange();
        self.fractions.exchange();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradients by fraction bits of three inputs and two units, at three fraction bits.
    fn by_fraction(granularity: Granularity) -> [f32; 6] {
        let weights = [0.3, -0.7, 0.01, 1.3, 0.55, -0.2];
        let mut tensor = Tensor::new(&weights, 2, 3.0, granularity);
        tensor.quantize();
        let by_weight = [1.0, -2.0, 3.0, 0.5, -1.5, 0.25];
        tensor.weights.gradient = Buffer::padded(&by_weight, 2);
        tensor.find_by_fraction(|row| 0.1 * (row + 1) as f32);
        let dense = tensor.fractions.gradient.dense(2);
        dense.try_into().unwrap()
    }

    #[test]
    fn a_bit_more_of_a_weight_moves_it_by_its_error_and_costs_its_price() {
        // On multiples of 1/8: 0.25, -0.75, 0, 1.25, 0.5 (a tie goes to the even 4/8), -0.25. Zero costs nothing.
        let errors = [0.05, 0.05, 0.01, 0.05, 0.05, 0.05];
        let by_weight = [1.0, -2.0, 3.0, 0.5, -1.5, 0.25];
        let prices = [0.1, 0.1, 0.0, 0.2, 0.3, 0.3];
        let expected: Vec<f32> = (0..6)
            .map(|at| std::f32::consts::LN_2 * by_weight[at] * errors[at] + prices[at])
            .collect();
        let close = |found: [f32; 6], expected: [f32; 6]| {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
        };
        let all: [f32; 6] = expected.try_into().unwrap();
        close(by_fraction(Granularity::Weight), all);
        let units = [all[0] + all[2] + all[4], all[1] + all[3] + all[5]];
        let [a, b] = units;
        close(by_fraction(Granularity::Channel), [a, b, a, b, a, b]);
        close(by_fraction(Granularity::Layer), [a + b; 6]);
    }
}
