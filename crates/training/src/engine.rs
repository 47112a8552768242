//! Forward and backward pass on preallocated buffers, in micro-batches that stay in cache.
//!
//! The rule this module keeps: the gradient of a batch is one chain over its rows, whatever the
//! micro-batches, and after the first step nothing is allocated by the passes themselves.

use bitfront_kernel::{AdamStep, BatchLoss, Buffer, Kernels, Shape, stride};
use bitfront_network::{Candidate, Layer, LayerWeights, Weights};

use crate::parameter::Parameter;
use crate::plan::Plan;
use crate::random::{Purpose, stream, uniform};

/// Rows that pass the network together.
pub(crate) const MICRO_BATCH: usize = 64;

/// Adam's decays and epsilon, as in Keras.
const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-7;

/// One dense layer with its buffers.
struct Dense {
    name: String,
    inputs: usize,
    units: usize,
    kernel: Parameter,
    bias: Parameter,
    activation: Option<Plan>,
    /// Quantized kernel, `units x inputs`.
    transposed: Buffer,
    /// Sums of a micro-batch.
    sums: Buffer,
    /// What follows the activation (unused without one).
    outputs: Buffer,
    /// Gradient by the sums.
    gradient: Buffer,
}

impl Dense {
    /// What the next layer (or the loss) sees.
    fn outputs(&self) -> &Buffer {
        if self.activation.is_some() {
            &self.outputs
        } else {
            &self.sums
        }
    }
}

/// A network in training.
pub(crate) struct Engine {
    kernels: Kernels,
    inputs: usize,
    layers: Vec<Dense>,
    /// Rows of the current micro-batch.
    x: Buffer,
    y: Vec<u8>,
    steps: u64,
    /// `beta^t` of both moments.
    decay: [f64; 2],
}

/// Starting kernel as `lecun_uniform` draws it: uniform in `+-sqrt(3 / inputs)`.
///
/// A coarse quantizer would map all of that to zero, and a network of zeros has no gradient: so the
/// kernel is doubled while less than a quarter of its quantized values differ from zero.
fn starting_kernel(layer: &Layer, inputs: usize, seed: u64, index: u64) -> Vec<f32> {
    const MOST_DOUBLINGS: usize = 16;
    let mut words = stream(seed, Purpose::Initial, index);
    let limit = (3.0 / inputs as f64).sqrt() as f32;
    let mut start: Vec<f32> = (0..inputs * layer.units)
        .map(|_| uniform(&mut words, limit))
        .collect();
    let mut quantized = vec![0.0; start.len()];
    for _ in 0..MOST_DOUBLINGS {
        layer.kernel.quantize(&start, layer.units, &mut quantized);
        let alive = quantized.iter().filter(|value| **value != 0.0).count();
        if 4 * alive >= quantized.len() {
            break;
        }
        for value in &mut start {
            *value *= 2.0;
        }
    }
    start
}

/// Rows with padded, already quantized features.
pub(crate) struct Rows<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) y: &'a [u8],
}

impl Engine {
    /// A network with starting weights as [`starting_kernel`] draws them, biases zero.
    pub(crate) fn new(kernels: Kernels, candidate: &Candidate, seed: u64) -> Self {
        let layers = candidate.layers.iter().enumerate().map(|(index, layer)| {
            let (inputs, units) = candidate.layer_shape(index);
            let start = starting_kernel(layer, inputs, seed, index as u64);
            let rows = || Buffer::zeroed(MICRO_BATCH * stride(units));
            Dense {
                name: layer.name.clone(),
                inputs,
                units,
                kernel: Parameter::new(&layer.kernel, &start, units),
                bias: Parameter::new(&layer.bias, &vec![0.0; units], units),
                activation: layer.activation.as_ref().map(|a| Plan::of(&a.quantizer)),
                transposed: Buffer::zeroed(units * stride(inputs)),
                sums: rows(),
                outputs: rows(),
                gradient: rows(),
            }
        });
        Self {
            kernels,
            inputs: candidate.inputs,
            layers: layers.collect(),
            x: Buffer::zeroed(MICRO_BATCH * stride(candidate.inputs)),
            y: vec![0; MICRO_BATCH],
            steps: 0,
            decay: [1.0; 2],
        }
    }

    /// The float weights.
    pub(crate) fn weights(&self) -> Weights {
        let layers = self.layers.iter().map(|layer| LayerWeights {
            kernel: layer.kernel.dense(),
            bias: layer.bias.dense(),
        });
        Weights {
            layers: layers.collect(),
        }
    }

    /// Fake-quantizes all parameters for the passes that follow.
    pub(crate) fn quantize(&mut self) {
        for (index, layer) in self.layers.iter_mut().enumerate() {
            layer.kernel.quantize(self.kernels);
            layer.bias.quantize(self.kernels);
            if index > 0 {
                self.kernels.transpose(
                    layer.inputs,
                    layer.units,
                    &layer.kernel.quantized,
                    &mut layer.transposed,
                );
            }
        }
    }

    /// Gradient of the mean loss over the rows `batch` by the float parameters; parameters must be
    /// quantized. Returns the summed loss.
    pub(crate) fn gradients(&mut self, rows: &Rows<'_>, batch: &[u32]) -> BatchLoss {
        for layer in &mut self.layers {
            layer.kernel.gradient.fill(0.0);
            layer.bias.gradient.fill(0.0);
        }
        let scale = 1.0 / batch.len() as f32;
        let mut total = BatchLoss::default();
        let mut parts = batch.chunks(MICRO_BATCH).peekable();
        while let Some(part) = parts.next() {
            let step = stride(self.inputs);
            let x = &mut self.x[..part.len() * step];
            self.kernels.gather(self.inputs, rows.x, part, x);
            for (label, &row) in self.y.iter_mut().zip(part) {
                *label = rows.y[row as usize];
            }
            if let Some(next) = parts.peek() {
                self.kernels.prefetch(self.inputs, rows.x, next);
            }
            self.forward(part.len(), None);
            let loss = self.loss(part.len(), scale);
            total.loss += loss.loss;
            total.correct += loss.correct;
            if !total.loss.is_finite() {
                break;
            }
            self.backward(part.len());
        }
        for layer in &mut self.layers {
            layer.kernel.straight_through(self.kernels);
            layer.bias.straight_through(self.kernels);
        }
        total
    }

    /// Loss over all rows in order, without gradients; parameters must be quantized.
    pub(crate) fn evaluate(&mut self, rows: &Rows<'_>) -> BatchLoss {
        let step = stride(self.inputs);
        let mut total = BatchLoss::default();
        for (x, y) in rows
            .x
            .chunks(MICRO_BATCH * step)
            .zip(rows.y.chunks(MICRO_BATCH))
        {
            self.forward(y.len(), Some(x));
            self.y[..y.len()].copy_from_slice(y);
            let loss = self.loss(y.len(), 1.0);
            total.loss += loss.loss;
            total.correct += loss.correct;
        }
        total
    }

    /// One Adam step on all parameters.
    ///
    /// # Errors
    /// Layer and parameter that are no longer finite.
    pub(crate) fn update(&mut self, learning_rate: f32) -> Result<(), String> {
        self.steps += 1;
        self.decay[0] *= f64::from(BETA1);
        self.decay[1] *= f64::from(BETA2);
        let correction = (1.0 - self.decay[1]).sqrt() / (1.0 - self.decay[0]);
        let step = AdamStep {
            rate: (f64::from(learning_rate) * correction) as f32,
            beta1: BETA1,
            beta2: BETA2,
            epsilon: EPSILON,
            limit: f32::INFINITY,
        };
        for layer in &mut self.layers {
            for (parameter, name) in [(&mut layer.kernel, "kernel"), (&mut layer.bias, "bias")] {
                if !parameter.update(self.kernels, step) {
                    return Err(format!("{}.{name}", layer.name));
                }
            }
        }
        Ok(())
    }

    /// Gradients by the float kernel and bias of each layer, without padding.
    #[cfg(test)]
    pub(crate) fn float_gradients(&self) -> Vec<[Vec<f32>; 2]> {
        let layers = self.layers.iter().map(|layer| {
            [&layer.kernel, &layer.bias].map(|parameter| parameter.gradient.dense(layer.units))
        });
        layers.collect()
    }

    /// The first layer whose sums are not finite, for an error message.
    pub(crate) fn first_not_finite(&self) -> String {
        let bad = |layer: &&Dense| layer.sums.iter().any(|sum| !sum.is_finite());
        match self.layers.iter().find(bad) {
            Some(layer) => format!("{}.output", layer.name),
            None => "the loss".to_owned(),
        }
    }

    /// Forward pass of `count` rows of `x`, or of the gathered ones.
    fn forward(&mut self, count: usize, x: Option<&[f32]>) {
        let kernels = self.kernels;
        for index in 0..self.layers.len() {
            let (before, layer) = self.layers.split_at_mut(index);
            let layer = &mut layer[0];
            let input: &[f32] = match before.last() {
                Some(before) => before.outputs(),
                None => x.unwrap_or(&self.x),
            };
            let (kernel, bias) = (&layer.kernel.quantized, &layer.bias.quantized);
            kernels.affine(
                layer.shape(count),
                input,
                kernel,
                Some(bias),
                &mut layer.sums,
            );
            if let Some(activation) = &layer.activation {
                let step = stride(layer.units);
                let used = ..count * step;
                activation.forward(kernels, step, &layer.sums[used], &mut layer.outputs[used]);
            }
        }
    }

    /// Loss of the rows that went forward, and its gradient times `scale` by the last outputs.
    fn loss(&mut self, count: usize, scale: f32) -> BatchLoss {
        let Some(last) = self.layers.last_mut() else {
            return BatchLoss::default();
        };
        let logits = if last.activation.is_some() {
            &last.outputs
        } else {
            &last.sums
        };
        let labels = &self.y[..count];
        self.kernels
            .softmax_cross_entropy(last.units, logits, labels, scale, &mut last.gradient)
    }

    /// Backward pass of `count` rows, from the gradient by the last outputs.
    fn backward(&mut self, count: usize) {
        let kernels = self.kernels;
        for index in (0..self.layers.len()).rev() {
            let (before, layer) = self.layers.split_at_mut(index);
            let layer = &mut layer[0];
            let step = stride(layer.units);
            if let Some(activation) = &layer.activation {
                let used = ..count * step;
                activation.backward(kernels, step, &layer.sums[used], &mut layer.gradient[used]);
            }
            let shape = layer.shape(count);
            let input: &[f32] = before.last().map_or(&self.x, |before| before.outputs());
            kernels.kernel_gradient(shape, input, &layer.gradient, &mut layer.kernel.gradient);
            kernels.column_sums(
                count,
                layer.units,
                &layer.gradient,
                &mut layer.bias.gradient,
            );
            if let Some(before) = before.last_mut() {
                kernels.input_gradient(
                    shape,
                    &layer.gradient,
                    &layer.transposed,
                    &mut before.gradient,
                );
            }
        }
    }
}

impl Dense {
    fn shape(&self, rows: usize) -> Shape {
        Shape {
            rows,
            inner: self.inputs,
            columns: self.units,
        }
    }
}
