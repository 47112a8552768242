//! Starting weights.

use bitfront_network::{Candidate, LayerWeights, Operation, Part, Weights};
use bitfront_quantizer::Quantizer;

use crate::random::{Purpose, stream, uniform};

/// Starting weights of a candidate whose graph has no faults: kernels as [`starting_kernel`] draws
/// them, biases zero, normalisations that do nothing.
pub(crate) fn starting_weights(candidate: &Candidate, seed: u64) -> Weights {
    // Streams are counted by kind, so that a network of dense layers starts as it always has.
    let (mut dense, mut others) = (0, 0);
    let mut next = |is_dense: bool| {
        let (purpose, count) = if is_dense {
            (Purpose::Initial, &mut dense)
        } else {
            (Purpose::Kernel, &mut others)
        };
        *count += 1;
        stream(seed, purpose, *count - 1)
    };
    let mut layers = vec![LayerWeights::default(); candidate.layers.len()];
    for spec in candidate.tensors() {
        let operation = &candidate.layers[spec.layer].operation;
        let size = spec.shape.iter().product();
        let values = match spec.part {
            Part::Bias | Part::Beta | Part::Mean => vec![0.0; size],
            Part::Gamma | Part::Variance => vec![1.0; size],
            Part::Kernel | Part::DepthwiseKernel | Part::PointwiseKernel => {
                let (fan_in, columns) = fan_in(operation, spec.part, &spec.shape);
                let mut words = next(matches!(operation, Operation::Dense { .. }));
                let limit = (3.0 / fan_in as f64).sqrt() as f32;
                let start = (0..size).map(|_| uniform(&mut words, limit)).collect();
                match kernel_quantizer(operation, spec.part) {
                    Some(quantizer) => starting_kernel(start, &quantizer, columns),
                    None => start,
                }
            }
        };
        layers[spec.layer].parts.insert(spec.part, values);
    }
    Weights { layers }
}

/// Number of products in a sum, and the kernel's columns.
fn fan_in(operation: &Operation, part: Part, shape: &[usize]) -> (usize, usize) {
    let columns = shape.last().copied().unwrap_or(1).max(1);
    let rows = shape.iter().product::<usize>() / columns;
    let depthwise =
        part == Part::DepthwiseKernel || matches!(operation, Operation::DepthwiseConv { .. });
    if depthwise {
        let channels = shape[shape.len() - 2].max(1);
        return ((rows / channels).max(1), columns);
    }
    (rows.max(1), columns)
}

/// The quantizer that a kernel goes through as it is; none where a normalisation sets its size.
fn kernel_quantizer(operation: &Operation, part: Part) -> Option<Quantizer> {
    match operation {
        Operation::Dense { fold: Some(_), .. }
        | Operation::Conv { fold: Some(_), .. }
        | Operation::DepthwiseConv { fold: Some(_), .. } => None,
        _ => {
            let mut all = operation.quantizers().into_iter();
            all.find(|(place, _)| place.part == Some(part))
                .map(|(_, quantizer)| quantizer)
        }
    }
}

/// Starting kernel as `lecun_uniform` draws it: uniform in `+-sqrt(3 / fan_in)`.
///
/// A coarse quantizer would map all of that to zero, and a network of zeros has no gradient: so the
/// kernel is doubled while less than a quarter of its quantized values differ from zero.
fn starting_kernel(mut start: Vec<f32>, quantizer: &Quantizer, columns: usize) -> Vec<f32> {
    const MOST_DOUBLINGS: usize = 16;
    let mut quantized = vec![0.0; start.len()];
    for _ in 0..MOST_DOUBLINGS {
        quantizer.quantize(&start, columns, &mut quantized);
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
