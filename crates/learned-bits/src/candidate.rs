//! From learned formats to a candidate with weights on its grids.

use bitfront_kernel::stride;
use bitfront_network::{Candidate, DenseStack, Layer, LayerWeights, Operation, Part, Weights};
use bitfront_quantizer::Quantizer;

use crate::bits::{fraction_bits, integer_bits};
use crate::engine::Engine;
use crate::formats::{Format, Formats};
use crate::tensor::Tensor;

/// The candidate that a quantized engine computes, with its weights: one activation a channel (or
/// for all) on what each layer reads, and kernels and biases on the finest grid that one of their values needs.
pub(crate) fn candidate(
    engine: &mut Engine,
    stack: &DenseStack,
    start: &Candidate,
) -> (Candidate, Weights) {
    let mut layers: Vec<Layer> = Vec::new();
    let mut weights = Weights::default();
    for (index, (own, layer)) in engine.layers.iter_mut().zip(&stack.layers).enumerate() {
        let name = match index.checked_sub(1).map(|above| &stack.layers[above]) {
            Some(above) => {
                let activation = above.activation.as_ref();
                activation.map_or_else(
                    || format!("{}_values", above.name),
                    |(name, _)| name.clone(),
                )
            }
            None => input_name(stack),
        };
        for channel in 0..own.formats.channels {
            if own.formats.used(channel).is_none() {
                own.kernel.clear_row(channel);
            }
        }
        let quantizers = quantizers(&own.formats);
        let activation = match quantizers.first() {
            Some(quantizer) if own.formats.shared => Operation::Activation {
                quantizer: *quantizer,
            },
            _ => Operation::ChannelActivation { quantizers },
        };
        layers.push(Layer::new(name, activation));
        weights.layers.push(LayerWeights::default());
        layers.push(Layer::new(
            layer.name.clone(),
            Operation::Dense {
                units: layer.units,
                kernel: grid(&own.kernel),
                bias: Some(grid(&own.bias)),
                fold: None,
            },
        ));
        let mut values = LayerWeights::default();
        let dense = |tensor: &Tensor| tensor.quantized.dense(tensor.columns);
        values.parts.insert(Part::Kernel, dense(&own.kernel));
        values.parts.insert(Part::Bias, dense(&own.bias));
        weights.layers.push(values);
    }
    let candidate = Candidate {
        layers,
        ..start.clone()
    };
    (candidate, weights)
}

/// A name that no layer has.
fn input_name(stack: &DenseStack) -> String {
    let taken = |name: &str| {
        stack.layers.iter().any(|layer| {
            let activation = layer.activation.as_ref().map(|(name, _)| name.as_str());
            layer.name == name || activation == Some(name)
        })
    };
    let mut name = "input_bits".to_owned();
    while taken(&name) {
        name.push('_');
    }
    name
}

/// Quantizers of channels; one that is always zero has a bit that nothing reads.
fn quantizers(formats: &Formats) -> Vec<Quantizer> {
    let unread = Format {
        fraction: 1,
        integer: 0,
    };
    let one = |channel: usize| {
        let Format { fraction, integer } = formats.used(channel).unwrap_or(unread);
        let bits = fraction + integer;
        if formats.signed {
            signed(bits + 1, integer)
        } else {
            parsed(&format!("quantized_relu({bits},{integer})"))
        }
    };
    (0..formats.channels).map(one).collect()
}

/// The narrowest grid that holds every quantized value of a tensor.
fn grid(tensor: &Tensor) -> Quantizer {
    let rows = tensor.quantized.chunks_exact(stride(tensor.columns));
    let values = rows.flat_map(|row| &row[..tensor.columns]);
    let held = values
        .filter(|value| **value != 0.0)
        .fold(None, |held, value| {
            let (integer, fraction) = (integer_bits(*value), fraction_bits(*value));
            let (most, finest) = held.unwrap_or((integer, fraction));
            Some((integer.max(most), fraction.max(finest)))
        });
    let (integer, fraction) = held.unwrap_or((0, 1));
    signed((1 + integer + fraction).max(2), integer)
}

fn signed(bits: i32, integer: i32) -> Quantizer {
    parsed(&format!("quantized_bits({bits},{integer},alpha=1.0)"))
}

fn parsed(text: &str) -> Quantizer {
    match text.parse() {
        Ok(quantizer) => quantizer,
        Err(error) => unreachable!("{error}"),
    }
}
