//! Forward and backward pass of dense layers whose weights and values have formats of their own.
//!
//! The rule this module keeps: the gradient of a batch is one chain over its rows, whatever the
//! micro-batches, and quantized values are those of the candidate that the formats make.

use bitfront_kernel::{AdamStep, BatchLoss, Buffer, Kernels, Shape, stride};
use bitfront_network::{DenseStack, Part, Weights};
use bitfront_training::{Gathered, SoftTargets};

use crate::formats::{Format, Formats};
use crate::settings::Granularity;
use crate::tensor::Tensor;

/// Rows that pass the network together.
pub(crate) const MICRO_BATCH: usize = 64;

/// A dense layer with what it reads.
pub(crate) struct Layer {
    pub(crate) formats: Formats,
    pub(crate) kernel: Tensor,
    pub(crate) bias: Tensor,
    shape: Shape,
    /// Quantized values that it reads, and the gradient by them.
    read: Buffer,
    by_read: Buffer,
    sums: Buffer,
    transposed: Buffer,
}

/// A network whose formats are learned.
pub(crate) struct Engine {
    kernels: Kernels,
    pub(crate) layers: Vec<Layer>,
    gathered: Buffer,
    by_logits: Buffer,
    labels: Vec<u8>,
    /// Weights of the rows' losses: all count alike.
    alike: Vec<f32>,
    taught: Option<Gathered>,
}

/// Rows of the data: padded features, classes, and what a teacher says of them.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) y: &'a [u8],
    pub(crate) teacher: Option<&'a SoftTargets>,
    pub(crate) count: usize,
}

/// One optimizer step.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) weights: AdamStep,
    pub(crate) bits: AdamStep,
    /// Share of the averages that is kept.
    pub(crate) keep: f32,
    /// Nats an EBOP.
    pub(crate) beta: f32,
}

impl Engine {
    /// Layers with these weights; ranges hold what `rows` give in floats.
    pub(crate) fn new(
        kernels: Kernels,
        stack: &DenseStack,
        weights: &Weights,
        finest: Format,
        (fraction_bits, granularity): (f32, Granularity),
        rows: Rows<'_>,
    ) -> Self {
        let teacher = rows.teacher;
        let mut values = Buffer::zeroed(rows.x.len());
        values.copy_from_slice(rows.x);
        let mut layers = Vec::with_capacity(stack.layers.len());
        for (index, (layer, position)) in stack.layers.iter().zip(&stack.positions).enumerate() {
            let part = |part| weights.part(*position, part);
            let shape = Shape {
                rows: rows.count,
                inner: layer.inputs,
                columns: layer.units,
            };
            let largest: Vec<f32> = (0..layer.inputs)
                .map(|channel| {
                    let own = values.iter().skip(channel).step_by(stride(layer.inputs));
                    own.fold(0.0, |most: f32, v| most.max(v.abs()))
                })
                .collect();
            let free = Format {
                fraction: 12,
                integer: 8,
            };
            let finest = if index == 0 { finest } else { free };
            let kernel = Tensor::new(part(Part::Kernel), layer.units, fraction_bits, granularity);
            let bias = Tensor::new(part(Part::Bias), layer.units, fraction_bits, granularity);
            let mut sums = Buffer::zeroed(rows.count * stride(layer.units));
            let (w, b) = (&kernel.weights.values, &bias.weights.values);
            kernels.affine(shape, &values, w, Some(b), &mut sums);
            values = Buffer::zeroed(sums.len());
            kernels.rectify(&sums, &mut values);
            let rows = |columns: usize| Buffer::zeroed(MICRO_BATCH * stride(columns));
            layers.push(Layer {
                formats: Formats::new(&largest, index == 0, finest, fraction_bits, granularity),
                kernel,
                bias,
                shape,
                read: rows(layer.inputs),
                by_read: rows(layer.inputs),
                sums: rows(layer.units),
                transposed: Buffer::zeroed(layer.units * stride(layer.inputs)),
            });
        }
        let outputs = stack.layers.last().map_or(0, |last| last.units);
        Self {
            kernels,
            layers,
            gathered: Buffer::zeroed(MICRO_BATCH * stride(stack.inputs)),
            by_logits: Buffer::zeroed(MICRO_BATCH * stride(outputs)),
            labels: vec![0; MICRO_BATCH],
            alike: vec![1.0; MICRO_BATCH],
            taught: teacher.map(|teacher| Gathered::new(teacher, MICRO_BATCH)),
        }
    }

    /// Quantizes weights and formats for the passes that follow.
    pub(crate) fn quantize(&mut self) {
        for layer in &mut self.layers {
            layer.formats.quantize();
            layer.kernel.quantize();
            layer.bias.quantize();
            let Shape { inner, columns, .. } = layer.shape;
            self.kernels.transpose(
                inner,
                columns,
                &layer.kernel.quantized,
                &mut layer.transposed,
            );
        }
    }

    /// Gradient of the mean loss over the rows `batch`; returns the summed loss by the classes.
    pub(crate) fn gradients(&mut self, rows: Rows<'_>, batch: &[u32]) -> BatchLoss {
        let inputs = self.layers[0].shape.inner;
        let scale = 1.0 / batch.len() as f32;
        let mut total = BatchLoss::default();
        for part in batch.chunks(MICRO_BATCH) {
            let mut x = std::mem::replace(&mut self.gathered, Buffer::zeroed(0));
            self.kernels
                .gather(inputs, rows.x, part, &mut x[..part.len() * stride(inputs)]);
            for (label, row) in self.labels.iter_mut().zip(part) {
                *label = rows.y[*row as usize];
            }
            self.forward(part.len(), &x);
            let share = self.taught.as_ref().map_or(1.0, Gathered::labels_share);
            let loss = self.lose(part.len(), scale * share);
            total.loss += loss.loss;
            total.correct += loss.correct;
            if let Some(teacher) = rows.teacher {
                self.follow(teacher, part, scale);
            }
            self.backward(part.len(), &x);
            self.gathered = x;
        }
        total
    }

    /// Loss by the classes over all rows, in order.
    pub(crate) fn evaluate(&mut self, rows: Rows<'_>) -> BatchLoss {
        let step = stride(self.layers[0].shape.inner);
        let mut total = BatchLoss::default();
        for start in (0..rows.count).step_by(MICRO_BATCH) {
            let count = MICRO_BATCH.min(rows.count - start);
            self.labels[..count].copy_from_slice(&rows.y[start..start + count]);
            self.forward(count, &rows.x[start * step..]);
            let loss = self.lose(count, 1.0);
            total.loss += loss.loss;
            total.correct += loss.correct;
        }
        total
    }

    fn forward(&mut self, rows: usize, x: &[f32]) {
        for index in 0..self.layers.len() {
            let (before, rest) = self.layers.split_at_mut(index);
            let layer = &mut rest[0];
            let shape = Shape {
                rows,
                ..layer.shape
            };
            let x = before.last().map_or(x, |before| &before.sums);
            let values = rows * stride(shape.inner);
            let read = &mut layer.read[..values];
            self.kernels
                .quantize_columns(&layer.formats.grids, &x[..values], read);
            let bias = Some(&*layer.bias.quantized);
            self.kernels
                .affine(shape, read, &layer.kernel.quantized, bias, &mut layer.sums);
        }
    }

    fn lose(&mut self, rows: usize, scale: f32) -> BatchLoss {
        let last = &self.layers[self.layers.len() - 1];
        self.kernels.softmax_cross_entropy(
            last.shape.columns,
            &last.sums,
            &self.labels[..rows],
            scale,
            &mut self.by_logits,
        )
    }

    /// Adds the teacher's part of the gradient.
    fn follow(&mut self, teacher: &SoftTargets, part: &[u32], scale: f32) {
        let Some(taught) = &mut self.taught else {
            return;
        };
        let alike = &self.alike[..part.len()];
        taught.take(teacher, part.iter().map(|row| *row as usize), alike);
        let logits = &self.layers[self.layers.len() - 1].sums;
        taught.lose(self.kernels, logits, alike, scale, &mut self.by_logits);
    }

    fn backward(&mut self, rows: usize, x: &[f32]) {
        for index in (0..self.layers.len()).rev() {
            let (before, rest) = self.layers.split_at_mut(index);
            let (layer, after) = rest.split_first_mut().expect("a layer");
            let shape = Shape {
                rows,
                ..layer.shape
            };
            let dy = after
                .first()
                .map_or(&self.by_logits, |after| &after.by_read);
            let read = &layer.read[..rows * stride(shape.inner)];
            self.kernels
                .kernel_gradient(shape, read, dy, &mut layer.kernel.weights.gradient);
            self.kernels
                .column_sums(rows, shape.columns, dy, &mut layer.bias.weights.gradient);
            let values = rows * stride(shape.inner);
            let by_read = &mut layer.by_read[..values];
            self.kernels
                .input_gradient(shape, dy, &layer.transposed, by_read);
            let x = before.last().map_or(x, |before| &before.sums);
            layer
                .formats
                .backward(self.kernels, &x[..values], read, by_read);
        }
    }

    /// Moves weights and formats by the gradients and the penalty; the first layer with a number that is
    /// not finite, if any.
    pub(crate) fn step(&mut self, step: Step) -> Option<usize> {
        let Self {
            kernels, layers, ..
        } = self;
        for (index, layer) in layers.iter_mut().enumerate() {
            let Layer {
                formats,
                kernel,
                bias,
                ..
            } = layer;
            let moved = [
                formats.step(*kernels, step.bits, step.keep, |channel| {
                    step.beta * kernel.row_width(channel)
                }),
                kernel.step(*kernels, [step.weights, step.bits], step.keep, |row| {
                    step.beta * formats.width(row)
                }),
                bias.step(*kernels, [step.weights, step.bits], step.keep, |_| {
                    step.beta
                }),
            ];
            if moved.contains(&false) {
                return Some(index);
            }
        }
        None
    }

    /// EBOPs by the learned widths, signs left out, and the widths of the biases: as HGQ2 0.2 counts.
    pub(crate) fn ebops_by_widths(&self) -> f64 {
        let of_layer = |layer: &Layer| {
            let sign = f32::from(u8::from(layer.formats.signed));
            let products = (0..layer.shape.inner).map(|channel| {
                let width = (layer.formats.width(channel) - sign).max(0.0);
                f64::from(layer.kernel.row_width(channel) * width)
            });
            products.sum::<f64>() + f64::from(layer.bias.row_width(0))
        };
        self.layers.iter().map(of_layer).sum()
    }

    /// Exchanges weights and formats with their averages.
    pub(crate) fn exchange(&mut self) {
        for layer in &mut self.layers {
            layer.formats.exchange();
            layer.kernel.exchange();
            layer.bias.exchange();
        }
    }
}
