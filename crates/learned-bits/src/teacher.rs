//! Probabilities of a float network: what a teacher gives to learn from.

use bitfront_kernel::{Buffer, Kernels, Shape, stride};
use bitfront_network::{Candidate, Part, Weights};
use bitfront_quantizer::Quantizer;

use crate::engine::MICRO_BATCH;
use crate::error::LearnError;

/// Softmax of the outputs of a float network (dense layers with biases in a row, `relu` in between) on
/// standardised rows, `rows x classes`, the same bits on every CPU level.
///
/// # Errors
/// [`LearnError::Network`] for any other network, weights of another shape, or values that are no rows.
pub fn teacher_probabilities(
    candidate: &Candidate,
    weights: &Weights,
    x: &[f32],
) -> Result<Vec<f32>, LearnError> {
    let fault = |problem: String| LearnError::Network(format!("teacher: {problem}"));
    let stack = candidate.dense_stack().map_err(fault)?;
    let mut quantizers = candidate.quantizers().into_iter();
    let float = |q: &Quantizer| matches!(q, Quantizer::Float | Quantizer::Relu);
    if let Some((place, _, quantizer)) = quantizers.find(|(_, _, quantizer)| !float(quantizer)) {
        let problem = format!("{place} is {quantizer}; accepted are `float` and `relu`");
        return Err(fault(problem));
    }
    if let Some((place, problem)) = weights.shape_fault(candidate) {
        return Err(fault(format!("{place}: {problem}")));
    }
    if !x.len().is_multiple_of(stack.inputs) {
        return Err(fault(format!(
            "{} values are rows of {}",
            x.len(),
            stack.inputs
        )));
    }
    let kernels = Kernels::detect();
    let parameters: Vec<[Buffer; 2]> = stack
        .layers
        .iter()
        .zip(&stack.positions)
        .map(|(layer, position)| {
            [Part::Kernel, Part::Bias]
                .map(|part| Buffer::padded(weights.part(*position, part), layer.units))
        })
        .collect();
    let classes = candidate.outputs();
    let mut probabilities = Vec::with_capacity(x.len() / stack.inputs * classes);
    let mut by_logits = Buffer::zeroed(MICRO_BATCH * stride(classes));
    let labels = [0; MICRO_BATCH];
    for rows in x.chunks(MICRO_BATCH * stack.inputs) {
        let count = rows.len() / stack.inputs;
        let mut values = Buffer::padded(rows, stack.inputs);
        for (layer, [kernel, bias]) in stack.layers.iter().zip(&parameters) {
            let shape = Shape {
                rows: count,
                inner: layer.inputs,
                columns: layer.units,
            };
            let mut sums = Buffer::zeroed(count * stride(layer.units));
            kernels.affine(shape, &values, kernel, Some(bias), &mut sums);
            values = sums;
            if layer.activation.is_some() {
                let sums = values.clone();
                kernels.rectify(&sums, &mut values);
            }
        }
        // The gradient of the cross-entropy is the softmax less one at the label.
        kernels.softmax_cross_entropy(classes, &values, &labels[..count], 1.0, &mut by_logits);
        for row in by_logits.chunks_exact(stride(classes)).take(count) {
            probabilities.push(row[0] + 1.0);
            probabilities.extend(&row[1..classes]);
        }
    }
    Ok(probabilities)
}
