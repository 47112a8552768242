//! A synthesis job as the API shows it: what was estimated next to what was measured.

use crate::rest::trials::usage::{UsageView, is_of_device, usage};
use crate::store::read::{SynthesisRow, UnitArtifact};
use bitfront_hardware::engine::Engine;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A synthesis job.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SynthesisJob)]
pub struct SynthesisView {
    /// Its id.
    pub id: Uuid,
    /// The search of its trial.
    pub search_id: Uuid,
    /// Its trial.
    pub trial_id: Uuid,
    /// The trial's number.
    pub trial_number: i32,
    /// `policy` or `user`.
    pub requested_by: String,
    /// Engine: `yosys`, `yosys-nextpnr-ice40`, `yosys-nextpnr-ecp5`, `vivado` or `vitis-hls`.
    #[schema(example = "yosys")]
    pub tool: String,
    /// The part that it places for; absent where it places nothing.
    pub part: Option<String>,
    /// Options that decide about the figures.
    pub options: String,
    /// Test vectors at least.
    pub vectors: i32,
    /// `queued`, `leased`, `completed`, `failed` or `cancelled`.
    pub state: String,
    /// What a queued job waits for, where no worker that is here can take it.
    #[schema(example = "a worker with yosys, nextpnr-ice40, verilator and g++ on PATH")]
    pub waits_for: Option<String>,
    /// The last attempt, 0 before the first.
    pub attempt: i32,
    /// Name of the worker that has or had the last attempt.
    pub worker: Option<String>,
    /// Stable code of the error, if it failed: it names the gate.
    pub error_code: Option<String>,
    /// What went wrong, if it failed.
    pub error_message: Option<String>,
    /// The trial's costs as estimated from its weights.
    #[schema(value_type = Option<Object>)]
    pub estimate: Option<Value>,
    /// Of a circuit within the ranges of the train rows: validation and test rows that leave them, and on how many the circuit's
    /// outputs are others than those of integer inference.
    #[schema(value_type = Option<Object>)]
    pub unseen: Option<Value>,
    /// What synthesis measured: cells, levels, vectors checked, tool, version, command, digests.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    /// What was measured beside what the search's device has; of another part there is no more than the count.
    pub usage: Vec<UsageView>,
    /// The job of an equal circuit whose result and artifacts these are; nothing was run for this one.
    pub shared_from: Option<Uuid>,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// When its first lease was given.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<SynthesisRow> for SynthesisView {
    fn from(row: SynthesisRow) -> Self {
        let device = row.device.as_ref();
        let device = device
            .filter(|device| is_of_device(Some(&row.tool), row.part.as_deref(), Some(device)));
        let (estimate, measured) = (row.estimate.as_ref(), row.result.as_ref());
        let usage = measured
            .map(|measured| usage(estimate, (Some(measured), true), device))
            .unwrap_or_default();
        Self {
            usage,
            id: row.id,
            search_id: row.search_id,
            trial_id: row.trial_id,
            trial_number: row.trial_number,
            requested_by: row.requested_by,
            waits_for: row.lacks_engine.then(|| worker_with(&row.tool)),
            tool: row.tool,
            part: row.part,
            options: row.options,
            vectors: row.vectors,
            state: row.state,
            attempt: row.attempt,
            worker: row.worker,
            error_code: row.error_code,
            error_message: row.error_message,
            estimate: row.estimate,
            unseen: row.unseen,
            result: row.result,
            shared_from: row.shared_from,
            created_at: row.created_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
        }
    }
}

/// The worker that jobs of an engine wait for.
pub(in crate::rest) fn worker_with(engine: &str) -> String {
    match engine.parse::<Engine>() {
        Ok(engine) => {
            let programs = engine.programs().join(", ");
            format!("a worker with {programs}, verilator and g++ on PATH")
        }
        Err(_) => format!("a worker with engine {engine}"),
    }
}

/// A synthesis job with what its attempts produced.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SynthesisJobDetail)]
pub struct SynthesisDetailView {
    /// The job.
    #[serde(flatten)]
    pub job: SynthesisView,
    /// What its attempts produced.
    pub artifacts: Vec<UnitArtifact>,
}
