//! How much memory a training run takes, known before it starts.

use bitfront_kernel::stride;
use bitfront_network::Candidate;

use crate::engine::{buffer_bytes, is_kernel};
use crate::inputs::Inputs;
use crate::recipe::Recipe;

/// Copies of the weights that exist beside the engine's: those it starts from and the best epoch's or the
/// last's, and a node's while it is made or read.
const WEIGHT_COPIES: usize = 4;

/// Bytes that a run allocates at any time, at most, beside the samples that it is given: inputs on their
/// grid, buffers of the engine, weights with gradients and moments, the order of the rows, a teacher's
/// probabilities, averages of the weights.
///
/// The candidate's graph has no faults ([`Candidate::check_shapes`]).
#[must_use]
pub fn training_bytes(
    candidate: &Candidate,
    recipe: &Recipe,
    [train, validation]: [usize; 2],
) -> usize {
    let (train_bytes, train_making) = Inputs::bytes(candidate, train);
    let (validation_bytes, validation_making) = Inputs::bytes(candidate, validation);
    let weights = candidate.tensors().into_iter().map(|spec| spec.shape);
    let weights = weights.map(|shape| shape.iter().product::<usize>() * size_of::<f32>());
    let weights = weights.fold(0, usize::saturating_add);
    let order = train.saturating_mul(size_of::<u32>());
    let taught = match recipe.distillation {
        Some(_) => train.saturating_mul((candidate.outputs() + 1) * size_of::<f32>()),
        None => 0,
    };
    // A mask, and each group's place and score.
    let masks = match recipe.pruning {
        Some(_) => kernel_bytes(candidate)
            .saturating_add(weights.saturating_mul(1 + size_of::<f64>() / size_of::<f32>())),
        None => 0,
    };
    // Of every tensor, padded, its average in f64 and the weights that stand aside while it is shown.
    let averages = match recipe.averaging {
        Some(_) => kernel_bytes(candidate)
            .saturating_add(weights)
            .saturating_mul(1 + size_of::<f64>() / size_of::<f32>()),
        None => 0,
    };
    let running = buffer_bytes(candidate, recipe.batch_size.min(train))
        .saturating_add(weights.saturating_mul(WEIGHT_COPIES))
        .saturating_add(order)
        .saturating_add(taught)
        .saturating_add(masks)
        .saturating_add(averages)
        .saturating_add(validation_bytes);
    // Inputs are quantized some at a time, split by split.
    let beginning = train_making.max(validation_bytes.saturating_add(validation_making));
    train_bytes.saturating_add(running.max(beginning))
}

/// Bytes of all kernels as they are padded.
fn kernel_bytes(candidate: &Candidate) -> usize {
    let kernels = candidate
        .tensors()
        .into_iter()
        .filter(|spec| is_kernel(spec.part));
    let padded = kernels.map(|spec| {
        let columns = spec.shape.last().copied().unwrap_or(1).max(1);
        let rows = spec.shape.iter().product::<usize>() / columns;
        rows.saturating_mul(stride(columns) * size_of::<f32>())
    });
    padded.fold(0, usize::saturating_add)
}
