//! Effective bit operations (EBOPs): products of effective constant bits and input bits.
//!
//! HGQ's measure, first version: a constant's effective bits lie between its highest and its lowest
//! non-zero bit, a zero constant has none, and the sign is not counted. Additions are not charged,
//! so for adder graphs it is an upper bound of LUTs and not a count.

use super::bits::stored_bits;
use super::{DataType, FloatFormat};
use bitfront_network::{Candidate, IntegerProgram, Interval};
use bitfront_quantizer::{Quantizer, Role};

/// Bits from the highest to the lowest non-zero bit of a constant's magnitude; 0 for 0.
///
/// ```
/// use bitfront_hardware::costs::effective_bits;
/// assert_eq!([0, 8, -8, 5, -12].map(effective_bits), [0, 1, 1, 3, 2]);
/// ```
pub fn effective_bits(constant: i64) -> u32 {
    let magnitude = constant.unsigned_abs();
    if magnitude == 0 {
        0
    } else {
        64 - magnitude.leading_zeros() - magnitude.trailing_zeros()
    }
}

/// EBOPs of a trained network, from its actual weights: over all products, effective bits of the
/// weight times the width of the input's range.
pub fn program_ebops(program: &IntegerProgram) -> f64 {
    let layer = |layer: &bitfront_network::IntegerLayer| -> u64 {
        let weight_bits: u64 = layer
            .kernel
            .iter()
            .map(|&weight| u64::from(effective_bits(weight)))
            .sum();
        weight_bits * u64::from(layer.input.range.width())
    };
    program.layers.iter().map(layer).sum::<u64>() as f64
}

/// What EBOPs can at most be before training: full-width weights everywhere. A sign bit is not
/// effective, and one-bit and power-of-two weights have one effective bit.
pub fn upper_bound_ebops(candidate: &Candidate) -> f64 {
    let mut input_bits = code_bits(&candidate.input_quantizer, Role::Input);
    let mut total = 0;
    for (index, layer) in candidate.layers.iter().enumerate() {
        let (inputs, units) = candidate.layer_shape(index);
        let kernel = DataType::of(Some(&layer.kernel), FloatFormat::Single);
        let weight_bits = match kernel.exponents {
            Some(_) => 1,
            None => u64::from(kernel.bits - u32::from(kernel.signed)).max(1),
        };
        total += (inputs * units) as u64 * weight_bits * input_bits;
        if let Some(activation) = &layer.activation {
            input_bits = code_bits(&activation.quantizer, Role::Activation);
        }
    }
    total as f64
}

/// Bits of the integer codes of a quantizer: more than it stores for powers of two.
pub(crate) fn code_bits(quantizer: &Quantizer, role: Role) -> u64 {
    let bits = match quantizer.grid(role) {
        Ok(grid) => Interval {
            lo: grid.lo,
            hi: grid.hi,
        }
        .width(),
        Err(_) => stored_bits(quantizer),
    };
    u64::from(bits)
}
