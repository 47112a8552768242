//! Tier 0: what a candidate costs before it is trained, in microseconds.

use crate::circuit::{Requantizer, signed_digits};
use crate::costs::{
    BitRule, Bits, DataType, Energy, EnergyMode, EnergySettings, FloatFormat, Format, LayerKind,
    NetworkDescription, Widths, magnitude_bits, stored_bits, upper_bound_ebops, widths,
};
use crate::lut_estimate::{COMPARATOR, MAXIMUM, REQUANTIZER, mode_cells};
use bitfront_network::{Candidate, Interval};
use bitfront_quantizer::{HardwareKind, Modes};
use serde::{Deserialize, Serialize};

/// LUTs an adder bit takes when its operands are not known and pairs will be shared; from the dense
/// networks of the calibration.
const ADDER_BIT: f64 = 0.54;

/// Bits that sums are taken to have above the codes they become.
const BITS_ABOVE: f64 = 3.0;

/// Costs that need no weights. A float reference has 32 bits everywhere here but in its energy, which counts 16; it has no
/// circuit, and its LUT estimate means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier0 {
    /// Bits of all kernels and biases.
    pub bits_parameters: u64,
    /// Bits of the input, of all activations and, for a softmax head, of the outputs (8 bits each, as
    /// the original has it). The paper's table leaves the input out.
    pub bits_activations: u64,
    /// Both together.
    pub bits: u64,
    /// Energy of one inference in pJ, corrected mode.
    pub energy_pj: f64,
    /// The same by the paper's rules.
    pub energy_qtools_0_8_pj: f64,
    /// The same by the rules of the original's last release.
    pub energy_qtools_0_9_pj: f64,
    /// Effective bit operations if every weight used its full width.
    pub ebops: f64,
    /// LUTs from widths, the mean number of signed digits of a code and the share of weights that will be pruned: rough, and
    /// too high for weights that train to zero unasked.
    pub lut_estimate: u64,
}

/// Costs of a candidate before training, none of whose weights are pruned.
pub fn candidate_costs(candidate: &Candidate) -> Tier0 {
    pruned_candidate_costs(candidate, 0.0)
}

/// Costs of a candidate before training that prunes this share of each kernel, 0 to 1. Only LUTs are fewer: a product with a
/// pruned weight is none. Bits and energy count zeros, as they do of trained weights, and EBOPs stay a bound.
pub fn pruned_candidate_costs(candidate: &Candidate, sparsity: f64) -> Tier0 {
    let network = NetworkDescription::of(candidate);
    let rule = BitRule {
        input_bits: Some(stored_bits(&candidate.input_quantizer)),
        ..BitRule::PAPER
    };
    let bits = Bits::of(&network, &rule);
    let energy = |mode| Energy::of(&network, &EnergySettings::in_circuit(mode)).total_pj;
    Tier0 {
        bits_parameters: bits.parameters(),
        bits_activations: bits.activations(),
        bits: bits.total(),
        energy_pj: energy(EnergyMode::Corrected),
        energy_qtools_0_8_pj: energy(EnergyMode::Qtools08),
        energy_qtools_0_9_pj: energy(EnergyMode::Qtools09),
        ebops: upper_bound_ebops(candidate),
        lut_estimate: rough_luts(candidate, 1.0 - sparsity),
    }
}

/// What each kind of layer takes:
///
/// * sums: `outputs * (products * kept * digits)` adders of (input bits + half the weight's magnitude bits
///   + 1) bits; frozen scales, batch normalisations and reciprocals likewise, one constant each;
/// * sums of tensors: a whole adder of one bit more than the input for each operand but one; means: a rough adder of as
///   many bits for each element;
/// * maxima: a comparison and a selection for each operand but one;
/// * activations: requantizers or comparators.
fn rough_luts(candidate: &Candidate, kept: f64) -> u64 {
    let network = NetworkDescription::of(candidate);
    let mut luts = 0.0;
    for (layer, Widths { input, output }) in network.layers.iter().zip(widths(&network)) {
        let outputs = layer.outputs as f64;
        // Adders of a product by a constant.
        let products = |count: f64, digits: f64, width: f64, magnitude: f64| {
            ADDER_BIT * outputs * (count * digits) * (width + magnitude / 2.0 + 1.0)
        };
        let constant =
            |bits: u32, width: f64| products(1.0, digits_of_bits(bits), width, f64::from(bits));
        luts += match &layer.kind {
            LayerKind::Sums {
                fan_in,
                kernel,
                scale_bits,
                ..
            } => {
                let magnitude = magnitude_bits(kernel);
                let scale = scale_bits.map_or(0.0, |bits| constant(bits, output - f64::from(bits)));
                let count = *fan_in as f64 * kept;
                products(count, mean_digits(kernel.format), input, magnitude) + scale
            }
            LayerKind::BatchNorm { scale, .. } => {
                let magnitude = magnitude_bits(scale);
                products(1.0, mean_digits(scale.format), input, magnitude)
            }
            LayerKind::AveragePool {
                taps,
                reciprocal_bits,
            } => {
                let sum = input + (*taps as f64).log2();
                let scale = reciprocal_bits.map_or(0.0, |bits| constant(bits, sum));
                ADDER_BIT * outputs * *taps as f64 * (input + 1.0) + scale
            }
            LayerKind::Add => {
                let adders = layer.sources.len().saturating_sub(1) as f64;
                outputs * adders * (input + 1.0)
            }
            LayerKind::MaxPool { taps } => {
                MAXIMUM * outputs * taps.saturating_sub(1) as f64 * input
            }
            LayerKind::Activation { format } => outputs * activation_luts(*format, input),
            LayerKind::ChannelActivation { formats } => {
                let positions = outputs / formats.len().max(1) as f64;
                let channels = formats.iter().map(|one| activation_luts(*one, input));
                positions * channels.sum::<f64>()
            }
            LayerKind::Concatenate | LayerKind::Softmax => 0.0,
        };
    }
    luts.round() as u64
}

/// What one value's quantizer takes behind sums of `input` bits.
fn activation_luts(format: Format, input: f64) -> f64 {
    let Format::Quantized(quantizer) = format else {
        return REQUANTIZER * 32.0;
    };
    let bits = stored_bits(&quantizer);
    match quantizer.modes() {
        Some(Modes::NEAREST_EVEN) => REQUANTIZER * (f64::from(bits) + BITS_ABOVE),
        Some(modes) => requantizer_of(modes, bits, input),
        None => {
            let thresholds = f64::from(bits.min(12)).exp2() - 1.0;
            COMPARATOR * thresholds * input
        }
    }
}

/// The parts of a requantizer of another mode, behind signed sums of which the result leaves as many bits above it as
/// the others are taken to.
fn requantizer_of(modes: Modes, bits: u32, input: f64) -> f64 {
    let width = (input.ceil() as u32).clamp(2, 53);
    let signed = |width: u32| Interval {
        lo: -(1 << (width - 1)),
        hi: (1 << (width - 1)) - 1,
    };
    let dropped = f64::from(width) - f64::from(bits) - BITS_ABOVE;
    let rule = Requantizer::new(
        signed(width),
        dropped.max(0.0) as i32,
        signed(bits.max(1)),
        modes,
    );
    mode_cells(&rule, bits) as f64
}

/// Mean number of non-zero signed digits over the codes of a parameter.
fn mean_digits(format: Format) -> f64 {
    let quantizer = match format {
        Format::Quantized(quantizer) => quantizer,
        Format::Float => return digits_of_bits(32),
        Format::Constant { bits } => return digits_of_bits(bits),
    };
    let held = DataType::of(Some(&quantizer), FloatFormat::Single);
    match held.kind {
        HardwareKind::Binary | HardwareKind::PowerOfTwo => 1.0,
        HardwareKind::Ternary => 2.0 / 3.0,
        HardwareKind::ZeroOne => 0.5,
        HardwareKind::Fixed | HardwareKind::Table | HardwareKind::Float if held.bits > 10 => {
            digits_of_bits(held.bits)
        }
        HardwareKind::Fixed | HardwareKind::Table | HardwareKind::Float => {
            let codes = 1_i64 << held.bits;
            let lowest = if held.signed { -codes / 2 } else { 0 };
            let digits: usize = (lowest..lowest + codes)
                .map(|code| signed_digits(code).len())
                .sum();
            digits as f64 / codes as f64
        }
    }
}

/// Mean number of non-zero signed digits of integers of many bits.
fn digits_of_bits(bits: u32) -> f64 {
    f64::from(bits) / 3.0 + 1.0 / 9.0
}
