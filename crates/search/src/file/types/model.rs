//! The model section.

use super::QuantizerText;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A network: `layers`, or `mlp` for a chain of dense layers with rectifiers, or `import` for a model
/// that was registered.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Sizes from the input to the classes: `[16, 64, 32, 32, 5]`. Layers are named `fc1`, `relu1`,
    /// `fc2` and so on, the last `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 64), inner(range(min = 1, max = 65_536)))]
    pub mlp: Option<Vec<u32>>,
    /// Name of a registered model (`bitfront model add`): its layers, and its weights as the starting
    /// weights of every trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub import: Option<String>,
    /// The input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<InputsSpec>,
    /// Layers, each behind the ones it reads; the last gives the logits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
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
    /// Shape of a row, channels last: `[28, 28, 1]` for images, `[50, 3]` for sequences. Its product
    /// is the number of features; one axis if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), inner(range(min = 1, max = 65_536)))]
    pub shape: Option<Vec<u32>>,
    /// Quantizer of the standardised features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantizer: Option<QuantizerText>,
}

/// A layer: a name and one of `dense`, `conv`, `depthwise_conv`, `separable_conv`, `max_pool`,
/// `average_pool`, `global_average_pool`, `flatten`, `zero_padding`, `batch_norm`, `add`,
/// `concatenate`, `activation` and `dropout`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LayerSpec {
    /// Name, unique in the network.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Name of the layer it reads; the one before it if left out, `input` for the network's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Number of outputs of a dense layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_536))]
    pub dense: Option<u32>,
    /// Convolution over one or two axes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conv: Option<ConvSpec>,
    /// Convolution of each channel alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depthwise_conv: Option<DepthwiseConvSpec>,
    /// Depthwise convolution, then a convolution with a window of 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separable_conv: Option<SeparableConvSpec>,
    /// Whether a dense or convolution layer has a bias; true if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_bias: Option<bool>,
    /// Batch normalisation folded into kernel and bias of a dense, convolution or depthwise layer
    /// before they are quantized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold_batch_norm: Option<FoldSpec>,
    /// Largest value in each window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pool: Option<PoolSpec>,
    /// Mean of each window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_pool: Option<PoolSpec>,
    /// Mean over all positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_average_pool: Option<Always>,
    /// All values in one axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flatten: Option<Always>,
    /// Zeros around the axes: `1`, `[1, 2]` for each axis, `[[1, 0], [2, 2]]` for before and behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero_padding: Option<BorderSpec>,
    /// Batch normalisation a channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_norm: Option<BatchNormSpec>,
    /// Names of layers whose values are added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 64))]
    pub add: Option<Vec<String>>,
    /// Names of layers whose channels are put side by side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 64))]
    pub concatenate: Option<Vec<String>>,
    /// Function of an activation layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<ActivationKind>,
    /// Share of the values that training zeroes at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 0.99))]
    pub dropout: Option<f32>,
}

/// `true`: layers that have no settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Always(pub bool);

/// One number for every axis, or one for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Extent {
    /// The same for every axis.
    One(#[schemars(range(min = 1, max = 4096))] u32),
    /// One for each axis.
    Each(#[schemars(length(min = 1, max = 2), inner(range(min = 1, max = 4096)))] Vec<u32>),
}

/// What happens at the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaddingSpec {
    /// Only windows that lie inside.
    #[default]
    Valid,
    /// As many outputs as inputs, divided by the stride.
    Same,
}

/// A convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConvSpec {
    /// Number of output channels.
    #[schemars(range(min = 1, max = 4096))]
    pub filters: u32,
    /// Taps of the window.
    pub size: Extent,
    /// Steps between outputs; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Extent>,
    /// Steps between taps; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dilation: Option<Extent>,
    /// Border; `valid` if left out.
    #[serde(default)]
    pub padding: PaddingSpec,
}

/// A depthwise convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DepthwiseConvSpec {
    /// Outputs a channel; 1 if left out.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 64))]
    pub multiplier: u32,
    /// Taps of the window.
    pub size: Extent,
    /// Steps between outputs; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Extent>,
    /// Steps between taps; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dilation: Option<Extent>,
    /// Border; `valid` if left out.
    #[serde(default)]
    pub padding: PaddingSpec,
}

/// A separable convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeparableConvSpec {
    /// Number of output channels.
    #[schemars(range(min = 1, max = 4096))]
    pub filters: u32,
    /// Outputs a channel of the depthwise step; 1 if left out.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 64))]
    pub multiplier: u32,
    /// Taps of the window.
    pub size: Extent,
    /// Steps between outputs; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Extent>,
    /// Steps between taps; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dilation: Option<Extent>,
    /// Border; `valid` if left out.
    #[serde(default)]
    pub padding: PaddingSpec,
}

fn one() -> u32 {
    1
}

/// A pooling window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolSpec {
    /// Size of the window.
    pub size: Extent,
    /// Steps between outputs; the size if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Extent>,
    /// Border; `valid` if left out.
    #[serde(default)]
    pub padding: PaddingSpec,
}

/// Zeros around the axes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BorderSpec {
    /// The same everywhere.
    One(#[schemars(range(max = 4096))] u32),
    /// The same before and behind each axis.
    Each(#[schemars(length(min = 1, max = 2), inner(range(max = 4096)))] Vec<u32>),
    /// Before and behind each axis.
    Sides(
        #[schemars(
            length(min = 1, max = 2),
            inner(length(min = 2, max = 2), inner(range(max = 4096)))
        )]
        Vec<Vec<u32>>,
    ),
}

/// Batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchNormSpec {
    /// Added to the variance; 0.001 if left out.
    #[serde(default = "epsilon")]
    #[schemars(range(min = 1e-12, max = 1.0))]
    pub epsilon: f32,
    /// Share of the running statistics that a step keeps; 0.99 if left out.
    #[serde(default = "momentum")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub momentum: f32,
    /// Significant bits of each channel's multiplier in the circuit: 1, a power of two, if left out.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 24))]
    pub scale_bits: u32,
    /// Significant bits of each channel's offset in the circuit; 12 if left out.
    #[serde(default = "offset_bits")]
    #[schemars(range(min = 1, max = 24))]
    pub offset_bits: u32,
}

/// Folded batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FoldSpec {
    /// Added to the variance; 0.001 if left out.
    #[serde(default = "epsilon")]
    #[schemars(range(min = 1e-12, max = 1.0))]
    pub epsilon: f32,
    /// Share of the running statistics that a step keeps; 0.99 if left out.
    #[serde(default = "momentum")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub momentum: f32,
}

fn epsilon() -> f32 {
    1e-3
}

fn momentum() -> f32 {
    0.99
}

fn offset_bits() -> u32 {
    12
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
