//! Bit operations (BOPs): what multiplications and additions by declared widths take, whatever the weights are but zero.

use super::widths::widths;
use super::{DataType, FloatFormat, Format, LayerKind, NetworkDescription, Parameter};
use bitfront_network::{IntegerOperation, IntegerProgram, Linear};
use std::collections::HashMap;

/// BOPs of a trained network: over its dense and convolution layers `m n (p a w + a + w + log2 n)`, with `m` sums of `n`
/// products, `a` bits of what is read, `w` bits of a weight as it is stored, and `p` the share of the weights that are not zero.
///
/// The count of Hawks et al., Frontiers in Artificial Intelligence 4, 676564 (2021), for pruned jet networks, which adds `p` to the one of
/// Baskin et al., arXiv:1804.10969. Biases, scales, normalisations, pools, sums of tensors and activations are not counted.
pub fn program_bops(program: &IntegerProgram) -> f64 {
    let network = NetworkDescription::of(&program.candidate);
    let kept = kept_shares(program);
    let layers = network.layers.iter().zip(widths(&network));
    layers
        .map(|(layer, widths)| match &layer.kind {
            LayerKind::Sums { fan_in, kernel, .. } => {
                let (sums, products) = (layer.outputs as f64, *fan_in as f64);
                let (read, weight) = (widths.input.ceil(), weight_bits(kernel));
                let share = kept.get(&layer.name).copied().unwrap_or(1.0);
                sums * products * (share * read * weight + read + weight + products.log2())
            }
            _ => 0.0,
        })
        .sum()
}

/// Share of the weights of each layer that are not zero, by the names of [`NetworkDescription`].
fn kept_shares(program: &IntegerProgram) -> HashMap<String, f64> {
    let share = |linear: &Linear| {
        let kept = linear.kernel.iter().filter(|weight| **weight != 0).count();
        kept as f64 / linear.kernel.len().max(1) as f64
    };
    let mut shares = HashMap::new();
    for layer in &program.layers {
        match &layer.operation {
            IntegerOperation::Linear(linear) => {
                shares.insert(layer.name.clone(), share(linear));
            }
            IntegerOperation::Separable {
                depthwise,
                pointwise,
                ..
            } => {
                shares.insert(format!("{}.depthwise", layer.name), share(depthwise));
                shares.insert(format!("{}.pointwise", layer.name), share(pointwise));
            }
            _ => {}
        }
    }
    shares
}

/// Bits that a weight is stored in.
fn weight_bits(kernel: &Parameter) -> f64 {
    f64::from(match kernel.format {
        Format::Quantized(quantizer) => DataType::of(Some(&quantizer), FloatFormat::Single).bits,
        Format::Float => 32,
        Format::Constant { bits } => bits,
    })
}
