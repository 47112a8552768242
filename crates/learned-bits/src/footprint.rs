//! Memory that learning takes, beside the samples it is given.

use bitfront_kernel::stride;
use bitfront_network::Candidate;
use bitfront_quantizer::Quantizer;
use bitfront_training::micro_batch;

use crate::engine::Engine;
use crate::settings::Settings;

/// Ranges and formats of a channel in a program and in its making, at most.
const CHANNEL_BYTES: usize = 256;

/// Bytes that [`learn`](crate::learn()) takes at most for `train` and `validation` rows, the samples themselves left out
/// and a point kept of every epoch; 0 for a network it refuses.
pub fn learning_bytes(
    candidate: &Candidate,
    settings: &Settings,
    [train, validation]: [usize; 2],
) -> usize {
    let Ok(chain) = candidate.chain() else {
        return 0;
    };
    let values = |rows: usize, columns: usize| rows.saturating_mul(columns * size_of::<f32>());
    let inputs = candidate.inputs();
    let point = chain.iter().fold(0_usize, |sum, link| {
        let weights = values(link.rows() + 1, link.outputs);
        sum.saturating_add(weights + link.read[1] * size_of::<Quantizer>())
    });
    // The integer program of an epoch while it is made: weights as i64, twice, and formats of every channel.
    let program = chain.iter().fold(0_usize, |sum, link| {
        let channels = link.product()[1] + link.outputs;
        let weights = values(link.rows() + 1, link.outputs).saturating_mul(4);
        sum.saturating_add(weights + channels.saturating_mul(CHANNEL_BYTES))
    });
    let rows = values(train.saturating_add(validation), stride(inputs));
    let quantized = values(train.max(validation), inputs);
    rows.saturating_add(quantized)
        .saturating_add(Engine::bytes(&chain, micro_batch(candidate)))
        .saturating_add(program)
        .saturating_add(point.saturating_mul(settings.epochs as usize))
}
