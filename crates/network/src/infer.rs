//! Batch inference on integers.
//!
//! Rows are taken in blocks, channel by channel, so that one weight multiplies a whole block: the
//! inner loop is the same for every layer shape and vectorises over rows. Products of 16-bit codes
//! are summed in i32 where the layer's intervals allow it, else in i64; weights of zero are skipped.

use crate::{ActivationRule, IntegerLayer, IntegerProgram, Interval};

/// Rows in a block: eight vectors of four i32 accumulators.
const BLOCK: usize = 32;

/// One channel of a block.
type Lane<T> = [T; BLOCK];

impl IntegerProgram {
    /// Codes of standardised inputs, row-major `rows x inputs`.
    ///
    /// # Panics
    /// If `rows` is not whole rows.
    pub fn input_codes(&self, rows: &[f32]) -> Vec<i32> {
        let inputs = self.candidate.inputs;
        assert!(
            rows.len().is_multiple_of(inputs),
            "{} values are rows of {inputs}",
            rows.len()
        );
        let mut values = vec![0f32; rows.len()];
        self.candidate
            .input_quantizer
            .quantize(rows, inputs, &mut values);
        let scale = 2f64.powi(self.input.fraction);
        values
            .iter()
            .map(|v| (f64::from(*v) * scale) as i32)
            .collect()
    }

    /// Logit codes of each row, row-major `rows x outputs`, in the format of the last layer.
    ///
    /// # Panics
    /// If `input_codes` is not whole rows, or holds codes outside the input's range.
    pub fn logits(&self, input_codes: &[i32]) -> Vec<i64> {
        self.check_input(input_codes);
        let outputs = self.candidate.outputs();
        let rows = input_codes.len() / self.candidate.inputs;
        let mut logits = vec![0i64; rows * outputs];
        let plans: Vec<Plan<'_>> = self.layers.iter().map(Plan::new).collect();
        let mut block: Vec<Lane<i32>> = Vec::new();
        let mut next: Vec<Lane<i32>> = Vec::new();
        let blocks = input_codes.chunks(BLOCK * self.candidate.inputs);
        for (rows, out) in blocks.zip(logits.chunks_mut(BLOCK * outputs)) {
            transpose(rows, self.candidate.inputs, &mut block);
            for plan in &plans {
                if plan.layer.activation.is_some() {
                    plan.hidden(&block, &mut next);
                    std::mem::swap(&mut block, &mut next);
                } else {
                    plan.logits(&block, out);
                }
            }
        }
        logits
    }

    /// Codes of every layer's outputs of one row, first to last layer.
    ///
    /// # Panics
    /// As [`IntegerProgram::logits`], for one row.
    pub fn trace(&self, input_codes: &[i32]) -> Vec<Vec<i64>> {
        self.check_input(input_codes);
        assert_eq!(input_codes.len(), self.candidate.inputs, "one row of codes");
        let mut codes: Vec<i64> = input_codes.iter().map(|c| i64::from(*c)).collect();
        let step = |layer: &IntegerLayer| {
            codes = layer.outputs_of(&codes);
            codes.clone()
        };
        self.layers.iter().map(step).collect()
    }

    /// Class of each row: the largest logit, the lowest index on a tie.
    ///
    /// # Panics
    /// As [`IntegerProgram::logits`].
    pub fn classify(&self, input_codes: &[i32]) -> Vec<u8> {
        let largest = |row: &[i64]| {
            let best = (1..row.len()).fold(0, |best, j| if row[j] > row[best] { j } else { best });
            best as u8
        };
        self.logits(input_codes)
            .chunks_exact(self.candidate.outputs())
            .map(largest)
            .collect()
    }

    fn check_input(&self, codes: &[i32]) {
        let inputs = self.candidate.inputs;
        assert!(
            codes.len().is_multiple_of(inputs),
            "{} codes are rows of {inputs}",
            codes.len()
        );
        let Interval { lo, hi } = self.input.range;
        let (lo, hi) = (lo as i32, hi as i32);
        let (least, most) = codes
            .iter()
            .fold((hi, lo), |(least, most), c| (least.min(*c), most.max(*c)));
        assert!(
            least >= lo && most <= hi,
            "input codes are within {lo}..={hi}"
        );
    }
}

impl IntegerLayer {
    /// Finished accumulators of one row of input codes.
    pub fn accumulators(&self, input: &[i64]) -> Vec<i64> {
        (0..self.outputs)
            .map(|j| {
                let column = self.kernel.iter().skip(j).step_by(self.outputs);
                let products: i64 = input.iter().zip(column).map(|(x, k)| x * k).sum();
                (products << self.product_shift[j]) + (self.bias[j] << self.bias_shift[j])
            })
            .collect()
    }

    /// Output codes of one row of input codes.
    pub fn outputs_of(&self, input: &[i64]) -> Vec<i64> {
        let finish = |(j, accumulator): (usize, i64)| {
            let fraction = self.accumulator_fraction[j];
            match &self.activation {
                Some(rule) => rule.apply(j, accumulator, fraction, self.output),
                None => accumulator << (self.output.fraction - fraction),
            }
        };
        self.accumulators(input)
            .into_iter()
            .enumerate()
            .map(finish)
            .collect()
    }
}

/// Rows of a block, channel by channel; missing rows of the last block stay zero.
fn transpose(rows: &[i32], channels: usize, block: &mut Vec<Lane<i32>>) {
    block.clear();
    block.resize(channels, [0; BLOCK]);
    for (r, row) in rows.chunks_exact(channels).enumerate() {
        for (lane, code) in block.iter_mut().zip(row) {
            lane[r] = *code;
        }
    }
}

/// A layer made ready for blocks: for each output, its weights that are not zero.
struct Plan<'a> {
    layer: &'a IntegerLayer,
    weights: Weights,
}

enum Weights {
    /// 16-bit codes whose sums fit i32.
    Narrow(Vec<Vec<(usize, i16)>>),
    /// Any codes, sums in i64.
    Wide(Vec<Vec<(usize, i64)>>),
}

fn fits(range: Interval, bits: u32) -> bool {
    let limit = 1i64 << (bits - 1);
    range.lo >= -limit && range.hi < limit
}

impl<'a> Plan<'a> {
    fn new(layer: &'a IntegerLayer) -> Self {
        let column = |j: usize| {
            let codes = layer
                .kernel
                .iter()
                .skip(j)
                .step_by(layer.outputs)
                .enumerate();
            codes.filter(|(_, k)| **k != 0).map(|(i, k)| (i, *k))
        };
        // One bit is left for the rounding of the activation.
        let narrow = fits(layer.input.range, 16)
            && layer.kernel.iter().all(|k| fits(Interval::point(*k), 16))
            && layer.accumulator_range.iter().all(|range| fits(*range, 31))
            && layer.product_shift.iter().all(|shift| *shift < 31);
        let outputs = 0..layer.outputs;
        let weights = if narrow {
            let narrow = |j| column(j).map(|(i, k)| (i, k as i16)).collect();
            Weights::Narrow(outputs.map(narrow).collect())
        } else {
            Weights::Wide(outputs.map(|j| column(j).collect()).collect())
        };
        Self { layer, weights }
    }

    /// Output codes of a block behind the activation.
    fn hidden(&self, block: &[Lane<i32>], next: &mut Vec<Lane<i32>>) {
        next.clear();
        next.resize(self.layer.outputs, [0; BLOCK]);
        match &self.weights {
            Weights::Narrow(columns) => {
                let block = narrowed(block);
                for (j, (column, codes)) in columns.iter().zip(next).enumerate() {
                    self.activate_narrow(j, &self.sum_narrow(j, column, &block), codes);
                }
            }
            Weights::Wide(columns) => {
                for (j, (column, codes)) in columns.iter().zip(next).enumerate() {
                    let sums = self.sum_wide(j, column, block);
                    *codes = sums.map(|sum| self.apply(j, sum));
                }
            }
        }
    }

    /// Logits of a block, row-major.
    fn logits(&self, block: &[Lane<i32>], out: &mut [i64]) {
        let outputs = self.layer.outputs;
        let mut store = |j: usize, sums: Lane<i64>| {
            let shift = self.layer.output.fraction - self.layer.accumulator_fraction[j];
            for (row, sum) in out.chunks_exact_mut(outputs).zip(sums) {
                row[j] = sum << shift;
            }
        };
        match &self.weights {
            Weights::Narrow(columns) => {
                let block = narrowed(block);
                for (j, column) in columns.iter().enumerate() {
                    store(j, self.sum_narrow(j, column, &block).map(i64::from));
                }
            }
            Weights::Wide(columns) => {
                for (j, column) in columns.iter().enumerate() {
                    store(j, self.sum_wide(j, column, block));
                }
            }
        }
    }

    /// Finished accumulators of one output of a narrow layer.
    fn sum_narrow(&self, j: usize, column: &[(usize, i16)], block: &[Lane<i16>]) -> Lane<i32> {
        let mut sums = products_narrow(column, block);
        let shift = self.layer.product_shift[j];
        let bias = (self.layer.bias[j] << self.layer.bias_shift[j]) as i32;
        for sum in &mut sums {
            *sum = (*sum << shift) + bias;
        }
        sums
    }

    /// Finished accumulators of one output of a wide layer.
    fn sum_wide(&self, j: usize, column: &[(usize, i64)], block: &[Lane<i32>]) -> Lane<i64> {
        let mut sums = [0i64; BLOCK];
        for (i, k) in column {
            for (sum, x) in sums.iter_mut().zip(&block[*i]) {
                *sum += i64::from(*x) * k;
            }
        }
        let bias = self.layer.bias[j] << self.layer.bias_shift[j];
        sums.map(|sum| (sum << self.layer.product_shift[j]) + bias)
    }

    fn apply(&self, j: usize, accumulator: i64) -> i32 {
        let layer = self.layer;
        let fraction = layer.accumulator_fraction[j];
        let rule = layer.activation.as_ref();
        rule.map_or(0, |rule| {
            rule.apply(j, accumulator, fraction, layer.output) as i32
        })
    }

    fn activate_narrow(&self, j: usize, sums: &Lane<i32>, codes: &mut Lane<i32>) {
        let layer = self.layer;
        let down = layer.accumulator_fraction[j] - layer.output.fraction;
        if layer.activation == Some(ActivationRule::Uniform) && (1..=29).contains(&down) {
            let (lo, hi) = (layer.output.range.lo as i32, layer.output.range.hi as i32);
            let half = (1i32 << (down - 1)) - 1;
            for (code, sum) in codes.iter_mut().zip(sums) {
                let odd = (sum >> down) & 1;
                *code = ((sum + half + odd) >> down).clamp(lo, hi);
            }
        } else {
            for (code, sum) in codes.iter_mut().zip(sums) {
                *code = self.apply(j, i64::from(*sum));
            }
        }
    }
}

fn narrowed(block: &[Lane<i32>]) -> Vec<Lane<i16>> {
    block.iter().map(|lane| lane.map(|v| v as i16)).collect()
}

/// Sums of products of one output over a block; the sums stay in registers.
#[inline(never)]
fn products_narrow(column: &[(usize, i16)], block: &[Lane<i16>]) -> Lane<i32> {
    let mut sums = [0i32; BLOCK];
    for (i, k) in column {
        let k = i32::from(*k);
        for (sum, x) in sums.iter_mut().zip(&block[*i]) {
            *sum += i32::from(*x) * k;
        }
    }
    sums
}
