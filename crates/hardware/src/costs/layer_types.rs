//! Data types through a network: `QTools`' multiplier, accumulator and output of each layer.

use super::{
    DataType, EnergyMode, FloatFormat, LayerDescription, NetworkDescription, Product, product,
};

/// The data types of one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerTypes {
    /// Type of the values that come in.
    pub input: DataType,
    /// Kernel, or `BatchNorm` scale.
    pub weight: Option<DataType>,
    /// Bias, or `BatchNorm` offset.
    pub bias: Option<DataType>,
    /// One product.
    pub multiplier: Option<Product>,
    /// The sum.
    pub accumulator: Option<DataType>,
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
    let mut input = DataType::of(Some(&network.input), unquantized);
    network
        .layers
        .iter()
        .map(|layer| {
            let types = one_layer(layer, input, mode, unquantized);
            input = types.output;
            types
        })
        .collect()
}

fn one_layer(
    layer: &LayerDescription,
    input: DataType,
    mode: EnergyMode,
    unquantized: FloatFormat,
) -> LayerTypes {
    let pass = |output: DataType, operations: usize| LayerTypes {
        input,
        weight: None,
        bias: None,
        multiplier: None,
        accumulator: None,
        output,
        operations: operations as u64,
    };
    match layer {
        LayerDescription::Dense {
            inputs,
            units,
            kernel,
            use_bias,
            bias,
            ..
        } => {
            let weight = DataType::of(kernel.as_ref(), unquantized);
            let multiplier = product(weight, input, mode);
            let sum = accumulator(multiplier.output, *inputs, *use_bias, mode);
            LayerTypes {
                weight: Some(weight),
                bias: use_bias.then(|| DataType::of(bias.as_ref(), unquantized)),
                multiplier: Some(multiplier),
                accumulator: Some(sum),
                ..pass(sum, inputs * units)
            }
        }
        LayerDescription::BatchNorm {
            channels,
            scale,
            offset,
            ..
        } => {
            let weight = DataType::of(scale.as_ref(), unquantized);
            let bias = DataType::of(offset.as_ref(), unquantized);
            let multiplier = product(weight, input, mode);
            let sum = accumulator(multiplier.output, 1, true, mode);
            LayerTypes {
                weight: Some(weight),
                bias: Some(bias),
                multiplier: Some(multiplier),
                accumulator: Some(sum),
                ..pass(sum, *channels)
            }
        }
        LayerDescription::Activation {
            units, quantizer, ..
        } => pass(DataType::of(quantizer.as_ref(), unquantized), *units),
        LayerDescription::Softmax { units, .. } => pass(DataType::float(unquantized), *units),
    }
}

/// The sum of `terms` products and, perhaps, a bias: `ceil(log2(terms + bias))` bits more than the
/// product; release 0.8 always added `ceil(log2(terms)) + 1`.
fn accumulator(product: DataType, terms: usize, bias: bool, mode: EnergyMode) -> DataType {
    if product.is_float() {
        return product;
    }
    let wide = product.expanded();
    let log2 = |count: usize| count.max(1).next_power_of_two().ilog2();
    let grows = if mode == EnergyMode::Qtools08 {
        log2(terms) + 1
    } else {
        log2(terms + usize::from(bias))
    };
    DataType::fixed(
        wide.bits + grows,
        wide.integer_bits + grows as i32,
        wide.signed,
    )
}
