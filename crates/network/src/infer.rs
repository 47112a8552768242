//! Batch inference on integers: what an integer program gives for rows of input codes.
//!
//! The rule this module keeps: memory does not grow with the number of rows but for the results;
//! rows are taken in blocks.

use std::ops::ControlFlow;

use crate::infer_chain::{Step, plan, plan_each};
use crate::infer_layer::evaluate;
use crate::{Head, IntegerProgram, Interval, Source};

/// Values of all layers together that a block of rows may have.
const BLOCK_VALUES: usize = 1 << 18;

/// Most rows of a block.
const BLOCK_ROWS: usize = 1024;

impl IntegerProgram {
    /// Number of input codes of a row.
    pub fn inputs(&self) -> usize {
        self.input.size()
    }

    /// Number of logits of a row.
    pub fn outputs(&self) -> usize {
        self.layers
            .last()
            .map_or(self.inputs(), |last| last.output.size())
    }

    /// Codes of standardised inputs, row-major `rows x inputs`.
    ///
    /// # Panics
    /// If `rows` is not whole rows.
    pub fn input_codes(&self, rows: &[f32]) -> Vec<i32> {
        let inputs = self.inputs();
        assert!(
            rows.len().is_multiple_of(inputs),
            "{} values are rows of {inputs}",
            rows.len()
        );
        let fraction = self.input.fraction.first().copied().unwrap_or(0);
        let scale = 2f64.powi(fraction);
        let mut values = [0f32; 1024];
        let mut codes = Vec::with_capacity(rows.len());
        for rows in rows.chunks(values.len()) {
            // Inputs have a fixed scale, so it does not matter where a row starts.
            let values = &mut values[..rows.len()];
            self.candidate.input_quantizer.quantize(rows, 1, values);
            codes.extend(values.iter().map(|v| (f64::from(*v) * scale) as i32));
        }
        codes
    }

    /// Logit codes of each row, row-major `rows x outputs`, all with
    /// [`IntegerProgram::output_fraction`].
    ///
    /// # Panics
    /// If `input_codes` is not whole rows, or holds codes outside the input's range.
    pub fn logits(&self, input_codes: &[i32]) -> Vec<i64> {
        let rows = self.check_rows(input_codes);
        let mut logits = Vec::with_capacity(rows * self.outputs());
        self.each_block(&plan(self), input_codes, |block| {
            logits.extend_from_slice(block);
        });
        logits
    }

    /// Codes of every layer's values of one row, first to last layer; channels with the fractions of
    /// [`crate::IntegerLayer::output`].
    ///
    /// # Panics
    /// As [`IntegerProgram::logits`], for one row.
    pub fn trace(&self, input_codes: &[i32]) -> Vec<Vec<i64>> {
        assert_eq!(input_codes.len(), self.inputs(), "one row of codes");
        self.check_codes(input_codes);
        let input: Vec<i64> = input_codes.iter().map(|c| i64::from(*c)).collect();
        let mut values: Vec<Vec<i64>> = Vec::with_capacity(self.layers.len());
        for index in 0..self.layers.len() {
            let mut out = Vec::new();
            self.evaluate_layer(index, &input, &values, &mut out);
            values.push(out);
        }
        values
    }

    /// As [`IntegerProgram::trace`] of many rows: gives blocks of them to `take`, in order, first to last layer, each row-major
    /// `rows x size`, until it breaks.
    ///
    /// # Panics
    /// As [`IntegerProgram::logits`].
    pub fn traces(
        &self,
        input_codes: &[i32],
        mut take: impl FnMut(&[Vec<i64>]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.check_rows(input_codes);
        let steps = plan_each(self);
        let mut values: Vec<Vec<i64>> = vec![Vec::new(); self.layers.len()];
        let mut input = Vec::new();
        for codes in input_codes.chunks(self.block_rows() * self.inputs()) {
            self.check_codes(codes);
            input.clear();
            input.extend(codes.iter().map(|c| i64::from(*c)));
            for step in &steps {
                let at = match step {
                    Step::Layer(at) => *at,
                    Step::Chain(chain) => chain.last,
                };
                let mut out = std::mem::take(&mut values[at]);
                out.clear();
                self.run_step(step, codes, &input, &values, &mut out);
                values[at] = out;
            }
            take(&values)?;
        }
        ControlFlow::Continue(())
    }

    /// Class of each row: the largest logit, the lowest index on a tie. `None` for heads without
    /// classes.
    ///
    /// # Panics
    /// As [`IntegerProgram::logits`].
    pub fn classify(&self, input_codes: &[i32]) -> Option<Vec<u8>> {
        let Head::Softmax { .. } = self.candidate.head else {
            return None;
        };
        let rows = self.check_rows(input_codes);
        let steps = plan(self);
        if let [Step::Chain(chain)] = &steps[..]
            && let Some((chain, kernels)) = chain.whole(self.layers.len(), self.inputs())
            && self.is_aligned()
        {
            let mut classes = vec![0; rows];
            if let Err(fault) = chain.classify(kernels, input_codes, &mut classes) {
                panic!("{fault}");
            }
            return Some(classes);
        }
        let mut classes = Vec::with_capacity(rows);
        self.each_block(&steps, input_codes, |block| {
            classes.extend(block.chunks_exact(self.outputs()).map(largest));
        });
        Some(classes)
    }

    /// Probabilities of each row by the integer softmax, row-major `rows x classes`, in units of
    /// `2^-output_fraction` of the tables. `None` for heads without softmax tables.
    ///
    /// # Panics
    /// As [`IntegerProgram::logits`].
    pub fn probabilities(&self, input_codes: &[i32]) -> Option<Vec<u32>> {
        let softmax = self.softmax()?;
        let rows = self.check_rows(input_codes);
        let mut all = Vec::with_capacity(rows * softmax.classes);
        self.each_block(&plan(self), input_codes, |block| {
            for row in block.chunks_exact(softmax.classes) {
                all.extend(softmax.probabilities(row));
            }
        });
        Some(all)
    }

    /// Gives the logits of blocks of rows, in order.
    fn each_block(&self, steps: &[Step], codes: &[i32], mut take: impl FnMut(&[i64])) {
        let rows = self.block_rows();
        let last_use = self.last_uses();
        let reads_input = |step: &Step| match step {
            Step::Layer(index) => self.layers[*index].sources.contains(&Source::Input),
            Step::Chain(_) => false,
        };
        let wide_input = steps.iter().any(reads_input);
        let mut values: Vec<Vec<i64>> = vec![Vec::new(); self.layers.len()];
        let mut spare: Vec<Vec<i64>> = Vec::new();
        let mut input = Vec::new();
        for codes in codes.chunks(rows * self.inputs()) {
            self.check_codes(codes);
            input.clear();
            if wide_input {
                input.extend(codes.iter().map(|c| i64::from(*c)));
            }
            for step in steps {
                let mut out = spare.pop().unwrap_or_default();
                out.clear();
                let (first, last) = match step {
                    Step::Layer(index) => (*index, *index),
                    Step::Chain(chain) => (chain.first, chain.last),
                };
                self.run_step(step, codes, &input, &values, &mut out);
                values[last] = out;
                for source in &self.layers[first].sources {
                    if let Source::Layer(at) = source
                        && last_use[*at] == first
                    {
                        spare.push(std::mem::take(&mut values[*at]));
                    }
                }
            }
            if let Some(last) = values.last_mut() {
                self.align_logits(last);
                take(last);
                spare.push(std::mem::take(last));
            }
        }
    }

    /// Rows of a block.
    fn block_rows(&self) -> usize {
        let sizes = self.layers.iter().map(|layer| layer.output.size());
        let row: usize = sizes.sum::<usize>() + self.inputs();
        (BLOCK_VALUES / row).clamp(1, BLOCK_ROWS)
    }

    /// Appends what a step gives to `out`; `input` has the codes on 64 bits where layers read them.
    fn run_step(
        &self,
        step: &Step,
        codes: &[i32],
        input: &[i64],
        values: &[Vec<i64>],
        out: &mut Vec<i64>,
    ) {
        match step {
            Step::Layer(index) => self.evaluate_layer(*index, input, values, out),
            Step::Chain(chain) => match self.layers[chain.first].sources[0] {
                Source::Input => chain.run(codes, self.inputs(), out),
                Source::Layer(at) => {
                    let size = self.layers[at].output.size();
                    chain.run(&values[at], size, out);
                }
            },
        }
    }

    /// The last layer that reads each layer.
    fn last_uses(&self) -> Vec<usize> {
        let mut last = vec![usize::MAX; self.layers.len()];
        for (index, layer) in self.layers.iter().enumerate() {
            for source in &layer.sources {
                if let Source::Layer(at) = source {
                    last[*at] = index;
                }
            }
        }
        last
    }

    fn evaluate_layer(&self, index: usize, input: &[i64], values: &[Vec<i64>], out: &mut Vec<i64>) {
        let layer = &self.layers[index];
        let sources = layer.sources.iter().map(|source| match source {
            Source::Input => (&self.input, input),
            Source::Layer(at) => (&self.layers[*at].output, values[*at].as_slice()),
        });
        evaluate(layer, &sources.collect::<Vec<_>>(), out);
    }

    /// Shifts the last layer's channels to the common fraction.
    fn align_logits(&self, logits: &mut [i64]) {
        let Some(last) = self.layers.last() else {
            return;
        };
        if last
            .output
            .fraction
            .iter()
            .all(|f| *f == self.output_fraction)
        {
            return;
        }
        for row in logits.chunks_exact_mut(last.output.channels()) {
            for (logit, fraction) in row.iter_mut().zip(&last.output.fraction) {
                // A channel that is finer than the common fraction is always zero.
                *logit <<= (self.output_fraction - fraction).clamp(0, 63);
            }
        }
    }

    /// Whether the last layer's channels have the common fraction already.
    fn is_aligned(&self) -> bool {
        let last = self.layers.last().map(|last| &last.output.fraction);
        last.is_none_or(|last| last.iter().all(|f| *f == self.output_fraction))
    }

    /// Number of rows.
    fn check_rows(&self, codes: &[i32]) -> usize {
        let inputs = self.inputs();
        assert!(
            codes.len().is_multiple_of(inputs),
            "{} codes are rows of {inputs}",
            codes.len()
        );
        codes.len() / inputs
    }

    fn check_codes(&self, codes: &[i32]) {
        let Interval { lo, hi } = self.input.hull();
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

/// Index of the largest logit, the lowest on a tie.
fn largest(row: &[i64]) -> u8 {
    let best = (1..row.len()).fold(0, |best, j| if row[j] > row[best] { j } else { best });
    best as u8
}
