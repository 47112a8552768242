//! The attempts of a unit of work: when they ran, their logs, their curves and what they produced.

use crate::error::Result;
use crate::ids::UnitId;
use crate::store::Store;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// One worker's run of a unit of work.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptRow {
    /// The fencing token, from 1.
    pub attempt: i32,
    /// The worker process.
    pub worker_id: Uuid,
    /// Its name.
    pub worker: String,
    /// When the lease was given.
    pub started_at: DateTime<Utc>,
    /// When it ended; absent while it runs.
    pub ended_at: Option<DateTime<Utc>>,
    /// `completed`, `failed`, `released`, `lease_expired` or `cancelled`.
    pub end_reason: Option<String>,
    /// Stable code of the error, if it failed.
    pub error_code: Option<String>,
    /// What went wrong, if it failed.
    pub error_message: Option<String>,
    /// Whether it has said anything.
    pub has_log: bool,
}

/// An attempt's log.
#[derive(Clone, Debug)]
pub struct AttemptLog {
    /// The last part of it.
    pub log_tail: String,
    /// When the attempt ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The whole log, once uploaded.
    pub digest: Option<String>,
}

/// One epoch of a learning curve. A loss that is not finite is absent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CurvePoint {
    /// From 1.
    pub epoch: i32,
    /// Mean loss over the training split.
    pub train_loss: Option<f64>,
    /// Mean loss over the validation split.
    pub validation_loss: Option<f64>,
    /// Share of validation rows classified right.
    pub validation_accuracy: Option<f64>,
    /// Learning rate at the epoch's end.
    pub learning_rate: Option<f64>,
}

/// Bytes an attempt produced.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UnitArtifact {
    /// Which attempt.
    pub attempt: i32,
    /// `weights` or `log`; of a synthesis job `rtl`, `testbench`, `vectors`, `constraints`, `script`, `pads`, `settings`, `report` or `netlist`.
    pub kind: String,
    /// SHA-256, lowercase hex: `/api/v1/artifacts/{digest}` has the bytes.
    pub digest: String,
    /// Size.
    pub bytes: i64,
}

impl Store {
    /// The attempts of a unit, first to last.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_attempts(&self, unit: UnitId) -> Result<Vec<AttemptRow>> {
        Ok(sqlx::query_file_as!(
            AttemptRow,
            "src/store/read/sql/attempt_list.sql",
            unit.get()
        )
        .fetch_all(self.pool())
        .await?)
    }

    /// An attempt's log.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn attempt_log(&self, unit: UnitId, attempt: i32) -> Result<Option<AttemptLog>> {
        Ok(sqlx::query_file_as!(
            AttemptLog,
            "src/store/read/sql/attempt_log.sql",
            unit.get(),
            attempt
        )
        .fetch_optional(self.pool())
        .await?)
    }

    /// The learning curve of an attempt.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn curve(&self, unit: UnitId, attempt: i32) -> Result<Vec<CurvePoint>> {
        Ok(sqlx::query_file_as!(
            CurvePoint,
            "src/store/read/sql/curve.sql",
            unit.get(),
            attempt
        )
        .fetch_all(self.pool())
        .await?)
    }

    /// What the attempts of a unit produced.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn unit_artifacts(&self, unit: UnitId) -> Result<Vec<UnitArtifact>> {
        Ok(sqlx::query_file_as!(
            UnitArtifact,
            "src/store/read/sql/unit_artifact_list.sql",
            unit.get()
        )
        .fetch_all(self.pool())
        .await?)
    }
}
