//! From learned formats to a candidate with weights on its grids.

use bitfront_kernel::stride;
use bitfront_network::{Candidate, Layer, LayerWeights, Operation, Part, Weights};
use bitfront_quantizer::Quantizer;

use crate::bits::{fraction_bits, integer_bits};
use crate::engine::Engine;
use crate::formats::{Format, Formats};
use crate::tensor::Tensor;

/// The candidate that a quantized engine computes, with its weights: an activation a channel (or for all) on what the
/// first layer reads and in place of every activation layer, and kernels and biases on the finest grid that one of their
/// values needs.
pub(crate) fn candidate(engine: &mut Engine, start: &Candidate) -> (Candidate, Weights) {
    for layer in &mut engine.layers {
        layer.clear_unread();
    }
    let read = |at: usize| activation(&engine.layers[at].formats);
    let mut layers = vec![Layer::new(input_name(start), read(0))];
    let mut weights = Weights::default();
    weights.layers.push(LayerWeights::default());
    let mut at = 0;
    for layer in &start.layers {
        let mut values = LayerWeights::default();
        let mut operation = layer.operation.clone();
        match &mut operation {
            Operation::Activation { .. } => operation = read(at),
            Operation::Dense { kernel, bias, .. } | Operation::Conv { kernel, bias, .. } => {
                let own = &engine.layers[at];
                (*kernel, *bias) = (grid(&own.kernel), Some(grid(&own.bias)));
                let dense = |tensor: &Tensor| tensor.quantized.dense(tensor.columns);
                values.parts.insert(Part::Kernel, dense(&own.kernel));
                values.parts.insert(Part::Bias, dense(&own.bias));
                at += 1;
            }
            _ => {}
        }
        layers.push(Layer::new(layer.name.clone(), operation));
        weights.layers.push(values);
    }
    let candidate = Candidate {
        layers,
        ..start.clone()
    };
    (candidate, weights)
}

/// A name that no layer has.
fn input_name(start: &Candidate) -> String {
    let taken = |name: &str| start.layers.iter().any(|layer| layer.name == name);
    let mut name = "input_bits".to_owned();
    while taken(&name) {
        name.push('_');
    }
    name
}

fn activation(formats: &Formats) -> Operation {
    let quantizers = quantizers(formats);
    match quantizers.first() {
        Some(quantizer) if formats.shared => Operation::Activation {
            quantizer: *quantizer,
        },
        _ => Operation::ChannelActivation { quantizers },
    }
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
