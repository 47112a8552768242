//! The search space section.

use super::QuantizerText;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Named search spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpaceName {
    /// The default pools for every layer.
    Default,
}

/// Which quantizers may stand where.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchSpaceSpec {
    /// Named lists of quantizers. `kernel`, `bias`, `activation`, `linear` and `input` replace the
    /// default pools of these names.
    #[serde(default)]
    pub pools: BTreeMap<String, Vec<QuantizerText>>,
    /// Rules, top to bottom: the last match wins for each key. What no rule matches has its default
    /// pool.
    #[serde(default)]
    pub rules: Vec<RuleSpec>,
    /// Layers that share one choice: `[[relu1, relu2]]`.
    #[serde(default)]
    pub groups: Vec<Vec<String>>,
    /// Candidates that are trained first; default: float and uniform 8, 6, 4 and 2 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed_trials: Option<Vec<SeedTrialSpec>>,
}

/// A rule: which layers, and the quantizers they may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// Which layers; with both keys, those that match both.
    #[serde(rename = "match")]
    pub matches: MatchSpec,
    /// Kernels of dense, convolution and depthwise layers, and a separable layer's depthwise one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<ChoiceSpec>,
    /// Pointwise kernels of separable layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointwise_kernel: Option<ChoiceSpec>,
    /// Biases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias: Option<ChoiceSpec>,
    /// Activation layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<ChoiceSpec>,
    /// The network's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<ChoiceSpec>,
}

/// Which layers a rule is for.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchSpec {
    /// Type of layer.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub layer_type: Option<LayerType>,
    /// Name, exact or with `*` for any part: `fc*`. The input's name is `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Types of layers in rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LayerType {
    /// Dense layers.
    Dense,
    /// Convolutions.
    Conv,
    /// Depthwise convolutions.
    DepthwiseConv,
    /// Separable convolutions.
    SeparableConv,
    /// Activation layers, rectifying or not.
    Activation,
    /// Rectifying activation layers.
    Relu,
    /// Activation layers that do not rectify.
    Linear,
    /// The network's input.
    Input,
}

/// Quantizers to choose from: `pool`, with bounds on the bits, or `fixed`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChoiceSpec {
    /// Name of a pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Leave out quantizers of fewer bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32))]
    pub min_bits: Option<u32>,
    /// Leave out quantizers of more bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32))]
    pub max_bits: Option<u32>,
    /// This quantizer and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<QuantizerText>,
}

/// A candidate that is trained before the sampler starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SeedTrialSpec {
    /// `float: true`: no quantizers; the accuracy to compare with.
    Float(bool),
    /// `imported: true`: an imported model as it is, with its own quantizers.
    Imported(bool),
    /// The paper's uniform scan: n bits on every kernel, bias and activation. One bit is
    /// `binary(alpha=1.0)`, two `ternary(alpha=1.0)`, more `quantized_bits(n,0,alpha=1.0)`;
    /// activations are `quantized_relu(n)`.
    UniformBits(#[schemars(range(min = 1, max = 16))] u32),
    /// The same quantizers in every layer.
    All(AllSpec),
}

/// The same quantizers in every layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AllSpec {
    /// Kernels.
    pub kernel: QuantizerText,
    /// Biases.
    pub bias: QuantizerText,
    /// Activations.
    pub activation: QuantizerText,
    /// Input; the model's if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<QuantizerText>,
}
