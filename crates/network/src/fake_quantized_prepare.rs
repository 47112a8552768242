//! Weights of a candidate as the values that its quantizers give, layer by layer.

use bitfront_quantizer::{Quantizer, Role};

use crate::fake_quantized::NormalisationConstants;
use crate::fake_quantized_layers::{Prepared, Products, Real};
use crate::{Candidate, Fold, Layer, LayerWeights, Normalisation, Operation, Part, reciprocal};

/// The values that a tensor of weights is quantized to: where a scale is any real number, that of
/// its frozen constant.
fn quantized(
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
fn linear_weights(
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
        Operation::ChannelActivation { quantizers } => {
            Prepared::ChannelActivation(quantizers.clone())
        }
    }
}
