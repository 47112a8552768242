//! The default pools: quantizers that can be scored exactly, from few bits to many.

use super::types::QuantizerText;
use std::collections::BTreeMap;

/// Kernels. The uniform scan's `quantized_bits(n,0,alpha=1.0)`, and below three bits quantizers whose
/// scale is a power of two found for each column.
const KERNEL: &[&str] = &[
    "binary(alpha='auto_po2')",
    "ternary(alpha='auto_po2')",
    "quantized_bits(3,0,alpha=1.0)",
    "quantized_bits(4,0,alpha=1.0)",
    "quantized_po2(4,1)",
    "quantized_bits(5,0,alpha=1.0)",
    "quantized_bits(6,0,alpha=1.0)",
    "quantized_bits(8,0,alpha=1.0)",
];

/// Biases.
const BIAS: &[&str] = &[
    "quantized_bits(4,0,alpha=1.0)",
    "quantized_bits(6,0,alpha=1.0)",
    "quantized_bits(8,0,alpha=1.0)",
    "quantized_bits(8,3,1,alpha=1.0)",
];

/// Rectifying activations.
const ACTIVATION: &[&str] = &[
    "quantized_relu(2,0)",
    "quantized_relu(3,1)",
    "quantized_relu(4,0)",
    "quantized_relu(4,2)",
    "quantized_relu_po2(4,4)",
    "quantized_relu(6,0)",
    "quantized_relu(6,2)",
    "quantized_relu(8,0)",
    "quantized_relu(8,2)",
];

/// Activations that do not rectify.
const LINEAR: &[&str] = &[
    "quantized_bits(4,1,alpha=1.0)",
    "quantized_bits(6,2,alpha=1.0)",
    "quantized_bits(8,2,alpha=1.0)",
];

/// The standardised input: steps of 1/16 up to eight standard deviations.
const INPUT: &[&str] = &["quantized_bits(8,3,alpha=1.0)"];

/// The pools that are used where a file says nothing else: `kernel`, `bias`, `activation` (for
/// rectifiers), `linear` and `input`.
pub fn default_pools() -> BTreeMap<String, Vec<QuantizerText>> {
    [
        ("kernel", KERNEL),
        ("bias", BIAS),
        ("activation", ACTIVATION),
        ("linear", LINEAR),
        ("input", INPUT),
    ]
    .into_iter()
    .map(|(name, pool)| {
        let quantizers = pool.iter().map(|text| QuantizerText((*text).to_owned()));
        (name.to_owned(), quantizers.collect())
    })
    .collect()
}
