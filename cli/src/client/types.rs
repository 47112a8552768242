//! What the tables read of the API's objects. Fields that are not named here are ignored, so that a
//! newer coordinator can add some; `--json` prints the objects themselves.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::view::quality;

/// A search with its counts.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Search {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) budget: u64,
    pub(crate) reproducible: bool,
    /// Engine version that its trials keep to, once one was leased.
    #[serde(default)]
    pub(crate) engine_version: Option<u32>,
    /// Whether its first trials were of another one.
    #[serde(default)]
    pub(crate) engine_changed: bool,
    /// What its trials wait for, where no worker that is here may run them.
    #[serde(default)]
    pub(crate) waits_for: Option<String>,
    pub(crate) trials: TrialCounts,
    /// Trials that runs left behind.
    #[serde(default)]
    pub(crate) points: u64,
    pub(crate) synthesis: SynthesisCounts,
    pub(crate) front_size: u64,
    pub(crate) best_accuracy_validation: Option<f64>,
    /// Where values are predicted.
    #[serde(default)]
    pub(crate) least_mean_squared_error_validation: Option<f64>,
    pub(crate) smallest_lut_estimate: Option<f64>,
    pub(crate) created_at: String,
}

/// Trials by state.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct TrialCounts {
    pub(crate) leased: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) pruned: u64,
    pub(crate) cancelled: u64,
}

/// Synthesis jobs by state.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct SynthesisCounts {
    pub(crate) open: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    /// Queued ones that no worker which is here can take, and what they wait for.
    #[serde(default)]
    pub(crate) waiting: u64,
    #[serde(default)]
    pub(crate) waits_for: Option<String>,
}

impl Search {
    /// Trials that have ended, however.
    pub(crate) fn trials_ended(&self) -> u64 {
        let trials = &self.trials;
        trials.completed + trials.failed + trials.pruned + trials.cancelled
    }

    /// How well its best front member predicts: `74.3 %`, or `0.1234 MSE`.
    pub(crate) fn best(&self) -> Option<String> {
        let accuracy = self.best_accuracy_validation;
        let best = quality(accuracy, self.least_mean_squared_error_validation)?;
        Some(if accuracy.is_some() {
            format!("{best} %")
        } else {
            best
        })
    }

    /// Whether nothing more will happen.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state.as_str(), "finished" | "cancelled" | "archived")
    }
}

/// A trial.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Trial {
    pub(crate) id: String,
    pub(crate) number: u64,
    pub(crate) label: Option<String>,
    pub(crate) state: String,
    pub(crate) on_front: bool,
    pub(crate) attempt: u64,
    pub(crate) worker: Option<String>,
    pub(crate) scores: Option<Scores>,
    /// What its circuit takes of the device.
    #[serde(default)]
    pub(crate) usage: Vec<Usage>,
    pub(crate) synthesis: Option<Synthesis>,
    pub(crate) error_message: Option<String>,
}

/// What a circuit takes of one resource of its device.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Usage {
    pub(crate) resource: String,
    pub(crate) estimate_percent: Option<f64>,
    pub(crate) measured_percent: Option<f64>,
}

/// What was measured on a trial.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Scores {
    /// Absent where values are predicted.
    pub(crate) accuracy_validation: Option<f64>,
    pub(crate) accuracy_test: Option<f64>,
    /// Where values are predicted.
    pub(crate) mean_squared_error_validation: Option<f64>,
    pub(crate) mean_squared_error_test: Option<f64>,
    /// Absent for the float network.
    pub(crate) costs: Option<Costs>,
}

/// Hardware costs, estimated from the trained weights.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Costs {
    pub(crate) bits: u64,
    pub(crate) energy_pj: f64,
    pub(crate) ebops: f64,
    pub(crate) lut_estimate: u64,
}

/// A trial's synthesis job in short.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Synthesis {
    pub(crate) state: String,
    pub(crate) result: Option<Measured>,
}

/// What synthesis measured.
#[derive(Clone, Debug, Deserialize)]
#[expect(
    clippy::struct_field_names,
    reason = "the API's names: an estimate has the same one otherwise"
)]
pub(crate) struct Measured {
    pub(crate) lut_measured: u64,
    pub(crate) ff_measured: u64,
    pub(crate) carry_measured: u64,
    pub(crate) dsp_measured: u64,
    /// Absent from an engine that does not tell.
    pub(crate) levels: Option<u64>,
    /// The engine whose counts these are; absent in results from before it was stored.
    #[serde(default)]
    pub(crate) tool: Option<String>,
    pub(crate) vectors_checked: u64,
}

impl Trial {
    /// The estimate of a resource (`lut`) in percent of what the device has, where both are known.
    pub(crate) fn estimate_percent(&self, resource: &str) -> Option<f64> {
        self.usage_of(resource)?.estimate_percent
    }

    /// The same of what synthesis measured.
    pub(crate) fn measured_percent(&self, resource: &str) -> Option<f64> {
        self.usage_of(resource)?.measured_percent
    }

    fn usage_of(&self, resource: &str) -> Option<&Usage> {
        self.usage.iter().find(|usage| usage.resource == resource)
    }

    /// What synthesis measured, if it did.
    pub(crate) fn measured(&self) -> Option<&Measured> {
        self.synthesis.as_ref()?.result.as_ref()
    }
}

/// The device of a search.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SearchDevice {
    pub(crate) part: String,
    /// Counts by resource, where they are known.
    pub(crate) resources: Option<BTreeMap<String, Option<u64>>>,
}

/// A front and what it is compared with.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Front {
    /// The device that counts are shares of.
    pub(crate) device: Option<SearchDevice>,
    /// Trials that could not compete, because they are not measured.
    #[serde(default)]
    pub(crate) unmeasured: u64,
    pub(crate) members: Vec<Trial>,
    pub(crate) baselines: Vec<Trial>,
}
