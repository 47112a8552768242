//! Size in bits, and the forgiving factor that `AutoQKeras` makes of it.
//!
//! Counted are kernels, biases, the scales and offsets of batch normalisations (floats where a
//! description has the original's, small floats where it has frozen constants) and activations. Scales
//! of `alpha='auto'` and reciprocals of pools are not: the original does not count them.

use super::{Format, LayerKind, NetworkDescription, Parameter};
use bitfront_quantizer::Quantizer;

/// What is counted, and at how many bits where nothing says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitRule {
    /// Bits of each network input; `None` leaves the input out.
    pub input_bits: Option<u32>,
    /// Bits of each output of the closing softmax.
    pub output_bits: u32,
    /// Bits of a parameter or activation without quantizer.
    pub reference_bits: u32,
}

/// Size of one layer in bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerBits {
    /// Name of the layer; `input` is the network's input.
    pub name: String,
    /// Kernel and bias, or scale and offset; zero weights count fully.
    pub parameters: u64,
    /// Values the layer hands on (activation layers only).
    pub activations: u64,
}

/// Size of a network in bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits {
    /// Layers, the input first where it is counted.
    pub layers: Vec<LayerBits>,
}

impl BitRule {
    /// The paper's table: the input left out, 8 bits an output, 8 bits where nothing is quantized.
    pub const PAPER: Self = Self {
        input_bits: None,
        output_bits: 8,
        reference_bits: 8,
    };

    /// `AutoQKeras` as released: 8 bits also for each input.
    pub const AUTO_QKERAS: Self = Self {
        input_bits: Some(8),
        ..Self::PAPER
    };
}

impl Bits {
    /// The size of a network under a rule.
    pub fn of(network: &NetworkDescription, rule: &BitRule) -> Self {
        let width = |format: Format| match format {
            Format::Float => u64::from(rule.reference_bits),
            Format::Quantized(quantizer) => u64::from(stored_bits(&quantizer)),
            Format::Constant { bits } => u64::from(constant_bits(bits)),
        };
        let of_parameter = |part: &Parameter| part.values as u64 * width(part.format);
        let input = rule.input_bits.map(|bits| LayerBits {
            name: "input".to_owned(),
            parameters: 0,
            activations: u64::from(bits) * network.inputs as u64,
        });
        let layers = network.layers.iter().map(|layer| {
            let outputs = layer.outputs as u64;
            let (parameters, activations) = match &layer.kind {
                LayerKind::Sums { kernel, bias, .. } => {
                    let of_bias = bias.as_ref().map_or(0, of_parameter);
                    (of_parameter(kernel) + of_bias, 0)
                }
                LayerKind::BatchNorm { scale, offset } => {
                    (of_parameter(scale) + of_parameter(offset), 0)
                }
                LayerKind::Activation { format } => (0, outputs * width(*format)),
                LayerKind::ChannelActivation { formats } => {
                    let positions = outputs / formats.len().max(1) as u64;
                    (
                        0,
                        positions * formats.iter().map(|one| width(*one)).sum::<u64>(),
                    )
                }
                LayerKind::Softmax => (0, outputs * u64::from(rule.output_bits)),
                LayerKind::MaxPool { .. }
                | LayerKind::AveragePool { .. }
                | LayerKind::Add
                | LayerKind::Concatenate => (0, 0),
            };
            LayerBits {
                name: layer.name.clone(),
                parameters,
                activations,
            }
        });
        Self {
            layers: input.into_iter().chain(layers).collect(),
        }
    }

    /// Bits of all parameters.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().map(|layer| layer.parameters).sum()
    }

    /// Bits of all activations.
    pub fn activations(&self) -> u64 {
        self.layers.iter().map(|layer| layer.activations).sum()
    }

    /// All bits.
    pub fn total(&self) -> u64 {
        self.parameters() + self.activations()
    }
}

/// Bits of the exponent of a frozen constant.
const EXPONENT_BITS: u32 = 5;

/// Bits a frozen constant takes when stored, as a small float: a sign, an exponent of five bits and
/// `bits - 1` bits behind a leading one.
fn constant_bits(bits: u32) -> u32 {
    1 + EXPONENT_BITS + bits.saturating_sub(1)
}

/// Bits one value of a quantized tensor takes when stored.
pub(crate) fn stored_bits(quantizer: &Quantizer) -> u32 {
    super::DataType::of(Some(quantizer), super::FloatFormat::Single).bits
}

/// `AutoQKeras`' forgiving factor: how much relative accuracy a smaller cost forgives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forgiveness {
    /// Percent forgiven each time the cost falls by `rate`.
    pub delta_p: f64,
    /// Percent charged each time the cost grows by `rate`.
    pub delta_n: f64,
    /// The factor between two steps, above 1.
    pub rate: f64,
    /// What the reference cost is multiplied by.
    pub stress: f64,
}

impl Forgiveness {
    /// The stressed reference cost.
    pub fn reference(&self, reference_cost: f64) -> f64 {
        reference_cost * self.stress
    }

    /// `D ln(reference / trial) / ln(rate)`, `D` being `delta_p` or `delta_n` as a fraction.
    ///
    /// The original takes the logarithm of `rate` in single precision, and so does this: its figures
    /// differ from exact ones in the ninth digit.
    pub fn delta(&self, reference_cost: f64, trial_cost: f64) -> f64 {
        let reference = self.reference(reference_cost);
        let percent = if trial_cost < reference {
            self.delta_p
        } else {
            self.delta_n
        };
        let step = f64::from(self.rate.ln() as f32);
        percent / 100.0 * ((reference / trial_cost).ln() / step)
    }
}
