//! A trained tensor: its float values, their quantized copy, its gradient and Adam's moments.

use bitfront_kernel::{AdamStep, Buffer, Kernels, Uniform, stride};
use bitfront_quantizer::Quantizer;

use crate::drawn::Drawn;
use crate::extent::Mode;
use crate::mask::Mask;
use crate::optimizer;
use crate::plan::Plan;

/// A kernel (`rows x columns`) or a bias (one row), all buffers padded.
#[derive(Debug)]
pub(crate) struct Parameter {
    columns: usize,
    plan: Plan,
    drawn: Option<Box<Drawn>>,
    /// Float values are kept within plus and minus this.
    limit: f32,
    mask: Option<Box<Mask>>,
    /// Float values, what is trained.
    pub(crate) values: Buffer,
    /// Fake-quantized values, what the forward pass uses.
    pub(crate) quantized: Buffer,
    /// Gradient of the current step.
    pub(crate) gradient: Buffer,
    first_moment: Buffer,
    second_moment: Buffer,
}

impl Parameter {
    /// A tensor with these starting values.
    pub(crate) fn new(quantizer: &Quantizer, dense: &[f32], columns: usize) -> Self {
        let values = Buffer::padded(dense, columns);
        let zeros = Buffer::zeroed(values.len());
        Self {
            columns,
            plan: Plan::of(quantizer),
            drawn: Drawn::of(quantizer),
            limit: limit(quantizer),
            mask: None,
            quantized: zeros.clone(),
            gradient: zeros.clone(),
            first_moment: zeros.clone(),
            second_moment: zeros,
            values,
        }
    }

    /// Lets the values go anywhere: a folded kernel's size says nothing, the normalisation takes it
    /// out again.
    #[must_use]
    pub(crate) fn unlimited(mut self) -> Self {
        self.limit = f32::INFINITY;
        self
    }

    /// Is pruned by this mask from now on.
    pub(crate) fn masked_by(&mut self, mask: Mask) {
        self.mask = Some(Box::new(mask));
    }

    /// Prunes this share of the values, where there is a mask; what would move them is forgotten.
    pub(crate) fn prune(&mut self, share: f64) {
        let Some(mask) = &mut self.mask else { return };
        mask.prune(share, &self.values);
        mask.apply(&mut self.values);
        mask.apply(&mut self.first_moment);
        mask.apply(&mut self.second_moment);
    }

    /// Zeroes pruned values, where others were put in their place.
    pub(crate) fn mask_values(&mut self) {
        if let Some(mask) = &self.mask {
            mask.apply(&mut self.values);
        }
    }

    /// Leaves pruned values without a gradient.
    pub(crate) fn mask_gradient(&mut self) {
        if let Some(mask) = &self.mask {
            mask.apply(&mut self.gradient);
        }
    }

    /// Starts the random draws of a step.
    pub(crate) fn begin(&mut self, seed: u64, step: u64, place: u64) {
        if let Some(drawn) = &mut self.drawn {
            drawn.begin(seed, step, place);
        }
    }

    /// Rows of the tensor.
    pub(crate) fn rows(&self) -> usize {
        self.values.len() / stride(self.columns)
    }

    /// Columns of the tensor.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The grid of its quantized values, in every mode.
    pub(crate) fn grid(&self) -> Option<Uniform> {
        self.plan.uniform().filter(|_| self.drawn.is_none())
    }

    /// Fake-quantizes the values.
    pub(crate) fn quantize(&mut self, kernels: Kernels, mode: Mode) {
        let values = std::mem::replace(&mut self.values, Buffer::zeroed(0));
        self.quantize_from(kernels, mode, &values);
        self.values = values;
    }

    /// Fake-quantizes other values of the same shape. Columns are padded with zeros, which no other
    /// column's scale sees; where a family maps zero elsewhere, the padding is cleared again.
    pub(crate) fn quantize_from(&mut self, kernels: Kernels, mode: Mode, values: &[f32]) {
        if let Some(drawn) = &mut self.drawn
            && mode.is_training()
        {
            drawn.tensor(self.columns, values, &mut self.quantized);
            return;
        }
        let step = stride(self.columns);
        self.plan
            .forward(kernels, step, values, &mut self.quantized);
        if !self.plan.keeps_zero() {
            clear_padding(&mut self.quantized, self.columns);
        }
    }

    /// Turns the gradient by the quantized values into the gradient by the float values.
    pub(crate) fn straight_through(&mut self, kernels: Kernels) {
        let values = std::mem::replace(&mut self.values, Buffer::zeroed(0));
        self.straight_through_at(kernels, &values);
        self.values = values;
    }

    /// The same where other values were quantized.
    pub(crate) fn straight_through_at(&mut self, kernels: Kernels, values: &[f32]) {
        let step = stride(self.columns);
        self.plan
            .backward(kernels, step, values, &mut self.gradient);
        if !self.plan.keeps_zero() {
            clear_padding(&mut self.gradient, self.columns);
        }
    }

    /// One step of gradient descent, the first moment being the velocity; whether everything is finite
    /// afterwards.
    pub(crate) fn descend(&mut self, rate: f32, momentum: f32, nesterov: bool) -> bool {
        let numbers = [rate, momentum, self.limit];
        let velocity = &mut self.first_moment;
        optimizer::descend(
            numbers,
            nesterov,
            &mut self.values,
            velocity,
            &self.gradient,
        )
    }

    /// Adds the gradient of `l1 |w| + l2 w²`.
    pub(crate) fn penalise(&mut self, l1: f32, l2: f32) {
        for (g, w) in self.gradient.iter_mut().zip(&*self.values) {
            let sign = if *w == 0.0 { 0.0 } else { w.signum() };
            *g += l1 * sign + 2.0 * l2 * *w;
        }
    }

    /// Sum of the gradient's squares, in the order of the values.
    pub(crate) fn squared_gradient(&self) -> f64 {
        let rows = self.gradient.chunks_exact(stride(self.columns));
        let squares = rows.flat_map(|row| &row[..self.columns]);
        squares.fold(0.0, |sum, g| sum + f64::from(*g) * f64::from(*g))
    }

    /// One Adam step; whether everything is finite afterwards.
    pub(crate) fn update(&mut self, kernels: Kernels, step: AdamStep) -> bool {
        let limit = self.limit;
        kernels.adam(
            AdamStep { limit, ..step },
            &mut self.values,
            &mut self.first_moment,
            &mut self.second_moment,
            &self.gradient,
        )
    }

    /// The float values without padding.
    pub(crate) fn dense(&self) -> Vec<f32> {
        self.values.dense(self.columns)
    }
}

/// Where `QKeras` clips the float values by default: the quantizer's reported maximum, at least 1. Without
/// it, values of narrow formats drift to where no step reaches back.
fn limit(quantizer: &Quantizer) -> f32 {
    match quantizer {
        Quantizer::Float | Quantizer::Relu => f32::INFINITY,
        _ => (quantizer.reported_range().1 as f32).max(1.0),
    }
}

fn clear_padding(buffer: &mut [f32], columns: usize) {
    for row in buffer.chunks_exact_mut(stride(columns)) {
        row[columns..].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_stays_zero_where_zero_maps_elsewhere() {
        for text in [
            "binary(alpha=1.0)",
            "quantized_po2(4)",
            "binary(alpha='auto_po2')",
        ] {
            let quantizer: Quantizer = text.parse().unwrap();
            let start = [0.5, -0.25, 0.75, -1.0, 0.125, 0.5];
            let mut parameter = Parameter::new(&quantizer, &start, 3);
            parameter.quantize(Kernels::detect(), Mode::Train);
            let mut expected = [0.0; 6];
            quantizer.quantize(&start, 3, &mut expected);
            assert_eq!(parameter.quantized.dense(3), expected, "{text}");
            for row in parameter.quantized.chunks(stride(3)) {
                assert!(row[3..].iter().all(|value| *value == 0.0), "{text}");
            }
        }
    }

    #[test]
    fn values_keep_to_the_quantizers_reach() {
        let step = AdamStep {
            rate: 10.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-7,
            limit: f32::INFINITY,
        };
        for (text, reach) in [
            ("quantized_bits(6,1,alpha=1.0)", 2.0),
            ("ternary()", 1.0),
            ("float", 32.5),
        ] {
            let mut parameter = Parameter::new(&text.parse().unwrap(), &[0.5], 1);
            parameter.gradient[0] = -1.0;
            assert!(parameter.update(Kernels::detect(), step));
            let value = parameter.dense()[0];
            assert!(value <= reach && value > reach - 1.0, "{text}: {value}");
        }
    }
}
