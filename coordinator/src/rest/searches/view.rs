//! A search as the API shows it.

use crate::rest::synthesis::view::worker_with;
use crate::store::read::SearchRow;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A search with its counts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Search)]
pub struct SearchView {
    /// Its id.
    pub id: Uuid,
    /// Its name; several searches may have the same.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Free labels.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub labels: Value,
    /// `running`, `paused`, `finished`, `cancelled` or `archived`.
    #[schema(example = "running")]
    pub state: String,
    /// Whether the same file gives the same trials again (promise P2), by workers of the same engine version.
    pub reproducible: bool,
    /// Engine version of the workers that its trials go to: that of its first trial's; absent before.
    pub engine_version: Option<i32>,
    /// Whether a user had it go on with another engine version than it began with.
    pub engine_changed: bool,
    /// What its trials wait for, where no worker that is here may run them.
    #[schema(example = "a worker of engine version 1; those here are of 2")]
    pub waits_for: Option<String>,
    /// Axes of the front: metric and goal, in order.
    #[schema(value_type = Vec<ObjectiveView>)]
    pub objectives: Value,
    /// The device it is for: part, clock and, where they are known, what it holds.
    #[schema(value_type = Option<DeviceView>)]
    pub device: Option<Value>,
    /// The data set.
    pub dataset: DatasetRef,
    /// Trials allowed at most.
    pub budget: i32,
    /// Trials by state.
    pub trials: TrialCounts,
    /// Trials that runs with learned bit widths left behind; they are not counted among `trials`.
    pub points: i64,
    /// What builds and measures circuits.
    pub synthesis_target: TargetView,
    /// Synthesis jobs by state.
    pub synthesis: SynthesisCounts,
    /// Members of the front.
    pub front_size: i64,
    /// Best validation accuracy on the front.
    pub best_accuracy_validation: Option<f64>,
    /// Least validation mean squared error of the front, where values are predicted.
    pub least_mean_squared_error_validation: Option<f64>,
    /// Smallest LUT estimate on the front.
    pub smallest_lut_estimate: Option<f64>,
    /// When it was submitted.
    pub created_at: DateTime<Utc>,
    /// When it finished or was cancelled.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What builds and measures a search's circuits: `lut_measured` and its like are of this engine alone.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SynthesisTarget)]
pub struct TargetView {
    /// The engine.
    #[schema(example = "yosys")]
    pub engine: String,
    /// The part that it places for; absent where it places nothing.
    pub part: Option<String>,
}

/// One axis of the front.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Objective)]
pub struct ObjectiveView {
    /// What is measured.
    #[schema(example = "accuracy")]
    pub metric: String,
    /// `maximize` or `minimize`.
    #[schema(example = "maximize")]
    pub goal: String,
}

/// The device a search is for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SearchDevice)]
pub struct DeviceView {
    /// Its part, as the search file names it.
    #[schema(example = "xcvu9p")]
    pub part: String,
    /// Clock in MHz.
    pub clock_mhz: f64,
    /// What it holds; absent in searches from before devices were known.
    pub resources: Option<ResourcesView>,
}

/// How many of each resource a device holds; a kind it lacks is absent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Resources)]
pub struct ResourcesView {
    /// Look-up tables of six inputs.
    pub lut: u64,
    /// Flip-flops.
    pub ff: u64,
    /// DSP blocks.
    pub dsp: Option<u64>,
    /// Block RAMs of 36 Kb.
    pub bram: Option<u64>,
    /// `UltraRAM` blocks of 288 Kb.
    pub uram: Option<u64>,
}

/// Names a data set.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DatasetRef {
    /// File name.
    pub file: String,
    /// SHA-256 of the file.
    pub digest: String,
}

/// Trials by state.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "states are explained in docs/architecture.md")]
pub struct TrialCounts {
    pub queued: i64,
    pub leased: i64,
    pub paused: i64,
    pub completed: i64,
    pub failed: i64,
    pub pruned: i64,
    pub cancelled: i64,
}

/// Synthesis jobs by state.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SynthesisCounts {
    /// Queued or leased.
    pub open: i64,
    /// Completed.
    pub completed: i64,
    /// Failed.
    pub failed: i64,
    /// Queued ones that no worker which is here can take.
    pub waiting: i64,
    /// What those wait for; of several engines, that of the first by name.
    pub waits_for: Option<String>,
}

/// The worker that trials of an engine version wait for, and of which versions those are that are here.
fn trainer_of((version, here): (i32, Vec<i32>)) -> String {
    let here: Vec<String> = here.iter().map(ToString::to_string).collect();
    format!(
        "a worker of engine version {version}; those here are of {}",
        here.join(" and ")
    )
}

impl From<SearchRow> for SearchView {
    fn from(row: SearchRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            labels: row.labels,
            state: row.state,
            reproducible: row.reproducible,
            waits_for: row.engine_version.zip(row.other_versions).map(trainer_of),
            engine_version: row.engine_version,
            engine_changed: row.engine_changed,
            objectives: row.objectives,
            device: row.device,
            dataset: DatasetRef {
                file: row.dataset_file,
                digest: row.dataset_digest,
            },
            budget: row.budget,
            trials: TrialCounts {
                queued: row.trials_queued,
                leased: row.trials_leased,
                paused: row.trials_paused,
                completed: row.trials_completed,
                failed: row.trials_failed,
                pruned: row.trials_pruned,
                cancelled: row.trials_cancelled,
            },
            points: row.points,
            synthesis_target: TargetView {
                engine: row.engine,
                part: row.part,
            },
            synthesis: SynthesisCounts {
                open: row.synthesis_open,
                completed: row.synthesis_completed,
                failed: row.synthesis_failed,
                waiting: row.synthesis_lacks_engine,
                waits_for: row.synthesis_lacking.as_deref().map(worker_with),
            },
            front_size: row.front_size,
            best_accuracy_validation: row.best_accuracy,
            least_mean_squared_error_validation: row.least_mean_squared_error,
            smallest_lut_estimate: row.smallest_lut_estimate,
            created_at: row.created_at,
            ended_at: row.ended_at,
        }
    }
}
