//! The model section.

use super::QuantizerText;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A dense network: either `layers`, or `mlp` for a chain of dense layers with rectifiers.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Sizes from the input to the classes: `[16, 64, 32, 32, 5]`. Layers are named `fc1`, `relu1`,
    /// `fc2` and so on, the last `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 64), inner(range(min = 1, max = 65_536)))]
    pub mlp: Option<Vec<u32>>,
    /// The input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<InputsSpec>,
    /// Layers, first to last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub layers: Option<Vec<LayerSpec>>,
}

/// The network's input.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputsSpec {
    /// Number of features; the data set's if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_536))]
    pub features: Option<u32>,
    /// Quantizer of the standardised features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantizer: Option<QuantizerText>,
}

/// A layer: a name and either `dense` or `activation`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerSpec {
    /// Name, unique in the network.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Number of outputs of a dense layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_536))]
    pub dense: Option<u32>,
    /// Function of an activation layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<ActivationKind>,
}

/// Activation functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActivationKind {
    /// Rectifier.
    Relu,
    /// Only as the last layer: it changes no arg-max, is not quantized and costs nothing.
    Softmax,
    /// The identity.
    Linear,
}
