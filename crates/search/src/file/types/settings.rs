//! Training, device, objectives, sampler, budget and synthesis.

use crate::learned::Granularity;
use crate::search::{
    Averaging, ClassWeights, Distillation, EarlyStopping, Loss, Pruning, Schedule, is_default,
};
use crate::{Goal, Metric};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// What a row costs; default `softmax_cross_entropy`, of data sets with values `mean_squared_error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// Trainings of each candidate; 1 for now.
    #[schemars(range(min = 1, max = 1))]
    pub repeats: u32,
    /// Largest length of the gradient of all weights together; a longer one is scaled down to it.
    /// No limit if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1e-6, max = 1e6))]
    pub clip_norm: Option<f64>,
    /// Penalty on the size of kernels' weights, `l1 |w|`; default 0. The paper's is 1e-4.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub l1: f64,
    /// Penalty on the squares of kernels' weights, `l2 w²`; default 0.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub l2: f64,
    /// Ends a training whose validation loss no longer falls: `{patience: 10}`. Never if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Whether the weights of the epoch with the lowest validation loss are kept, not the last
    /// epoch's; default no.
    #[serde(skip_serializing_if = "is_default")]
    pub best_epoch: bool,
    /// Share of the targets that training spreads evenly over all classes; default 0.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(min = 0.0, max = 0.999))]
    pub label_smoothing: f64,
    /// How much the rows of each class count in training: `balanced`, or one number a class. Alike if
    /// left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// The average of the weights that is scored in their place: `{ema: {decay: 0.99}}` or
    /// `{swa: {start_epoch: 8}}`. None if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub averaging: Option<Averaging>,
    /// How kernels are pruned by magnitude: `{schedule: {polynomial: {final_sparsity: 0.5, end_epoch:
    /// 6}}, by: weight}`. Not at all if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pruning: Option<Pruning>,
    /// How candidates learn from the network's float reference, or a wider one, beside the labels:
    /// `{weight: 0.5, temperature: 2}`. From labels alone if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distillation: Option<Distillation>,
}

impl Default for TrainingSpec {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 1024,
            optimizer: OptimizerSpec::default(),
            loss: None,
            repeats: 1,
            clip_norm: None,
            l1: 0.0,
            l2: 0.0,
            early_stopping: None,
            best_epoch: false,
            label_smoothing: 0.0,
            class_weights: None,
            averaging: None,
            pruning: None,
            distillation: None,
        }
    }
}

/// The optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerSpec {
    /// Which one.
    pub name: OptimizerKind,
    /// Initial learning rate.
    #[schemars(range(min = 1e-8, max = 1.0))]
    pub learning_rate: f64,
    /// How the learning rate changes: `cosine`, or with settings `{plateau: {patience: 5}}`.
    pub schedule: Schedule,
    /// Of `sgd`: share of the last step that is added to the next; default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub momentum: Option<f64>,
    /// Of `sgd`: whether the step looks ahead along the momentum; default no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nesterov: Option<bool>,
    /// Of `adamw`: share of a weight that a step takes away, times the learning rate; default 0.004.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: Option<f64>,
}

/// Optimizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam.
    Adam,
    /// Adam with decay of the weights that no moment sees.
    AdamW,
    /// Gradient descent, with momentum if given.
    Sgd,
}

impl Default for OptimizerSpec {
    fn default() -> Self {
        Self {
            name: OptimizerKind::Adam,
            learning_rate: 0.01,
            schedule: Schedule::Cosine,
            momentum: None,
            nesterov: None,
            weight_decay: None,
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
    /// Clock in MHz; 200, another one is `circuit: {clock_mhz}`.
    #[serde(default = "default_clock_mhz")]
    #[schemars(range(min = 1.0, max = 2000.0))]
    pub clock_mhz: f64,
    /// Of a device that no table has: its look-up tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub lut: Option<u64>,
    /// Of a device that no table has: its flip-flops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub ff: Option<u64>,
    /// Of a device that no table has: its DSP blocks; left out if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub dsp: Option<u64>,
    /// Of a device that no table has: its block RAMs; left out if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub bram: Option<u64>,
    /// Of a device that no table has: its `UltraRAM`s; left out if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub uram: Option<u64>,
}

/// The clock of the paper's hardware table.
pub(in crate::file) fn default_clock_mhz() -> f64 {
    200.0
}

/// How circuits are built.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CircuitSpec {
    /// What adder graphs are searched for; default `bounded_depth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<CircuitGoalName>,
    /// Of `bounded_depth`: adder levels beyond the least that a kernel's digits allow; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 16))]
    pub extra_depth: Option<u32>,
    /// Clock in MHz that registers are placed for, by a delay model; default the device's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1.0, max = 2000.0))]
    pub clock_mhz: Option<f64>,
    /// What products of variables by weights are made of; default `luts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multipliers: Option<MultipliersName>,
    /// Of `multipliers: auto`: price of a DSP block in LUTs; default 55, as in `lut_equivalent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub luts_per_dsp: Option<u32>,
    /// What the output bus carries; default `logits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputName>,
    /// Of `output: softmax`: the precision of its tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub softmax: Option<SoftmaxSpec>,
    /// Whether it says which outputs are rows: `in_valid` beside the inputs comes out as `out_valid`; default `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<bool>,
    /// What the ranges of sums are taken from; default `proven`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranges: Option<RangesName>,
    /// How networks are laid out; default `unrolled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<LayoutName>,
    /// Of `layout: streamed`: cycles that each multiplier of a dense layer of features is used in for a row; default 1, adder
    /// graphs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub reuse: Option<u32>,
}

/// What the output bus of a circuit carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputName {
    /// A code for each output of the network.
    Logits,
    /// The index of the largest, the lowest of equal ones: of classes alone.
    Argmax,
    /// A probability for each class, by tables of exponentials and inverses.
    Softmax,
}

/// The tables of an integer softmax; what is left out is that of tables of 1024 entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoftmaxSpec {
    /// Address bits of the tables; default 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 4, max = 12))]
    pub address_bits: Option<u32>,
    /// Fraction bits of the distances below the largest logit that are told apart; default 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 12))]
    pub address_fraction: Option<u32>,
    /// Fraction bits of the exponentials; default 17.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 4, max = 24))]
    pub exp_fraction: Option<u32>,
    /// Fraction bits of the inverses of their sums; default 17.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 4, max = 24))]
    pub inverse_fraction: Option<u32>,
    /// Fraction bits of the probabilities; default 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 24))]
    pub output_fraction: Option<u32>,
}

/// What the ranges of a circuit's sums are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RangesName {
    /// From interval analysis: the circuit equals integer inference on every input.
    Proven,
    /// From the train rows: the circuit equals integer inference on rows whose sums stay within theirs, and may wrap on others.
    Data,
}

/// How networks are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LayoutName {
    /// Adders of its own for every output position of every layer; a row each clock cycle.
    Unrolled,
    /// Position by position through line buffers, dense layers with shared multipliers: for networks too large to unroll.
    Streamed,
}

/// What products of variables by weights are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MultipliersName {
    /// Shifts and adders.
    Luts,
    /// DSP blocks, one for each product that a block takes.
    Dsps,
    /// DSP blocks where a multiplier of adders takes more LUTs than the price of one.
    Auto,
}

/// What adder graphs are searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CircuitGoalName {
    /// The fewest LUTs, however deep.
    MinLut,
    /// The fewest LUTs within a depth.
    BoundedDepth,
}

/// A bound that a front member must keep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConstraintSpec {
    /// What is bounded.
    pub metric: Metric,
    /// Smallest value allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<BoundSpec>,
    /// Largest value allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<BoundSpec>,
}

/// A bound: a number, or a share of what the device has, `5 %`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum BoundSpec {
    /// In the metric's own unit.
    Number(f64),
    /// A share of the device, `5 %`.
    Share(String),
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

impl ObjectiveSpec {
    /// What is measured.
    pub(crate) fn metric(&self) -> Metric {
        match self {
            Self::Name(metric) => *metric,
            Self::Full(full) => full.metric,
        }
    }
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
    /// No quantizers are chosen: each trial is a run that learns bit widths with the weights, and the
    /// candidates it keeps become trials too.
    LearnedBits,
}

/// A sampler with its settings: each says which sampler has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamplerFull {
    /// Which one.
    pub name: SamplerName,
    /// Of `evolution`: trials that may become parents; default 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 10_000))]
    pub population: Option<u32>,
    /// Of `evolution`: trials drawn before the first child, seed trials apart; default half the population.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub warmup: Option<u32>,
    /// Of `evolution`: chance that a child has two parents; default 0.9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub crossover: Option<f64>,
    /// Of `learned_bits`: passes over the training split while bit widths are learned; default 120.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub epochs: Option<u32>,
    /// Of `learned_bits`: rows in a step; default 1024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_048_576))]
    pub batch_size: Option<u32>,
    /// Of `learned_bits`: initial learning rate of the weights; default 0.003.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1e-8, max = 1.0))]
    pub learning_rate: Option<f64>,
    /// Of `learned_bits`: initial rate of the bit widths, in bits; default 0.01.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1e-8, max = 1.0))]
    pub bits_rate: Option<f64>,
    /// Of `learned_bits`: share of both rates that is left at the end; default 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub final_rate: Option<f64>,
    /// Of `learned_bits`: nats of mean loss that an EBOP costs at first; default 1e-6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1e-12, max = 1.0))]
    pub first_beta: Option<f64>,
    /// Of `learned_bits`: the same at the end, at least `first_beta`; default 2e-4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1e-12, max = 1.0))]
    pub last_beta: Option<f64>,
    /// Of `learned_bits`: share of the epochs that `first_beta` is kept for; default 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 0.99))]
    pub flat: Option<f64>,
    /// Of `learned_bits`: fraction bits that every weight and value starts with; default 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 10.0))]
    pub fraction_bits: Option<f64>,
    /// Of `learned_bits`: share of the running averages, which candidates are made of, that is kept at
    /// each step; default 0.99.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub averaging: Option<f64>,
    /// Of `learned_bits`: what has bit widths of its own; default `weight`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granularity: Option<Granularity>,
}

/// How much work a search does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetSpec {
    /// Trials, seed trials included; of sampler `learned_bits` the runs, whose candidates are not counted.
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

/// Which trials become circuits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SynthesisSpec {
    /// Which.
    pub policy: SynthesisPolicyName,
    /// What builds and measures them; default `yosys`. A job waits for a worker that has the engine's programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineName>,
    /// The part that the engine places for: `hx8k-ct256` of nextpnr, `xcvu9p-flgb2104-2-i` of Vivado, whose default is the
    /// device's. `yosys` places nothing and has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Of `front` and `top_k`: how many at most; default 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub count: Option<u32>,
    /// Of `front`: how far below the front's best validation accuracy, in accuracy: 0.02 is two
    /// points; where values are predicted, how far above its least mean squared error. Default 0.02.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_accuracy_drop: Option<f64>,
    /// Of `top_k`, required: by what. No measured metric: it is known only after synthesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// Of `every_nth`, required: 10 is every tenth completed trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub every: Option<u32>,
    /// Largest `lut_estimate`; no limit if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub max_lut_estimate: Option<u64>,
}

impl Default for SynthesisSpec {
    fn default() -> Self {
        Self {
            policy: SynthesisPolicyName::None,
            engine: None,
            part: None,
            count: None,
            max_accuracy_drop: None,
            metric: None,
            every: None,
            max_lut_estimate: None,
        }
    }
}

/// Synthesis engines. Figures of different ones are never compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EngineName {
    /// Yosys for `UltraScale+`: cells are mapped, nothing is placed.
    #[default]
    #[serde(rename = "yosys")]
    Yosys,
    /// Yosys and nextpnr on an iCE40: placed and routed, for small circuits.
    #[serde(rename = "yosys-nextpnr-ice40")]
    Ice40,
    /// Yosys and nextpnr on an ECP5. Untested on the real tool.
    #[serde(rename = "yosys-nextpnr-ecp5")]
    Ecp5,
    /// Vivado out of context, after routing. Untested on the real tool.
    #[serde(rename = "vivado")]
    Vivado,
    /// Vitis HLS on an hls4ml project: the tool's own estimate of its own circuit. Untested on the real tool.
    #[serde(rename = "vitis-hls")]
    Vitis,
}

/// Synthesis policies. All look at the completed trials once the last one has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SynthesisPolicyName {
    /// None, unless asked for one by one.
    None,
    /// The smallest members of the final front that are near its best.
    Front,
    /// The best trials by one metric that meet every constraint.
    TopK,
    /// Every n-th completed trial, in trial order.
    EveryNth,
}
