//! The search file's types, as a user writes it.
//!
//! The doc comments here are the descriptions in the JSON schema: editors show them.

use crate::search::{Constraint, OptimizerName, Order, Schedule, Split};
use crate::{Goal, Metric};
use schemars::{json_schema, JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A search: which quantizers to try on which network, aiming at what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchFile {
    /// Version of this format.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// What this file is.
    pub kind: Kind,
    /// Name: small letters, digits and hyphens, at most 63.
    #[schemars(regex(pattern = "^[a-z0-9-]{1,63}$"))]
    pub name: String,
    /// Free text.
    #[serde(default)]
    #[schemars(length(max = 4000))]
    pub description: String,
    /// Free labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Registered data set, by name or with its split.
    pub dataset: DatasetSpec,
    /// Network without quantizers.
    pub model: ModelSpec,
    /// Short for the default search space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceName>,
    /// Pools, rules, groups and seed trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_space: Option<SearchSpaceSpec>,
    /// Training recipe.
    #[serde(default)]
    pub training: TrainingSpec,
    /// Target device, `part@200MHz` or part and clock.
    #[serde(default)]
    pub device: DeviceSpec,
    /// Two objectives: one of quality and one of cost, in the order of the axes.
    #[schemars(length(min = 1, max = 4))]
    pub objectives: Vec<ObjectiveSpec>,
    /// Bounds a front member must keep; trials that break one are kept and marked.
    #[serde(default)]
    pub constraints: Vec<Constraint>,
    /// Where the hypervolume is measured from, for each objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_point: Option<BTreeMap<String, f64>>,
    /// How points are chosen, by name or with settings.
    #[serde(default)]
    pub sampler: SamplerSpec,
    /// How much work.
    pub budget: BudgetSpec,
    /// Whether proposals follow trial numbers (reproducible) or arrival.
    #[serde(default = "by_number")]
    pub order: Order,
    /// Which front members become circuits.
    #[serde(default)]
    pub synthesis: SynthesisSpec,
    /// The one number that fixes sampling, initial weights and shuffling.
    #[serde(default)]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub seed: u64,
}

fn by_number() -> Order {
    Order::Number
}

/// Version of the file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first.
    #[serde(rename = "v1")]
    V1,
}

/// Kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// A search.
    Search,
}

/// A data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DatasetSpec {
    /// By name, with the default split.
    Name(String),
    /// With its split.
    Full(DatasetFull),
}

/// A data set with its split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetFull {
    /// Registered name.
    pub name: String,
    /// Shares of train, validation and test; they sum to 1. Default 0.8, 0.1, 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
}

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
    /// Kernels of dense layers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<ChoiceSpec>,
    /// Biases of dense layers.
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

/// How candidates are trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingSpec {
    /// Passes over the training split.
    #[schemars(range(min = 1, max = 10_000))]
    pub epochs: u32,
    /// Rows in a step.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub batch_size: u32,
    /// Optimizer.
    pub optimizer: OptimizerSpec,
    /// Trainings of each candidate; 1 for now.
    #[schemars(range(min = 1, max = 1))]
    pub repeats: u32,
}

impl Default for TrainingSpec {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 1024,
            optimizer: OptimizerSpec::default(),
            repeats: 1,
        }
    }
}

/// The optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSpec {
    /// Which one.
    pub name: OptimizerName,
    /// Initial learning rate.
    #[schemars(range(min = 1e-8, max = 10.0))]
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
}

impl Default for OptimizerSpec {
    fn default() -> Self {
        Self {
            name: OptimizerName::Adam,
            learning_rate: 0.003,
            schedule: Schedule::Cosine,
        }
    }
}

/// A device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DeviceSpec {
    /// `xcvu9p@200MHz`, or a part alone.
    Short(String),
    /// Part and clock.
    Full(DeviceFull),
}

impl Default for DeviceSpec {
    fn default() -> Self {
        Self::Short("xcvu9p@200MHz".to_owned())
    }
}

/// A part and its clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceFull {
    /// Part name.
    pub part: String,
    /// Clock in MHz.
    #[serde(default = "default_clock_mhz")]
    #[schemars(range(min = 1.0, max = 2000.0))]
    pub clock_mhz: f64,
}

/// The clock of the paper's hardware table.
pub(super) fn default_clock_mhz() -> f64 {
    200.0
}

/// An objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ObjectiveSpec {
    /// A metric, in its own direction.
    Name(Metric),
    /// With its direction written out.
    Full(ObjectiveFull),
}

/// An objective with its direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveFull {
    /// What is measured.
    pub metric: Metric,
    /// Which way is better; the metric's own if left out, and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<Goal>,
}

/// A sampler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SamplerSpec {
    /// By name, with default settings.
    Name(SamplerName),
    /// With settings.
    Full(SamplerFull),
}

impl Default for SamplerSpec {
    fn default() -> Self {
        Self::Name(SamplerName::Evolution)
    }
}

/// Samplers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SamplerName {
    /// Uniformly from the points not yet tried.
    Random,
    /// Asynchronous steady-state evolution.
    Evolution,
}

/// A sampler with its settings, which only `evolution` has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamplerFull {
    /// Which one.
    pub name: SamplerName,
    /// Trials that may become parents; default 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 10_000))]
    pub population: Option<u32>,
    /// Trials drawn before the first child, seed trials apart; default half the population.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub warmup: Option<u32>,
    /// Chance that a child has two parents; default 0.9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub crossover: Option<f64>,
}

/// How much work a search does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetSpec {
    /// Trials, seed trials included.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub trials: u32,
    /// Trials open at once: trial n is chosen from the outcomes of trials 0 to n - parallel.
    #[serde(default = "default_parallel")]
    #[schemars(range(min = 1, max = 4096))]
    pub parallel: u32,
}

fn default_parallel() -> u32 {
    8
}

/// Which front members become circuits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SynthesisSpec {
    /// Which.
    pub policy: SynthesisPolicyName,
    /// How many at most, smallest first; default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub count: Option<u32>,
    /// How far below the front's best validation accuracy, in accuracy: 0.02 is two points.
    /// Default 0.02.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_accuracy_drop: Option<f64>,
    /// Largest `lut_estimate`; no limit if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub max_lut_estimate: Option<u64>,
}

impl Default for SynthesisSpec {
    fn default() -> Self {
        Self {
            policy: SynthesisPolicyName::None,
            count: None,
            max_accuracy_drop: None,
            max_lut_estimate: None,
        }
    }
}

/// Synthesis policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SynthesisPolicyName {
    /// None, unless asked for one by one.
    None,
    /// The smallest members of the final front that are near its best.
    Front,
}

/// A quantizer as a `QKeras` string: `quantized_bits(6,0,alpha=1.0)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuantizerText(pub String);

impl JsonSchema for QuantizerText {
    fn schema_name() -> Cow<'static, str> {
        "Quantizer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "quantizer",
            "description": "A quantizer as a QKeras string: `quantized_bits(6,0,alpha=1.0)`."
        })
    }
}
