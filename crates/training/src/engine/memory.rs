//! How many samples pass together, and what the buffers take.

use bitfront_kernel::stride;
use bitfront_network::Candidate;

use super::MICRO_BATCH;
use crate::extent::Extent;
use crate::node::needs_whole_batch;

/// Values of all layers that should stay in cache while a micro-batch passes.
const CACHED_VALUES: usize = 1 << 19;

/// Samples that a candidate's buffers are made for, and those of a micro-batch.
pub(super) fn sizes(candidate: &Candidate, batch: usize) -> (usize, usize) {
    let whole = whole_batch(candidate);
    let extents: Vec<Extent> = candidate.shapes().iter().map(|s| Extent::of(s)).collect();
    let input = Extent::of(&candidate.input_shape);
    let flat = input.positions == 1 && extents.iter().all(|extent| extent.positions == 1);
    let values: usize = extents.iter().map(|extent| extent.padded()).sum();
    let micro = if flat {
        MICRO_BATCH
    } else {
        (CACHED_VALUES / (values + input.padded()).max(1)).clamp(1, MICRO_BATCH)
    };
    (if whole { batch.max(micro) } else { micro }, micro)
}

/// Whether any layer's statistics are those of a batch.
pub(super) fn whole_batch(candidate: &Candidate) -> bool {
    let mut operations = candidate.layers.iter().map(|layer| &layer.operation);
    operations.any(needs_whole_batch)
}

/// About how many bytes the buffers of an engine take, for batches of `batch` rows.
pub(crate) fn buffer_bytes(candidate: &Candidate, batch: usize) -> usize {
    let (capacity, _) = sizes(candidate, batch);
    let values = candidate.shapes().into_iter().zip(&candidate.layers);
    let values = values.map(|(shape, layer)| {
        // Values and gradients; the unfolded outputs of a folded layer; a separable layer's middle.
        let copies = 2 + 2 * usize::from(needs_whole_batch(&layer.operation));
        Extent::of(&shape).padded().saturating_mul(copies)
    });
    let values = values.fold(
        Extent::of(&candidate.input_shape).padded(),
        usize::saturating_add,
    );
    let weights = candidate.tensors().into_iter().map(|spec| {
        let columns = spec.shape.last().copied().unwrap_or(1).max(1);
        spec.shape.iter().product::<usize>() / columns * stride(columns) * 6
    });
    let weights = weights.fold(0, usize::saturating_add);
    values
        .saturating_mul(capacity)
        .saturating_add(weights)
        .saturating_mul(size_of::<f32>())
}
