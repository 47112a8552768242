//! Layers of the fake-quantized forward pass, on values, in f32 or f64.
//!
//! The rule this module keeps: each loop is the layer's definition, one output after the other.

use std::ops::{Add, Div, Mul};

use bitfront_quantizer::{Quantizer, Role};

use crate::fake_quantized::NormalisationConstants;
use crate::{
    Candidate, Fold, Geometry, Layer, LayerWeights, Normalisation, Operation, Part, reciprocal,
};

/// A float that carries sums.
pub(crate) trait Real:
    Copy + Default + PartialOrd + Add<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// The nearest one.
    fn of(x: f64) -> Self;
    /// The same number.
    fn wide(self) -> f64;
    /// Fake-quantizes values of `columns` channels.
    fn quantize(quantizer: &Quantizer, x: &[Self], columns: usize) -> Vec<Self>;
}

impl Real for f32 {
    fn of(x: f64) -> Self {
        x as Self
    }

    fn wide(self) -> f64 {
        f64::from(self)
    }

    fn quantize(quantizer: &Quantizer, x: &[Self], columns: usize) -> Vec<Self> {
        let mut y = vec![0.0; x.len()];
        quantizer.quantize(x, columns, &mut y);
        y
    }
}

impl Real for f64 {
    fn of(x: f64) -> Self {
        x
    }

    fn wide(self) -> f64 {
        self
    }

    fn quantize(quantizer: &Quantizer, x: &[Self], _: usize) -> Vec<Self> {
        let mut y = vec![0.0; x.len()];
        quantizer.quantize_f64(x, &mut y);
        y
    }
}

/// A layer with its weights as values.
pub(crate) enum Prepared<T> {
    /// Sums of products, one step or (separable) two.
    Linear(Vec<Products<T>>),
    /// Largest value under the window.
    MaxPool(Geometry),
    /// Mean of the values under the window, by the constant for their count or by division.
    Mean(Geometry, Option<Vec<T>>),
    /// The same values; whether in one axis.
    Same(bool),
    /// Zeros before and after each spatial axis.
    ZeroPadding(Vec<[usize; 2]>),
    /// `x * scale + offset`, a channel each.
    Affine(Vec<T>, Vec<T>),
    /// Sum of the sources.
    Add,
    /// Channels side by side.
    Concatenate,
    /// A quantizer.
    Activation(Quantizer),
}

/// One step of sums of products.
pub(crate) struct Products<T> {
    /// `None`: every position alone.
    geometry: Option<Geometry>,
    pub(crate) depthwise: bool,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: Vec<T>,
    pub(crate) bias: Option<Vec<T>>,
}

/// The values that a tensor of weights is quantized to: where a scale is any real number, that of
/// its frozen constant.
pub(crate) fn quantized(
    quantizer: &Quantizer,
    role: Role,
    x: &[f32],
    columns: usize,
    scale_bits: u32,
) -> Vec<f64> {
    if quantizer.check_exact(role).is_err()
        && let Ok(frozen) = quantizer.frozen_values(role, x, columns, scale_bits)
    {
        return frozen;
    }
    let mut y = vec![0f32; x.len()];
    quantizer.quantize(x, columns, &mut y);
    y.into_iter().map(f64::from).collect()
}

/// Kernel and bias of a dense, convolution or depthwise layer as they are quantized.
pub(crate) fn linear_weights(
    candidate: &Candidate,
    weights: &LayerWeights,
    kernel: &Quantizer,
    bias: Option<&Quantizer>,
    fold: Option<&Fold>,
    (columns, outputs): (usize, usize),
) -> Result<(Vec<f64>, Option<Vec<f64>>), String> {
    let bits = candidate.scale_bits;
    let float_bias = bias.map(|_| weights.part(Part::Bias));
    let folded = match fold {
        Some(fold) => {
            let normalisation = Normalisation::of(weights, fold.epsilon)?;
            Some(normalisation.fold(weights.part(Part::Kernel), float_bias))
        }
        None => None,
    };
    let (float_kernel, float_bias) = match &folded {
        Some((kernel, bias)) => (kernel.as_slice(), Some(bias.as_slice())),
        None => (weights.part(Part::Kernel), float_bias),
    };
    let kernel = quantized(kernel, Role::Kernel, float_kernel, columns, bits);
    let bias = bias
        .zip(float_bias)
        .map(|(quantizer, bias)| quantized(quantizer, Role::Bias, bias, outputs, bits));
    Ok((kernel, bias))
}

/// Makes a layer ready, for a first input of `shape`.
///
/// # Panics
/// If the layer does not fit its input, or holds a variance below zero.
pub(crate) fn prepare<T: Real>(
    candidate: &Candidate,
    layer: &Layer,
    weights: &LayerWeights,
    shape: &[usize],
    constants: NormalisationConstants,
) -> Prepared<T> {
    let fault = |problem: String| -> ! { panic!("{} {problem}", layer.name) };
    let operation = &layer.operation;
    let geometry = || match operation.geometry(shape) {
        Ok(geometry) => geometry,
        Err(problem) => fault(problem),
    };
    let narrowed = |values: Vec<f64>| values.into_iter().map(T::of).collect::<Vec<T>>();
    let inputs = *shape.last().expect("it has axes");
    let bits = candidate.scale_bits;
    match operation {
        Operation::Dense {
            kernel, bias, fold, ..
        }
        | Operation::Conv {
            kernel, bias, fold, ..
        }
        | Operation::DepthwiseConv {
            kernel, bias, fold, ..
        } => {
            let (geometry, columns, outputs) = match operation {
                Operation::Conv { filters, .. } => (Some(geometry()), *filters, *filters),
                Operation::DepthwiseConv { multiplier, .. } => {
                    (Some(geometry()), *multiplier, inputs * multiplier)
                }
                Operation::Dense { units, .. } => (None, *units, *units),
                _ => unreachable!("one of the three above"),
            };
            let columns = (columns, outputs);
            let bias = bias.as_ref();
            let quantized =
                linear_weights(candidate, weights, kernel, bias, fold.as_ref(), columns);
            let (kernel, bias) = match quantized {
                Ok(quantized) => quantized,
                Err(problem) => fault(problem),
            };
            Prepared::Linear(vec![Products {
                geometry,
                depthwise: matches!(operation, Operation::DepthwiseConv { .. }),
                inputs,
                outputs,
                kernel: narrowed(kernel),
                bias: bias.map(narrowed),
            }])
        }
        Operation::SeparableConv {
            filters,
            multiplier,
            depthwise_kernel,
            pointwise_kernel,
            bias,
            ..
        } => {
            let kernel = |quantizer: &Quantizer, part, columns| {
                let values = weights.part(part);
                narrowed(quantized(quantizer, Role::Kernel, values, columns, bits))
            };
            let depthwise = Products {
                geometry: Some(geometry()),
                depthwise: true,
                inputs,
                outputs: inputs * multiplier,
                kernel: kernel(depthwise_kernel, Part::DepthwiseKernel, *multiplier),
                bias: None,
            };
            let bias = bias.as_ref().map(|quantizer| {
                let values = weights.part(Part::Bias);
                narrowed(quantized(quantizer, Role::Bias, values, *filters, bits))
            });
            let pointwise = Products {
                geometry: None,
                depthwise: false,
                inputs: inputs * multiplier,
                outputs: *filters,
                kernel: kernel(pointwise_kernel, Part::PointwiseKernel, *filters),
                bias,
            };
            Prepared::Linear(vec![depthwise, pointwise])
        }
        Operation::MaxPool { .. } => Prepared::MaxPool(geometry()),
        Operation::AveragePool {
            reciprocal_bits, ..
        }
        | Operation::GlobalAveragePool { reciprocal_bits } => {
            let geometry = geometry();
            let constant = |count: usize| match count {
                0 => T::default(),
                _ => T::of(reciprocal(count, *reciprocal_bits).value()),
            };
            let constants = (0..=geometry.taps()).map(constant).collect();
            Prepared::Mean(geometry, (!candidate.is_float()).then_some(constants))
        }
        Operation::Flatten => Prepared::Same(true),
        Operation::Dropout { .. } => Prepared::Same(false),
        Operation::ZeroPadding { border } => Prepared::ZeroPadding(border.clone()),
        Operation::BatchNorm {
            epsilon,
            scale_bits,
            offset_bits,
            ..
        } => {
            let normalisation = match Normalisation::of(weights, *epsilon) {
                Ok(normalisation) => normalisation,
                Err(problem) => fault(problem),
            };
            let (scale, offset) =
                if candidate.is_float() || constants == NormalisationConstants::Float {
                    (normalisation.factors(), normalisation.offsets(None))
                } else {
                    let frozen = normalisation.freeze(*scale_bits, *offset_bits);
                    let values = |constants: &[crate::Constant]| {
                        constants.iter().map(|constant| constant.value()).collect()
                    };
                    (values(&frozen.scale), values(&frozen.offset))
                };
            Prepared::Affine(narrowed(scale), narrowed(offset))
        }
        Operation::Add => Prepared::Add,
        Operation::Concatenate => Prepared::Concatenate,
        Operation::Activation { quantizer } => Prepared::Activation(*quantizer),
    }
}

impl<T: Real> Prepared<T> {
    /// Values of `count` rows: each source with its shape, the result of shape `output`.
    pub(crate) fn values(
        &self,
        sources: &[(&[T], &[usize])],
        count: usize,
        output: &[usize],
    ) -> Vec<T> {
        let (x, shape) = sources[0];
        let size: usize = shape.iter().product();
        let channels = *shape.last().expect("it has axes");
        let rows = || x.chunks_exact(size.max(1));
        match self {
            Self::Linear(steps) => {
                let mut all = Vec::with_capacity(count * output.iter().product::<usize>());
                for row in rows() {
                    let mut values = steps[0].of_row(row);
                    for step in &steps[1..] {
                        values = step.of_row(&values);
                    }
                    all.append(&mut values);
                }
                all
            }
            Self::MaxPool(geometry) => {
                let largest = |under: &mut dyn Iterator<Item = T>| {
                    under.reduce(|best, v| if v > best { v } else { best })
                };
                rows()
                    .flat_map(|row| pooled(geometry, row, channels, largest))
                    .collect()
            }
            Self::Mean(geometry, reciprocals) => {
                let mean = |under: &mut dyn Iterator<Item = T>| {
                    let (mut sum, mut count) = (T::default(), 0);
                    for v in under {
                        sum = sum + v;
                        count += 1;
                    }
                    Some(match reciprocals {
                        Some(reciprocals) => sum * reciprocals[count],
                        None => sum / T::of(f64::from(count as u32)),
                    })
                };
                rows()
                    .flat_map(|row| pooled(geometry, row, channels, mean))
                    .collect()
            }
            Self::Same(_) => x.to_vec(),
            Self::ZeroPadding(border) => {
                rows().flat_map(|row| padded(row, shape, border)).collect()
            }
            Self::Affine(scale, offset) => x
                .iter()
                .enumerate()
                .map(|(i, x)| *x * scale[i % channels] + offset[i % channels])
                .collect(),
            Self::Add => {
                let mut sums = x.to_vec();
                for (other, _) in &sources[1..] {
                    for (sum, v) in sums.iter_mut().zip(*other) {
                        *sum = *sum + *v;
                    }
                }
                sums
            }
            Self::Concatenate => {
                let width = |shape: &[usize]| *shape.last().expect("it has axes");
                let positions = count * size / channels;
                (0..positions)
                    .flat_map(|at| {
                        sources.iter().flat_map(move |(values, shape)| {
                            &values[at * width(shape)..(at + 1) * width(shape)]
                        })
                    })
                    .copied()
                    .collect()
            }
            Self::Activation(quantizer) => T::quantize(quantizer, x, channels),
        }
    }
}

impl<T: Real> Products<T> {
    fn of_row(&self, row: &[T]) -> Vec<T> {
        let positions = match &self.geometry {
            Some(geometry) => geometry.positions(),
            None => row.len() / self.inputs,
        };
        let mut values = vec![T::default(); positions * self.outputs];
        for (position, sums) in values.chunks_exact_mut(self.outputs).enumerate() {
            match &self.geometry {
                None => self.tap(row, position, 0, sums),
                Some(geometry) => {
                    for tap in 0..geometry.taps() {
                        if let Some(source) = geometry.source(position, tap) {
                            self.tap(row, source, tap, sums);
                        }
                    }
                }
            }
            if let Some(bias) = &self.bias {
                for (sum, b) in sums.iter_mut().zip(bias) {
                    *sum = *sum + *b;
                }
            }
        }
        values
    }

    /// Adds the products of one input position with the weights of one tap.
    fn tap(&self, row: &[T], source: usize, tap: usize, sums: &mut [T]) {
        let x = &row[source * self.inputs..(source + 1) * self.inputs];
        let each = self.kernel.len() / self.taps() / self.inputs;
        let kernel = &self.kernel[tap * self.inputs * each..(tap + 1) * self.inputs * each];
        for (channel, (x, weights)) in x.iter().zip(kernel.chunks_exact(each)).enumerate() {
            let first = if self.depthwise { channel * each } else { 0 };
            for (sum, w) in sums[first..first + each].iter_mut().zip(weights) {
                *sum = *sum + *x * *w;
            }
        }
    }

    /// Number of positions that a sum reads.
    pub(crate) fn taps(&self) -> usize {
        self.geometry.as_ref().map_or(1, Geometry::taps)
    }
}

/// One row's pooled values: `reduce` over what lies under the window, channel by channel.
fn pooled<T: Real>(
    geometry: &Geometry,
    row: &[T],
    channels: usize,
    reduce: impl Fn(&mut dyn Iterator<Item = T>) -> Option<T>,
) -> Vec<T> {
    let mut values = Vec::with_capacity(geometry.positions() * channels);
    for position in 0..geometry.positions() {
        for channel in 0..channels {
            let mut under = (0..geometry.taps())
                .filter_map(|tap| geometry.source(position, tap))
                .map(|source| row[source * channels + channel]);
            values.push(reduce(&mut under).unwrap_or_default());
        }
    }
    values
}

/// One row with zeros around its spatial axes.
fn padded<T: Real>(row: &[T], shape: &[usize], border: &[[usize; 2]]) -> Vec<T> {
    let Some((extent, inner)) = shape.split_first().filter(|_| !border.is_empty()) else {
        return row.to_vec();
    };
    let parts = row.chunks_exact(row.len() / extent);
    let parts: Vec<Vec<T>> = parts
        .map(|part| padded(part, inner, &border[1..]))
        .collect();
    let width = parts.first().map_or(0, Vec::len);
    let [before, after] = border[0];
    let mut values = vec![T::default(); before * width];
    values.extend(parts.into_iter().flatten());
    values.resize(values.len() + after * width, T::default());
    values
}
