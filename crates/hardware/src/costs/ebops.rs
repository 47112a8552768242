//! Effective bit operations (EBOPs): products of effective constant bits and input bits.
//!
//! HGQ's measure, first version: a constant's effective bits lie between its highest and its lowest
//! non-zero bit, a zero constant has none, and the sign is not counted. Additions are not charged,
//! so for adder graphs it is an upper bound of LUTs and not a count.

use super::widths::{Widths, widths};
use super::{
    DataType, FloatFormat, Format, LayerDescription, LayerKind, NetworkDescription, Parameter,
};
use bitfront_network::{
    Candidate, Geometry, IntegerOperation, IntegerProgram, Interval, Linear, Source, Taps,
    TensorFormat,
};

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

/// EBOPs of a trained network, from its actual weights: over all products by a constant (weights,
/// frozen scales, scales of batch normalisations, reciprocals of means), effective bits of the constant
/// times the width of the range it multiplies. Border elements are no products.
pub fn program_ebops(program: &IntegerProgram) -> f64 {
    let mut total = 0;
    for layer in &program.layers {
        let sources = layer.sources.iter().map(|source| match source {
            Source::Input => &program.input,
            Source::Layer(index) => &program.layers[*index].output,
        });
        let sources: Vec<&TensorFormat> = sources.collect();
        let Some(input) = sources.first() else {
            continue;
        };
        total += match &layer.operation {
            IntegerOperation::Linear(linear) => linear_ebops(linear, input, &layer.output),
            IntegerOperation::Separable {
                depthwise,
                between,
                pointwise,
            } => {
                linear_ebops(depthwise, input, between)
                    + linear_ebops(pointwise, between, &layer.output)
            }
            IntegerOperation::Affine { multiplier, .. } => {
                let positions = positions(&layer.output);
                let channels = multiplier.iter().zip(&input.range);
                let bits = |(m, range): (&i64, &Interval)| effective(*m) * u64::from(range.width());
                positions * channels.map(bits).sum::<u64>()
            }
            IntegerOperation::Mean {
                geometry,
                reciprocal,
            } => mean_ebops(geometry, reciprocal, input),
            IntegerOperation::MaxPool(_)
            | IntegerOperation::Reshape
            | IntegerOperation::ZeroPadding { .. }
            | IntegerOperation::Add { .. }
            | IntegerOperation::Concatenate
            | IntegerOperation::Activation(_) => 0,
        };
    }
    total as f64
}

fn effective(constant: i64) -> u64 {
    u64::from(effective_bits(constant))
}

fn positions(format: &TensorFormat) -> u64 {
    let axes = &format.shape[..format.shape.len().saturating_sub(1)];
    axes.iter().product::<usize>() as u64
}

/// Products of weights and inputs, and of sums and frozen scales.
fn linear_ebops(linear: &Linear, input: &TensorFormat, output: &TensorFormat) -> u64 {
    let width = |channel: usize| u64::from(input.range[channel].width());
    let (inputs, outputs) = (linear.inputs, linear.outputs);
    // How often each tap of the kernel lies inside.
    let (taps, uses): (usize, Vec<u64>) = match &linear.taps {
        Taps::Dense => (1, vec![positions(output)]),
        Taps::Window(geometry) | Taps::Depthwise(geometry) => {
            let uses = |tap| geometry.uses(tap) as u64;
            (geometry.taps(), (0..geometry.taps()).map(uses).collect())
        }
    };
    let each = linear.kernel.len() / (taps * inputs).max(1);
    let rows = linear.kernel.chunks(each.max(1)).enumerate();
    let products: u64 = rows
        .map(|(row, weights)| {
            let bits: u64 = weights.iter().map(|weight| effective(*weight)).sum();
            bits * width(row % inputs) * uses[row / inputs]
        })
        .sum();
    let scales: u64 = (0..outputs)
        .filter(|&j| linear.multiplier[j] != 1 && linear.multiplier[j] != 0)
        .map(|j| {
            // The sum has the accumulator's width less the scale's.
            let scale = effective(linear.multiplier[j]);
            let sum = u64::from(linear.accumulator_range[j].width());
            scale
                * sum
                    .saturating_sub(scale + u64::from(linear.product_shift[j]))
                    .max(1)
        })
        .sum();
    products + scales * positions(output)
}

fn mean_ebops(geometry: &Geometry, reciprocal: &[i64], input: &TensorFormat) -> u64 {
    let count = |position: usize| {
        (0..geometry.taps())
            .filter(|&tap| geometry.source(position, tap).is_some())
            .count()
    };
    let mut total = 0;
    for position in 0..geometry.positions() {
        let count = count(position);
        let constant = effective(reciprocal[count]);
        // By one it is no product.
        if reciprocal[count] != 1 {
            let log2 = u64::from(count.max(1).next_power_of_two().ilog2());
            let widths = input
                .range
                .iter()
                .map(|range| u64::from(range.width()) + log2);
            total += constant * widths.sum::<u64>();
        }
    }
    total
}

/// What EBOPs can at most be before training: full-width constants everywhere. A sign bit is not
/// effective, and one-bit and power-of-two weights have one effective bit. It is a bound where what a
/// layer reads is quantized; sums of sums are taken at the width their weights alone would give.
pub fn upper_bound_ebops(candidate: &Candidate) -> f64 {
    let network = NetworkDescription::of(candidate);
    let layer = |(layer, widths): (&LayerDescription, Widths)| {
        let outputs = layer.outputs as f64;
        match &layer.kind {
            LayerKind::Sums {
                fan_in,
                kernel,
                scale_bits,
                ..
            } => {
                let sum = (widths.output - f64::from(scale_bits.unwrap_or(0))).ceil();
                let products = *fan_in as f64 * constant_bits(kernel) * widths.input.ceil();
                outputs * (products + f64::from(scale_bits.unwrap_or(0)) * sum)
            }
            LayerKind::BatchNorm { scale, .. } => {
                outputs * constant_bits(scale) * widths.input.ceil()
            }
            LayerKind::AveragePool {
                taps,
                reciprocal_bits: Some(bits),
            } => {
                let sum = widths.input + (*taps as f64).log2();
                outputs * f64::from(*bits) * sum.ceil()
            }
            _ => 0.0,
        }
    };
    network.layers.iter().zip(widths(&network)).map(layer).sum()
}

/// Effective bits of a full-width constant.
fn constant_bits(parameter: &Parameter) -> f64 {
    let one = match parameter.format {
        Format::Quantized(quantizer) => {
            let held = DataType::of(Some(&quantizer), FloatFormat::Single);
            if held.exponents.is_some() {
                return 1.0;
            }
            held.bits - u32::from(held.signed)
        }
        Format::Float => 32,
        Format::Constant { bits } => bits,
    };
    f64::from(one.max(1))
}
