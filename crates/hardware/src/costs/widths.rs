//! Widths of the integers on the way through a network, before its weights are known.

use super::bits::stored_bits;
use super::{DataType, FloatFormat, Format, LayerKind, NetworkDescription, Parameter};
use bitfront_network::{Interval, Source};
use bitfront_quantizer::{Quantizer, Role};

/// Bits of the integers that a layer reads and of those it hands on. Behind quantizers they are exact;
/// sums are taken at full-width weights, bits of a binary logarithm not rounded and biases left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Widths {
    pub(crate) input: f64,
    pub(crate) output: f64,
}

/// The widths of every layer, first to last.
pub(crate) fn widths(network: &NetworkDescription) -> Vec<Widths> {
    let first = code_bits(&network.input, Role::Input);
    let mut all: Vec<Widths> = Vec::with_capacity(network.layers.len());
    for layer in &network.layers {
        let read = layer.sources.iter().map(|source| match source {
            Source::Input => first,
            Source::Layer(index) => all[*index].output,
        });
        let input = read.fold(0.0, f64::max);
        let log2 = |count: usize| (count.max(1) as f64).log2();
        let output = match &layer.kind {
            LayerKind::Sums {
                fan_in,
                kernel,
                scale_bits,
                ..
            } => {
                let scale = f64::from(scale_bits.unwrap_or(0));
                input + magnitude_bits(kernel) + log2(*fan_in) + scale
            }
            LayerKind::BatchNorm { scale, .. } => input + magnitude_bits(scale) + 1.0,
            LayerKind::Activation { format } => activation_bits(*format),
            LayerKind::ChannelActivation { formats } => {
                let channels = formats.iter().map(|format| activation_bits(*format));
                channels.fold(0.0, f64::max)
            }
            LayerKind::Softmax => 32.0,
            LayerKind::MaxPool { .. } | LayerKind::Concatenate => input,
            LayerKind::AveragePool {
                taps,
                reciprocal_bits,
            } => input + log2(*taps) + f64::from(reciprocal_bits.unwrap_or(0)),
            LayerKind::Add => input + log2(layer.sources.len()),
        };
        all.push(Widths { input, output });
    }
    all
}

/// Bits of a parameter's magnitude.
pub(crate) fn magnitude_bits(parameter: &Parameter) -> f64 {
    let bits = match parameter.format {
        Format::Float => 31,
        Format::Quantized(quantizer) => {
            let expanded = DataType::of(Some(&quantizer), FloatFormat::Single).expanded();
            expanded.bits.saturating_sub(1)
        }
        Format::Constant { bits } => bits,
    };
    f64::from(bits)
}

/// Bits of the integer codes of an activation.
fn activation_bits(format: Format) -> f64 {
    match format {
        Format::Quantized(quantizer) => code_bits(&quantizer, Role::Activation),
        Format::Float | Format::Constant { .. } => 32.0,
    }
}

/// Bits of the integer codes of a quantizer: more than it stores for powers of two.
fn code_bits(quantizer: &Quantizer, role: Role) -> f64 {
    let bits = match quantizer.grid(role) {
        Ok(grid) => Interval {
            lo: grid.lo,
            hi: grid.hi,
        }
        .width(),
        Err(_) => stored_bits(quantizer),
    };
    f64::from(bits)
}
