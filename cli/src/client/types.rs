//! What the tables read of the API's objects. Fields that are not named here are ignored, so that a
//! newer coordinator can add some; `--json` prints the objects themselves.

use serde::Deserialize;

/// A search with its counts.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Search {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) budget: u64,
    pub(crate) reproducible: bool,
    pub(crate) trials: TrialCounts,
    pub(crate) synthesis: SynthesisCounts,
    pub(crate) front_size: u64,
    pub(crate) best_accuracy_validation: Option<f64>,
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
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct SynthesisCounts {
    pub(crate) open: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
}

impl Search {
    /// Trials that have ended, however.
    pub(crate) fn trials_ended(&self) -> u64 {
        let trials = &self.trials;
        trials.completed + trials.failed + trials.pruned + trials.cancelled
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
    pub(crate) synthesis: Option<Synthesis>,
    pub(crate) error_message: Option<String>,
}

/// What was measured on a trial.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Scores {
    pub(crate) accuracy_validation: f64,
    pub(crate) accuracy_test: Option<f64>,
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
    pub(crate) levels: u64,
    pub(crate) vectors_checked: u64,
}

impl Trial {
    /// What synthesis measured, if it did.
    pub(crate) fn measured(&self) -> Option<&Measured> {
        self.synthesis.as_ref()?.result.as_ref()
    }
}

/// A front and what it is compared with.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Front {
    pub(crate) members: Vec<Trial>,
    pub(crate) baselines: Vec<Trial>,
}
