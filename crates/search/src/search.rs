//! A resolved search: what is stored, hashed and handed to every other function here.

mod pruning;
mod teacher;

use crate::digest::sha256_hex;
use crate::learned::LearnedBits;
use crate::space::Space;
use crate::{Goal, Metric};
use bitfront_hardware::circuit::{BuildOptions, Multipliers, OutputForm, Ranges};
use bitfront_hardware::design::{DesignOptions, Layout};
use bitfront_hardware::device::Resources;
use bitfront_hardware::engine::Target;
use bitfront_network::{Candidate, Head};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use pruning::{ConstantSparsity, PolynomialSparsity, PruneBy, Pruning, PruningSchedule};

/// A search with every default written out, every name resolved and every quantizer parsed.
///
/// Made by [`file::read`](crate::file::read). Its canonical JSON is what is stored, and the digest
/// of that JSON identifies it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Name, `[a-z0-9-]{1,63}`.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// Data set and split.
    pub dataset: DatasetUse,
    /// Layer graph, without quantizers.
    pub network: Network,
    /// The registered model that every trial starts from; `None`: weights drawn from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// One variable for each free choice and each fixed one.
    pub space: Space,
    /// Trials 0 to k-1: known candidates that anchor the front.
    pub seed_trials: Vec<SeedTrial>,
    /// Training recipe.
    pub training: Training,
    /// Target device.
    pub device: Device,
    /// What adder graphs are searched for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub circuit: CircuitGoal,
    /// What products of variables by weights are made of.
    #[serde(default, skip_serializing_if = "is_default")]
    pub multipliers: Multipliers,
    /// What the output bus of circuits carries.
    #[serde(default, skip_serializing_if = "is_default")]
    pub output: OutputForm,
    /// Whether circuits have flags of valid rows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub valid: bool,
    /// What the ranges of sums are taken from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ranges: Ranges,
    /// How networks are laid out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub layout: Layout,
    /// Objectives, in the order of the axes.
    pub objectives: Vec<Objective>,
    /// Bounds a front member must keep.
    pub constraints: Vec<Constraint>,
    /// Where the hypervolume is measured from, in natural units, one value for each objective;
    /// `None`: the worst values among the finished trials.
    pub reference_point: Option<Vec<f64>>,
    /// How points are chosen.
    pub sampler: Sampler,
    /// How much work.
    pub budget: Budget,
    /// Whether proposals follow trial numbers or arrival.
    pub order: Order,
    /// Which front members become circuits.
    pub synthesis: SynthesisPolicy,
    /// What builds and measures them. `lut_measured` and its like are of this engine alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub synthesis_target: Target,
    /// The one number that fixes sampling, initial weights and shuffling.
    pub seed: u64,
}

/// Which data a search uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetUse {
    /// Registered name.
    pub name: String,
    /// Digest of the registered file.
    pub digest: String,
    /// Split.
    pub split: Split,
    /// Features that are predicted, in the order of the outputs, and not read; none: the file's labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

/// Shares of the rows in each split, stratified by class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Share trained on.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub train: f64,
    /// Share that chooses: sampler, pruner and front see it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub validation: f64,
    /// Share that is only reported. A data set with its own test table keeps that instead.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub test: f64,
    /// Seed of the split.
    #[serde(default)]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub seed: u64,
    /// Which rows test, where the data set has no test table of its own; default `each_class`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub test_rows: TestRows,
}

/// Which rows test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestRows {
    /// A share of each class.
    #[default]
    EachClass,
    /// The rows of scikit-learn's `train_test_split(test_size=test, random_state=seed)`, as published splits are made: with
    /// `test: 0.2, seed: 42` those of the hls4ml LHC jets. Seeds are below 4,294,967,296. Of the others, shares of each class.
    ScikitLearn,
}

/// A network without quantizers, as its float reference: every kernel and bias is `float`, every
/// activation layer `relu` or `float`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Network {
    /// The float reference.
    pub float: Candidate,
}

/// A registered model whose weights trials start from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Its name.
    pub model: String,
    /// SHA-256 of its weights file, which holds them under the float reference of the network.
    pub weights_digest: String,
}

/// A candidate the search starts with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedTrial {
    /// What it is called in tables: `float`, `uniform-8`, `custom-5`.
    pub label: String,
    /// The candidate; it need not lie in the space.
    pub candidate: Candidate,
}

/// How a candidate is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Passes over the training split.
    pub epochs: u32,
    /// Rows in a step.
    pub batch_size: u32,
    /// Optimizer.
    pub optimizer: Optimizer,
    /// What a row costs, and what its outputs mean.
    #[serde(default, skip_serializing_if = "is_default")]
    pub loss: Loss,
    /// Trainings of each candidate, each with its own seed.
    pub repeats: u32,
    /// Largest length of a step's gradient; a longer one is scaled down to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Penalty `l1 |w|` on the weights of kernels.
    #[serde(default, skip_serializing_if = "is_default")]
    pub l1: f64,
    /// Penalty `l2 w²` on the weights of kernels.
    #[serde(default, skip_serializing_if = "is_default")]
    pub l2: f64,
    /// When to end before the last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Whether the epoch with the lowest validation loss is scored, not the last.
    #[serde(default, skip_serializing_if = "is_default")]
    pub best_epoch: bool,
    /// Share of the targets that training spreads evenly over all classes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub label_smoothing: f64,
    /// How much the rows of each class count in training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// How weights are averaged along a training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub averaging: Option<Averaging>,
    /// How kernels are pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruning: Option<Pruning>,
    /// How candidates learn from a teacher, their float parent or a wider one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distillation: Option<Distillation>,
}

/// What a row costs in training, and with it what a network's outputs are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Of classes, one output each: the largest is the class.
    #[default]
    SoftmaxCrossEntropy,
    /// Of two classes, one output, at least 0 for the second; or of values from 0 to 1, an
    /// output each.
    BinaryCrossEntropy,
    /// Of values: the mean of squared differences. Outputs are the standardised values.
    MeanSquaredError,
    /// Of values: the mean of absolute differences. Outputs are the standardised values.
    MeanAbsoluteError,
}

impl Loss {
    /// Its name in search files.
    pub fn name(self) -> &'static str {
        match self {
            Self::SoftmaxCrossEntropy => "softmax_cross_entropy",
            Self::BinaryCrossEntropy => "binary_cross_entropy",
            Self::MeanSquaredError => "mean_squared_error",
            Self::MeanAbsoluteError => "mean_absolute_error",
        }
    }

    /// The head of the networks that it trains.
    pub fn head(self) -> Head {
        match self {
            Self::SoftmaxCrossEntropy => Head::ARG_MAX,
            Self::BinaryCrossEntropy => Head::Sigmoid,
            Self::MeanSquaredError | Self::MeanAbsoluteError => Head::Linear,
        }
    }

    /// Whether outputs are values and not classes.
    pub fn is_of_values(self) -> bool {
        self.head() == Head::Linear
    }
}

/// Weights of classes, as Keras' `class_weight`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// Every class counts alike: the number of rows over the number of classes and the rows of the
    /// class, counted over the training split.
    Balanced,
    /// One a class, in the order of the data set's classes; above 0 and at most 1000000.
    #[serde(untagged)]
    Each(Vec<f64>),
}

/// Learning from a float network's logits beside the labels (Hinton, Vinyals, Dean, arXiv
/// 1503.02531).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Distillation {
    /// The teacher's share of the loss; the rest is the labels'. Default 0.5.
    #[schemars(range(min = 0.001, max = 1.0))]
    pub weight: f64,
    /// What both sides' logits are divided by; default 2.
    #[schemars(range(min = 0.1, max = 100.0))]
    pub temperature: f64,
    /// How many times as many units and filters the teacher has in its hidden layers; default 1, the float
    /// parent itself.
    #[serde(skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 16))]
    pub widen: u32,
}

impl Default for Distillation {
    fn default() -> Self {
        Self {
            weight: 0.5,
            temperature: 2.0,
            widen: 1,
        }
    }
}

/// How weights are averaged along a training; the average is what is evaluated, scored and frozen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Averaging {
    /// Exponential moving average over the steps.
    Ema(MovingAverage),
    /// Stochastic weight averaging: the mean of the weights at the ends of the last epochs.
    Swa(LateMean),
}

/// An exponential moving average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MovingAverage {
    /// The average's share of the next average; the rest is the weights'. Default 0.99, as in Keras.
    #[schemars(range(min = 0.0, max = 0.999_999))]
    pub decay: f64,
}

impl Default for MovingAverage {
    fn default() -> Self {
        Self { decay: 0.99 }
    }
}

/// A mean over the last epochs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LateMean {
    /// The first epoch that counts, from 1.
    #[schemars(range(min = 1, max = 10_000))]
    pub start_epoch: u32,
}

/// Ends a training whose validation loss no longer falls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a lower validation loss after which a training ends.
    #[schemars(range(min = 1, max = 10_000))]
    pub patience: u32,
    /// How much lower counts as lower.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub min_delta: f64,
}

/// What is left as it is by default is not stored, so that a search keeps its digest when options are
/// added.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// As [`is_default`], of a factor.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_one(factor: &u32) -> bool {
    *factor == 1
}

/// The optimizer and its schedule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// Which optimizer.
    pub name: OptimizerName,
    /// Initial learning rate.
    pub learning_rate: f64,
    /// How the learning rate changes.
    pub schedule: Schedule,
}

/// Optimizers, as Keras defines them; `bitfront-training` has the formulas.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum OptimizerName {
    /// Adam.
    Adam,
    /// Adam with decay of the weights that no moment sees.
    AdamW {
        /// Share of a weight that a step takes away, times the learning rate.
        weight_decay: f64,
    },
    /// Gradient descent.
    Sgd {
        /// Share of the last step that is added to the next.
        momentum: f64,
        /// Whether the step looks ahead along the momentum.
        nesterov: bool,
    },
}

/// Learning-rate schedules.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The same rate throughout.
    Constant,
    /// From the full rate to zero along half a cosine.
    Cosine,
    /// The rate times a factor after every so many epochs.
    Step(StepDecay),
    /// Up to the full rate in equal steps, then down along half a cosine.
    WarmCosine(WarmCosine),
    /// The rate times a factor whenever the validation loss no longer falls.
    Plateau(Plateau),
}

/// A rate that falls after whole epochs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepDecay {
    /// Epochs between changes.
    #[schemars(range(min = 1, max = 10_000))]
    pub every: u32,
    /// What the rate is multiplied by.
    #[schemars(range(min = 1e-6, max = 1.0))]
    pub factor: f64,
}

/// A warm-up and half a cosine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WarmCosine {
    /// Steps (not epochs) on the way up.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub warmup_steps: u32,
    /// Where the cosine ends, as a share of the full rate.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub floor: f64,
}

/// When and how far to reduce the rate; what is left out is as in the paper.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Plateau {
    /// What the rate is multiplied by.
    #[schemars(range(min = 1e-6, max = 0.999))]
    pub factor: f64,
    /// Epochs without a lower validation loss before a reduction.
    #[schemars(range(min = 1, max = 10_000))]
    pub patience: u32,
    /// How much lower counts as lower.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub min_delta: f64,
    /// Epochs after a reduction that do not count.
    #[schemars(range(min = 0, max = 10_000))]
    pub cooldown: u32,
    /// The lowest rate.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_rate: f64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self {
            factor: 0.5,
            patience: 10,
            min_delta: 1e-6,
            cooldown: 2,
            min_rate: 1e-7,
        }
    }
}

/// The device a search is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Part name.
    pub part: String,
    /// Clock in MHz.
    pub clock_mhz: f64,
    /// What it holds, as its table or the search file said; absent in searches from before there were
    /// tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// What the adder graphs of a search's circuits are searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "goal", rename_all = "snake_case", deny_unknown_fields)]
pub enum CircuitGoal {
    /// The fewest LUTs, however deep.
    MinLut,
    /// The fewest LUTs within a depth.
    BoundedDepth {
        /// Adder levels beyond the least that the digits of a kernel's columns allow.
        extra_depth: u32,
    },
}

impl Default for CircuitGoal {
    fn default() -> Self {
        Self::BoundedDepth { extra_depth: 1 }
    }
}

impl Search {
    /// How circuits of this search are built: in its layout, for its clock, what it searches adder graphs for, and what products
    /// are made of.
    pub fn design_options(&self) -> DesignOptions {
        DesignOptions {
            layout: self.layout,
            circuit: self.build_options(),
        }
    }

    fn build_options(&self) -> BuildOptions {
        let extra_depth = match self.circuit {
            CircuitGoal::MinLut => None,
            CircuitGoal::BoundedDepth { extra_depth } => Some(extra_depth),
        };
        BuildOptions {
            multipliers: self.multipliers,
            output: self.output,
            valid: self.valid,
            ranges: self.ranges,
            ..BuildOptions::new(self.device.clock_mhz, extra_depth)
        }
    }
}

/// One axis of the front.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// What is measured.
    pub metric: Metric,
    /// Which way is better.
    pub goal: Goal,
}

/// A bound that a front member must keep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// What is bounded.
    pub metric: Metric,
    /// Smallest value allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest value allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The share of the device that `min` was written as, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_percent: Option<f64>,
    /// The share of the device that `max` was written as, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_percent: Option<f64>,
}

/// How points are chosen once the seed trials are used up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Sampler {
    /// Uniformly from the points not yet tried; looks at no outcome.
    Random,
    /// Asynchronous steady-state evolution.
    Evolution {
        /// Trials that may become parents.
        population: u32,
        /// Trials after the seed trials that are drawn without looking at outcomes.
        warmup: u32,
        /// Chance that a child has two parents.
        crossover: f64,
    },
    /// No points are chosen: every trial of the budget is a run that learns bit widths with the weights,
    /// and the candidates it keeps become trials of their own.
    LearnedBits(LearnedBits),
}

/// How much work a search does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Trials, seed trials included; of learned bit widths the runs.
    pub trials: u32,
    /// The window W of promise P2: trial n is chosen from the outcomes of trials 0 to n-W.
    pub parallel: u32,
}

/// What proposals look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Outcomes in trial order, within the window: reproducible (promise P2).
    Number,
    /// Whatever has ended: never waits, and the search is marked as not reproducible.
    Arrival,
}

/// Which trials become circuits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "snake_case", deny_unknown_fields)]
pub enum SynthesisPolicy {
    /// None, unless asked for one by one.
    None,
    /// The `count` smallest front members (by `lut_estimate`) that keep both limits.
    Front {
        /// How many at most.
        count: u32,
        /// How far below the front's best validation accuracy, in accuracy (0.02 is two points).
        max_accuracy_drop: f64,
        /// Largest `lut_estimate`; `None`: no limit.
        max_lut_estimate: Option<u64>,
    },
    /// The `count` best trials by one metric, among those that meet every constraint.
    TopK {
        /// How many at most.
        count: u32,
        /// By what; never a measured metric, which no trial has before its circuit is built.
        metric: Metric,
        /// Largest `lut_estimate`; `None`: no limit.
        max_lut_estimate: Option<u64>,
    },
    /// Every `every`-th completed trial with costs, in trial order: a sample that no score has chosen,
    /// against which estimates are judged.
    EveryNth {
        /// Distance; 1 is every trial.
        every: u32,
        /// Largest `lut_estimate`, whose trials are passed over without one in their place; `None`: no
        /// limit.
        max_lut_estimate: Option<u64>,
    },
}

impl Search {
    /// JSON with the fields in declaration order and maps sorted: the same for equal searches.
    pub fn canonical_json(&self) -> String {
        serde_json::to_string(self).expect("a search has no maps with keys other than strings")
    }

    /// Digest of [`Search::canonical_json`].
    pub fn digest(&self) -> String {
        sha256_hex(self.canonical_json().as_bytes())
    }

    /// Whether the same file, data and engine give the same trials (promise P2).
    pub fn is_reproducible(&self) -> bool {
        self.order == Order::Number
    }
}
