//! How kernels are pruned while a candidate is trained.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pruning of kernels by magnitude: what is pruned becomes zero and stays it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pruning {
    /// How much is pruned and when: `{polynomial: {final_sparsity: 0.5, end_epoch: 6}}` or
    /// `{constant: {sparsity: 0.5}}`.
    pub schedule: PruningSchedule,
    /// What is pruned together; default `weight`.
    #[serde(default)]
    pub by: PruneBy,
}

/// What is pruned together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PruneBy {
    /// Each weight for itself: the smallest go.
    #[default]
    Weight,
    /// All weights that read one input channel; of a dense layer, one input.
    InputChannel,
    /// All weights of one output channel; of a dense layer, one unit. The network's outputs stay.
    OutputChannel,
}

/// The pruned share of each kernel along a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PruningSchedule {
    /// One share, at once.
    Constant(ConstantSparsity),
    /// A share that grows by a power law.
    Polynomial(PolynomialSparsity),
}

impl PruningSchedule {
    /// The share that is pruned when training ends.
    pub fn final_sparsity(&self) -> f64 {
        match self {
            Self::Constant(constant) => constant.sparsity,
            Self::Polynomial(polynomial) => polynomial.final_sparsity,
        }
    }
}

/// One share, at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConstantSparsity {
    /// The share.
    #[schemars(range(min = 0.0, max = 0.999))]
    pub sparsity: f64,
    /// The epoch before whose first step weights are pruned, from 1; default: the one after the first quarter of the epochs,
    /// because magnitudes of untrained weights are random, and 1 in a search that starts from a model's weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub begin_epoch: Option<u32>,
}

impl ConstantSparsity {
    /// With the default written out.
    pub(crate) fn resolved(self, epochs: u32, is_trained: bool) -> Self {
        let default = if is_trained {
            1
        } else {
            (1 + epochs.div_ceil(4)).min(epochs)
        };
        Self {
            begin_epoch: self.begin_epoch.or(Some(default)),
            ..self
        }
    }
}

/// A share that grows by a power law, as tensorflow-model-optimization's `PolynomialDecay`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolynomialSparsity {
    /// The share to begin with; default 0.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 0.999))]
    pub initial_sparsity: f64,
    /// The share at the end.
    #[schemars(range(min = 0.0, max = 0.999))]
    pub final_sparsity: f64,
    /// The epoch whose first step is the first to prune, from 1; default 1.
    #[serde(default = "first")]
    #[schemars(range(min = 1, max = 10_000))]
    pub begin_epoch: u32,
    /// The epoch whose last step is the last to prune.
    #[schemars(range(min = 1, max = 10_000))]
    pub end_epoch: u32,
    /// The power; default 3.
    #[serde(default = "cube")]
    #[schemars(range(min = 0.01, max = 100.0))]
    pub power: f64,
    /// Steps from one pruning to the next; default 100.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub frequency: u32,
}

fn first() -> u32 {
    1
}

fn cube() -> f64 {
    3.0
}

fn hundred() -> u32 {
    100
}

#[cfg(test)]
mod tests {
    use super::ConstantSparsity;

    #[test]
    fn trained_weights_are_pruned_at_once_and_an_epoch_that_is_given_stays() {
        let begin = |begin_epoch, is_trained| {
            let constant = ConstantSparsity {
                sparsity: 0.5,
                begin_epoch,
            };
            constant.resolved(8, is_trained).begin_epoch
        };
        assert_eq!((begin(None, true), begin(None, false)), (Some(1), Some(3)));
        assert_eq!(
            (begin(Some(5), true), begin(Some(1), false)),
            (Some(5), Some(1))
        );
    }
}
