//! Memory that learning takes, beside the samples it is given.

use bitfront_kernel::stride;
use bitfront_network::Candidate;
use bitfront_quantizer::Quantizer;

use crate::engine::MICRO_BATCH;
use crate::learn::RANGE_ROWS;
use crate::settings::Settings;

/// Padded copies of a tensor: numbers, gradient, moments and average of weights and of fraction bits, what the passes
/// use, and its widths.
const TENSOR_COPIES: usize = 12;
/// Padded rows of a layer's channels: the same of fraction and integer bits, and the passes' grids.
const FORMAT_COPIES: usize = 18;

/// Bytes that [`learn`](crate::learn()) takes at most for `train` and `validation` rows, the samples themselves left out
/// and a point kept of every epoch; 0 for a network it refuses.
pub fn learning_bytes(
    candidate: &Candidate,
    settings: &Settings,
    [train, validation]: [usize; 2],
) -> usize {
    let Ok(stack) = candidate.dense_stack() else {
        return 0;
    };
    let number = size_of::<f32>();
    let padded = |rows: usize, columns: usize| rows.saturating_mul(stride(columns) * number);
    let dense = |rows: usize, columns: usize| rows.saturating_mul(columns * number);
    let inputs = candidate.inputs();
    let (mut state, mut ranges, mut point) = (0_usize, 0_usize, 0_usize);
    for layer in &stack.layers {
        let rows = layer.inputs + 1;
        let own = padded(rows, layer.units).saturating_mul(TENSOR_COPIES)
            + padded(FORMAT_COPIES, layer.inputs)
            + padded(layer.units, layer.inputs)
            + 2 * padded(MICRO_BATCH, layer.inputs)
            + padded(MICRO_BATCH, layer.units);
        state = state.saturating_add(own);
        // What the layer above gives, and the sums before they are rectified.
        let between = padded(RANGE_ROWS.min(train), layer.inputs)
            + 2 * padded(RANGE_ROWS.min(train), layer.units);
        ranges = ranges.max(between);
        point =
            point.saturating_add(dense(rows, layer.units) + layer.inputs * size_of::<Quantizer>());
    }
    let rows = padded(train, inputs).saturating_add(padded(validation, inputs));
    let quantized = dense(train.max(validation), inputs);
    let order = train.saturating_mul(size_of::<u32>());
    rows.saturating_add(quantized.max(ranges).max(order))
        .saturating_add(state)
        .saturating_add(point.saturating_mul(settings.epochs as usize))
}
