//! A layer of weights in an engine, dense or a convolution, with the formats of what it reads.

use bitfront_kernel::{Buffer, Kernels, Shape, stride};
use bitfront_network::{Link, Part, Weights};
use bitfront_training::passes::Convolution;

use crate::between::Between;
use crate::engine::Step;
use crate::formats::{Format, Formats};
use crate::settings::Granularity;
use crate::tensor::Tensor;

/// What layers begin with.
#[derive(Clone, Copy)]
pub(crate) struct Beginning<'a> {
    pub(crate) weights: &'a Weights,
    /// The input's finest format, and whether it has a sign.
    pub(crate) finest: Format,
    pub(crate) signed: bool,
    pub(crate) fraction_bits: f32,
    pub(crate) granularity: Granularity,
}

/// A layer of weights with what it reads.
pub(crate) struct Layer {
    pub(crate) formats: Formats,
    pub(crate) kernel: Tensor,
    pub(crate) bias: Tensor,
    /// Positions of what it reads and of its sums, in a sample.
    positions: [usize; 2],
    between: Between,
    /// How inputs meet the kernel; all of them do without a window.
    window: Option<Convolution>,
    /// Products of each weight in a sample, by groups of as many rows of the kernel as there are channels.
    pub(crate) uses: Vec<f32>,
    /// Quantized values that it reads, and the gradient by them.
    read: Buffer,
    pub(crate) by_read: Buffer,
    pub(crate) sums: Buffer,
    transposed: Buffer,
}

impl Layer {
    /// For `capacity` samples, with weights as they are and formats of nothing before [`Layer::begin`].
    pub(crate) fn new(link: &Link, start: Beginning<'_>, capacity: usize) -> Self {
        let Beginning {
            weights,
            fraction_bits,
            granularity,
            ..
        } = start;
        let part = |part| weights.part(link.layer, part);
        let tensor = |values| Tensor::new(values, link.outputs, fraction_bits, granularity);
        let ([positions, channels], outputs) = (link.read, link.positions());
        let rows = |positions, columns| Buffer::zeroed(capacity * positions * stride(columns));
        let window = |window| Convolution::new(window, channels, link.outputs);
        Self {
            formats: Formats::none(channels),
            kernel: tensor(part(Part::Kernel)),
            bias: tensor(part(Part::Bias)),
            positions: [positions, outputs],
            between: Between::new(link, capacity),
            window: link.window.map(window),
            uses: link.uses().iter().map(|uses| *uses as f32).collect(),
            read: rows(positions, channels),
            by_read: rows(positions, channels),
            sums: rows(outputs, link.outputs),
            transposed: Buffer::zeroed(link.outputs * stride(link.rows())),
        }
    }

    /// Gives it formats whose ranges hold `largest`, channel by channel.
    pub(crate) fn begin(&mut self, largest: &[f32], start: Beginning<'_>, reads_input: bool) {
        let (signed, finest) = if reads_input {
            (start.signed, start.finest)
        } else {
            (false, Format::FREE)
        };
        let (bits, granularity) = (start.fraction_bits, start.granularity);
        self.formats = Formats::new(largest, signed, finest, bits, granularity);
    }

    /// Bytes of [`Layer::new`], at most.
    pub(crate) fn bytes(link: &Link, capacity: usize) -> usize {
        let padded =
            |rows: usize, columns: usize| rows.saturating_mul(stride(columns) * size_of::<f32>());
        let ([positions, channels], outputs) = (link.read, link.outputs);
        let window = link.window.as_ref();
        padded(link.rows() + 1, outputs).saturating_mul(Tensor::COPIES)
            + padded(Formats::COPIES, channels)
            + padded(outputs, link.rows())
            + 2 * padded(capacity.saturating_mul(positions), channels)
            + padded(capacity.saturating_mul(link.positions()), outputs)
            + window.map_or(0, |window| Convolution::bytes(window, channels))
            + Between::bytes(link, capacity)
    }

    /// Values that so many samples have where they are read.
    fn values(&self, samples: usize) -> usize {
        samples * self.positions[0] * stride(self.formats.channels)
    }

    fn shape(&self, samples: usize) -> Shape {
        Shape {
            rows: samples,
            inner: self.kernel.rows(),
            columns: self.kernel.columns,
        }
    }

    /// Quantizes weights and formats for the passes that follow.
    pub(crate) fn quantize(&mut self, kernels: Kernels) {
        self.formats.quantize();
        self.kernel.quantize();
        self.bias.quantize();
        let Shape { inner, columns, .. } = self.shape(0);
        kernels.transpose(inner, columns, &self.kernel.quantized, &mut self.transposed);
    }

    /// Sums of what it reads of `x`, the sums of the layer above or the input.
    pub(crate) fn forward(&mut self, kernels: Kernels, samples: usize, x: &[f32]) {
        let values = self.values(samples);
        let read = &mut self.read[..values];
        kernels.quantize_columns(&self.formats.grids, &x[..values], read);
        self.multiply(kernels, samples);
    }

    /// As [`Layer::forward`], without a quantizer: rectified, or as they are if it reads the input; `largest` becomes the
    /// largest magnitude of each channel.
    pub(crate) fn measure(
        &mut self,
        kernels: Kernels,
        samples: usize,
        x: &[f32],
        rectified: bool,
        largest: &mut [f32],
    ) {
        let values = self.values(samples);
        let (x, read) = (&x[..values], &mut self.read[..values]);
        if rectified {
            kernels.rectify(x, read);
        } else {
            read.copy_from_slice(x);
        }
        for row in read.chunks_exact(stride(largest.len())) {
            for (most, value) in largest.iter_mut().zip(row) {
                *most = most.max(value.abs());
            }
        }
        self.multiply(kernels, samples);
    }

    fn multiply(&mut self, kernels: Kernels, samples: usize) {
        let shape = self.shape(samples);
        self.between.forward(kernels, samples, &self.read);
        let (x, _) = self.between.ends(&self.read, &mut self.by_read);
        let (kernel, bias) = (&self.kernel.quantized, &self.bias.quantized);
        match &mut self.window {
            Some(window) => {
                window.forward(kernels, samples, x, [kernel, bias], &mut self.sums);
            }
            None => kernels.affine(shape, x, kernel, Some(bias), &mut self.sums),
        }
    }

    /// Adds to the gradients by weights and formats, and gives the one by `x`, of that by the sums.
    pub(crate) fn backward(&mut self, kernels: Kernels, samples: usize, x: &[f32], dy: &[f32]) {
        let (shape, values) = (self.shape(samples), self.values(samples));
        let (rows, columns) = (samples * self.positions[1], shape.columns);
        let (input, by_input) = self.between.ends(&self.read, &mut self.by_read);
        let dkernel = &mut self.kernel.weights.gradient;
        let transposed = &self.transposed;
        if let Some(window) = &mut self.window {
            window.backward(kernels, samples, input, dy, dkernel, transposed, by_input);
        } else {
            kernels.kernel_gradient(shape, input, dy, dkernel);
            kernels.input_gradient(shape, dy, transposed, by_input);
        }
        kernels.column_sums(rows, columns, dy, &mut self.bias.weights.gradient);
        self.between.backward(kernels, samples, &mut self.by_read);
        let (read, by_read) = (&self.read[..values], &mut self.by_read[..values]);
        self.formats.backward(kernels, &x[..values], read, by_read);
    }

    /// Moves weights and formats by the gradients and the penalty. Whether everything is finite afterwards.
    pub(crate) fn step(&mut self, kernels: Kernels, step: Step) -> bool {
        let (formats, kernel, uses) = (&mut self.formats, &mut self.kernel, &self.uses);
        let (channels, positions) = (formats.channels, self.positions[1] as f32);
        let both = [step.weights, step.bits];
        let moved = [
            formats.step(kernels, step.bits, step.keep, |channel| {
                step.beta * channel_price(kernel, uses, channels, channel)
            }),
            kernel.step(kernels, both, step.keep, |row| {
                step.beta * row_price(formats, uses, row)
            }),
            self.bias
                .step(kernels, both, step.keep, |_| step.beta * positions),
        ];
        !moved.contains(&false)
    }

    /// EBOPs by the learned widths, signs left out, and the widths of the biases.
    pub(crate) fn ebops_by_widths(&self) -> f64 {
        let (formats, kernel) = (&self.formats, &self.kernel);
        let sign = f32::from(u8::from(formats.signed));
        let products = (0..kernel.rows()).map(|row| {
            let width = (formats.width(row % formats.channels) - sign).max(0.0);
            let uses = f64::from(self.uses[row / formats.channels]);
            uses * f64::from(kernel.row_width(row) * width)
        });
        let bias = f64::from(self.bias.row_width(0)) * self.positions[1] as f64;
        products.sum::<f64>() + bias
    }

    /// Sets weights to zero whose channel always is.
    pub(crate) fn clear_unread(&mut self) {
        for row in 0..self.kernel.rows() {
            if self.formats.used(row % self.formats.channels).is_none() {
                self.kernel.clear_row(row);
            }
        }
    }

    /// Exchanges weights and formats with their averages.
    pub(crate) fn exchange(&mut self) {
        self.formats.exchange();
        self.kernel.exchange();
        self.bias.exchange();
    }
}

/// EBOPs of a bit of a channel: the widths of the weights that read it, as often as they do.
pub(crate) fn channel_price(kernel: &Tensor, uses: &[f32], channels: usize, channel: usize) -> f32 {
    let groups = uses.iter().enumerate();
    groups
        .map(|(group, uses)| uses * kernel.row_width(group * channels + channel))
        .sum()
}

/// EBOPs of a bit of a weight in this row of the kernel: the width of what it multiplies, as often as it does.
pub(crate) fn row_price(formats: &Formats, uses: &[f32], row: usize) -> f32 {
    uses[row / formats.channels] * formats.width(row % formats.channels)
}
