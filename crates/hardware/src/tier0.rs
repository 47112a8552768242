//! Tier 0: what a candidate costs before it is trained, in microseconds.

use crate::circuit::signed_digits;
use crate::costs::{
    BitRule, Bits, DataType, Energy, EnergyMode, EnergySettings, FloatFormat, NetworkDescription,
    code_bits, stored_bits, upper_bound_ebops,
};
use crate::lut_estimate::{COMPARATOR, REQUANTIZER};
use bitfront_network::Candidate;
use bitfront_quantizer::{HardwareKind, Quantizer, Role};
use serde::{Deserialize, Serialize};

/// LUTs an adder bit takes when its operands are not known and pairs will be shared; from the dense
/// networks of the calibration.
const ADDER_BIT: f64 = 0.54;

/// Costs that need no weights. A float reference has 32 bits everywhere here; it has no circuit, and
/// its LUT estimate means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier0 {
    /// Bits of all kernels and biases.
    pub bits_parameters: u64,
    /// Bits of the input, of all activations and of the outputs (8 bits each, as the original has
    /// it). The paper's table leaves the input out.
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
    /// LUTs from widths and the mean number of signed digits of a code: rough, and too high for
    /// weights that train to zero.
    pub lut_estimate: u64,
}

/// Costs of a candidate before training.
pub fn candidate_costs(candidate: &Candidate) -> Tier0 {
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
        lut_estimate: rough_luts(candidate),
    }
}

/// `sum over layers of outputs * (inputs * digits) adders of (input bits + half the weight's
/// magnitude bits + 1) bits`, and the requantizers or comparators behind them.
fn rough_luts(candidate: &Candidate) -> u64 {
    let type_of = |quantizer| DataType::of(Some(quantizer), FloatFormat::Single);
    let code_bits = |quantizer, role| code_bits(quantizer, role) as f64;
    let mut input_bits = code_bits(&candidate.input_quantizer, Role::Input);
    let mut luts = 0.0;
    for (index, layer) in candidate.layers.iter().enumerate() {
        let (inputs, units) = candidate.layer_shape(index);
        let kernel = type_of(&layer.kernel);
        let magnitude = f64::from(kernel.expanded().bits.saturating_sub(1));
        let adders = inputs as f64 * mean_digits(&layer.kernel);
        let width = input_bits + magnitude / 2.0 + 1.0;
        luts += ADDER_BIT * units as f64 * adders * width;
        let Some(activation) = &layer.activation else {
            continue;
        };
        let output = type_of(&activation.quantizer);
        let sum_bits = input_bits + magnitude + (inputs as f64).log2();
        luts += units as f64
            * if output.kind == HardwareKind::Fixed {
                REQUANTIZER * (f64::from(output.bits) + 3.0)
            } else {
                let thresholds = f64::from(output.bits.min(12)).exp2() - 1.0;
                COMPARATOR * thresholds * sum_bits
            };
        input_bits = code_bits(&activation.quantizer, Role::Activation);
    }
    luts.round() as u64
}

/// Mean number of non-zero signed digits over the codes of a kernel quantizer.
fn mean_digits(kernel: &Quantizer) -> f64 {
    let kind = DataType::of(Some(kernel), FloatFormat::Single);
    match kind.kind {
        HardwareKind::Binary | HardwareKind::PowerOfTwo => 1.0,
        HardwareKind::Ternary => 2.0 / 3.0,
        HardwareKind::ZeroOne => 0.5,
        HardwareKind::Fixed | HardwareKind::Table | HardwareKind::Float if kind.bits > 10 => {
            f64::from(kind.bits) / 3.0 + 1.0 / 9.0
        }
        HardwareKind::Fixed | HardwareKind::Table | HardwareKind::Float => {
            let codes = 1_i64 << kind.bits;
            let lowest = if kind.signed { -codes / 2 } else { 0 };
            let digits: usize = (lowest..lowest + codes)
                .map(|code| signed_digits(code).len())
                .sum();
            digits as f64 / codes as f64
        }
    }
}
