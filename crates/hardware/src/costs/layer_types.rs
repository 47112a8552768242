//! Data types through a network: `QTools`' multiplier, accumulator and output of each layer.

use super::{
    DataType, EnergyMode, FloatFormat, Format, LayerDescription, LayerKind, NetworkDescription,
    Product, product,
};
use bitfront_network::Source;

/// The data types of one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerTypes {
    /// Type of the values that come in; of several sources, one that holds them all.
    pub input: DataType,
    /// Kernel, or `BatchNorm` scale.
    pub weight: Option<DataType>,
    /// Bias, or `BatchNorm` offset.
    pub bias: Option<DataType>,
    /// One product.
    pub multiplier: Option<Product>,
    /// The sum.
    pub accumulator: Option<DataType>,
    /// The product of a finished sum and a frozen scale (corrected mode only).
    pub scaling: Option<Product>,
    /// Type of the values that go out.
    pub output: DataType,
    /// Number of operations.
    pub operations: u64,
}

/// The data types of every layer, first to last.
pub fn layer_types(
    network: &NetworkDescription,
    mode: EnergyMode,
    unquantized: FloatFormat,
) -> Vec<LayerTypes> {
    let first = DataType::of(Some(&network.input), unquantized);
    let rules = Rules { mode, unquantized };
    let mut types: Vec<LayerTypes> = Vec::with_capacity(network.layers.len());
    for layer in &network.layers {
        let read = layer.sources.iter().map(|source| match source {
            Source::Input => first,
            Source::Layer(index) => types[*index].output,
        });
        let input = read.reduce(DataType::hull).unwrap_or(first);
        types.push(rules.layer(layer, input));
    }
    types
}

struct Rules {
    mode: EnergyMode,
    unquantized: FloatFormat,
}

impl Rules {
    fn layer(&self, layer: &LayerDescription, input: DataType) -> LayerTypes {
        let outputs = layer.outputs;
        let pass = |output: DataType, operations: usize| LayerTypes {
            input,
            weight: None,
            bias: None,
            multiplier: None,
            accumulator: None,
            scaling: None,
            output,
            operations: operations as u64,
        };
        match &layer.kind {
            LayerKind::Sums {
                fan_in,
                kernel,
                bias,
                scale_bits,
            } => {
                let weight = self.type_of(kernel.format);
                let multiplier = product(weight, input, self.mode);
                let sum = self.accumulator(multiplier.output, *fan_in, bias.is_some());
                let scaling = scale_bits.and_then(|bits| self.scaling(bits, sum));
                LayerTypes {
                    weight: Some(weight),
                    bias: bias.map(|bias| self.type_of(bias.format)),
                    multiplier: Some(multiplier),
                    accumulator: Some(sum),
                    scaling,
                    ..pass(scaling.map_or(sum, |s| s.output), fan_in * outputs)
                }
            }
            LayerKind::BatchNorm { scale, offset } => {
                let weight = self.type_of(scale.format);
                let multiplier = product(weight, input, self.mode);
                let sum = self.accumulator(multiplier.output, 1, true);
                LayerTypes {
                    weight: Some(weight),
                    bias: Some(self.type_of(offset.format)),
                    multiplier: Some(multiplier),
                    accumulator: Some(sum),
                    ..pass(sum, outputs)
                }
            }
            LayerKind::Activation { format } => pass(self.type_of(*format), outputs),
            // One type for all, as memories and multipliers behind it have one.
            LayerKind::ChannelActivation { formats } => {
                let types = formats.iter().map(|format| self.type_of(*format));
                pass(types.reduce(DataType::hull).unwrap_or(input), outputs)
            }
            // A maximum of n values takes n - 1 comparisons.
            LayerKind::MaxPool { taps } => pass(input, outputs * taps.saturating_sub(1)),
            LayerKind::AveragePool {
                taps,
                reciprocal_bits,
            } => {
                let sum = grown(input, ceil_log2(*taps));
                let scaling = reciprocal_bits.and_then(|bits| self.scaling(bits, sum));
                LayerTypes {
                    accumulator: Some(sum),
                    scaling,
                    ..pass(scaling.map_or(sum, |s| s.output), outputs * taps)
                }
            }
            LayerKind::Add => {
                let sources = layer.sources.len();
                // The original has one bit more however many are added.
                let grows = match self.mode {
                    EnergyMode::Corrected => ceil_log2(sources),
                    _ => 1,
                };
                let sum = grown(input, grows);
                LayerTypes {
                    accumulator: Some(sum),
                    ..pass(sum, outputs * sources.saturating_sub(1))
                }
            }
            LayerKind::Concatenate => pass(input, 0),
            LayerKind::Softmax => pass(DataType::float(self.unquantized), outputs),
        }
    }

    /// Frozen constants are floats to the original. Here a constant of one significant bit is a sign
    /// and a shift, which is wires, and any other a signed multiplier.
    fn type_of(&self, format: Format) -> DataType {
        match format {
            Format::Quantized(quantizer) => DataType::of(Some(&quantizer), self.unquantized),
            Format::Constant { bits } if self.mode == EnergyMode::Corrected => {
                DataType::constant(bits, true)
            }
            Format::Float | Format::Constant { .. } => DataType::float(self.unquantized),
        }
    }

    /// The product of a sum and a frozen positive constant; the original has it in the weights.
    fn scaling(&self, bits: u32, sum: DataType) -> Option<Product> {
        (self.mode == EnergyMode::Corrected && bits > 1)
            .then(|| product(DataType::constant(bits, false), sum, self.mode))
    }

    /// The sum of `terms` products and, perhaps, a bias: `ceil(log2(terms + bias))` bits more than
    /// the product; release 0.8 always added `ceil(log2(terms)) + 1`.
    fn accumulator(&self, product: DataType, terms: usize, bias: bool) -> DataType {
        let grows = if self.mode == EnergyMode::Qtools08 {
            ceil_log2(terms) + 1
        } else {
            ceil_log2(terms + usize::from(bias))
        };
        grown(product, grows)
    }
}

/// A fixed-point type of `grows` more bits on the left; floats stay.
fn grown(of: DataType, grows: u32) -> DataType {
    if of.is_float() {
        return of;
    }
    let wide = of.expanded();
    DataType::fixed(
        wide.bits + grows,
        wide.integer_bits + grows as i32,
        wide.signed,
    )
}

fn ceil_log2(count: usize) -> u32 {
    count.max(1).next_power_of_two().ilog2()
}
