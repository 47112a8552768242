//! What is refused of a network before it has weights.

use bitfront_network::{Candidate, Operation, Source};

use super::build::{MOST_MULTIPLIERS, too_many_multipliers};
use crate::circuit::BuildError;

/// Whether networks of this candidate stream, as far as it can be told without their weights: ranges, and with them maxima over
/// a border, are known with them.
///
/// # Errors
/// The layer in the way.
///
/// # Panics
/// If the candidate's graph has faults ([`Candidate::check`]).
pub(crate) fn check(candidate: &Candidate, reuse: u32) -> Result<(), BuildError> {
    let refuse = |layer: &str, reason: String| {
        Err(BuildError {
            layer: layer.to_owned(),
            reason,
        })
    };
    let inputs = candidate.first_input_shapes();
    // Words of a beat while a flattened image waits for the dense layer that reads it.
    let mut flattened: Option<usize> = None;
    for (index, (layer, shape)) in candidate.layers.iter().zip(&inputs).enumerate() {
        let before = index.checked_sub(1).map_or(Source::Input, Source::Layer);
        if candidate
            .sources(index)
            .is_ok_and(|sources| sources != [before])
        {
            return refuse(&layer.name, NO_CHAIN.to_owned());
        }
        let channels = shape.last().copied().unwrap_or(1);
        let reason = match &layer.operation {
            Operation::Add | Operation::Concatenate => Some(SEVERAL.to_owned()),
            Operation::ZeroPadding { .. } => Some(PADDING.to_owned()),
            Operation::AveragePool { .. }
                if layer
                    .operation
                    .geometry(shape)
                    .is_ok_and(|geometry| geometry.reads_border()) =>
            {
                Some(MEAN_OVER_BORDER.to_owned())
            }
            Operation::Flatten if shape.len() > 1 => {
                flattened.get_or_insert(channels);
                None
            }
            Operation::Dense { units, .. } => {
                let lanes = match flattened.take() {
                    Some(words) if words < channels => words,
                    _ if shape.len() > 1 || reuse <= 1 => 0,
                    _ => channels.div_ceil(reuse as usize),
                };
                let multipliers = lanes * units;
                (multipliers > MOST_MULTIPLIERS).then(|| too_many_multipliers(multipliers))
            }
            Operation::Flatten | Operation::Dropout { .. } => None,
            _ if flattened.is_some_and(|words| words < channels) => Some(ON_FLATTENED.to_owned()),
            _ => None,
        };
        if let Some(reason) = reason {
            return refuse(&layer.name, reason);
        }
    }
    Ok(())
}

pub(super) const NO_CHAIN: &str =
    "it reads other layers than the one before it; accepted are chains";
pub(super) const SEVERAL: &str = "reads several layers; accepted are chains";
pub(super) const PADDING: &str = "pads by itself; accepted is the padding of a convolution";
pub(super) const MEAN_OVER_BORDER: &str = "takes means over a border; accepted are windows inside";
pub(super) const ON_FLATTENED: &str =
    "stands on a flattened image; accepted is a dense layer first";
