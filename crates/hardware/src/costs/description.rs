//! What the cost models read: a typed list of layers with their quantizers.

use bitfront_network::Candidate;
use bitfront_quantizer::Quantizer;

/// One layer as the cost models see it. A missing quantizer means the original's float layer.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerDescription {
    /// `units` sums of `inputs` products.
    Dense {
        /// Name, unique in the network.
        name: String,
        /// Inputs of each sum.
        inputs: usize,
        /// Number of sums.
        units: usize,
        /// Kernel quantizer (`inputs x units` values).
        kernel: Option<Quantizer>,
        /// Whether a bias is added.
        use_bias: bool,
        /// Bias quantizer (`units` values); meaningless without a bias.
        bias: Option<Quantizer>,
    },
    /// A scale and an offset per channel.
    BatchNorm {
        /// Name, unique in the network.
        name: String,
        /// Number of channels.
        channels: usize,
        /// Quantizer of the scales.
        scale: Option<Quantizer>,
        /// Quantizer of the offsets.
        offset: Option<Quantizer>,
    },
    /// A quantized activation layer.
    Activation {
        /// Name, unique in the network.
        name: String,
        /// Number of values.
        units: usize,
        /// Quantizer of the values.
        quantizer: Option<Quantizer>,
    },
    /// The closing softmax of the original's networks. A circuit ends in logits and has none, so
    /// only the `qtools` energy modes and the size in bits look at it.
    Softmax {
        /// Name, unique in the network.
        name: String,
        /// Number of classes.
        units: usize,
    },
}

/// A network as the cost models see it.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkDescription {
    /// Number of input values.
    pub inputs: usize,
    /// Quantizer of the input (`QTools`' source quantizer).
    pub input: Quantizer,
    /// Layers, first to last.
    pub layers: Vec<LayerDescription>,
}

impl LayerDescription {
    /// The layer's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Dense { name, .. }
            | Self::BatchNorm { name, .. }
            | Self::Activation { name, .. }
            | Self::Softmax { name, .. } => name,
        }
    }

    /// Number of values the layer hands on.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Dense { units, .. }
            | Self::Activation { units, .. }
            | Self::Softmax { units, .. } => *units,
            Self::BatchNorm { channels, .. } => *channels,
        }
    }
}

impl NetworkDescription {
    /// The description of a candidate: its dense and activation layers, closed by a softmax.
    pub fn of(candidate: &Candidate) -> Self {
        let mut layers = Vec::new();
        for (index, layer) in candidate.layers.iter().enumerate() {
            let (inputs, units) = candidate.layer_shape(index);
            layers.push(LayerDescription::Dense {
                name: layer.name.clone(),
                inputs,
                units,
                kernel: Some(layer.kernel),
                use_bias: true,
                bias: Some(layer.bias),
            });
            if let Some(activation) = &layer.activation {
                layers.push(LayerDescription::Activation {
                    name: activation.name.clone(),
                    units,
                    quantizer: Some(activation.quantizer),
                });
            }
        }
        layers.push(LayerDescription::Softmax {
            name: "softmax".to_owned(),
            units: candidate.outputs(),
        });
        Self {
            inputs: candidate.inputs,
            input: candidate.input_quantizer,
            layers,
        }
    }
}
