//! Worker processes as the workers page shows them.

use crate::error::Result;
use crate::ids::WorkerId;
use crate::store::Store;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// A worker process.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Worker)]
pub struct WorkerRow {
    /// Chosen by the process when it started.
    pub id: Uuid,
    /// Name a person recognises.
    pub name: String,
    /// Host it runs on.
    pub host: String,
    /// Version of its binary.
    pub version: String,
    /// Units of work it runs at once.
    pub slots: i32,
    /// `trial`, `synthesis`.
    pub kinds: Vec<String>,
    /// Tools found, name to version.
    pub tools: Value,
    /// Instruction set level of its kernels.
    pub cpu_level: String,
    /// Synthesis engines whose programs it has.
    pub engines: Vec<String>,
    /// Version of what it trains and scores with; 0 if it announces none.
    pub engine_version: i32,
    /// It takes no more work.
    pub draining: bool,
    /// When it registered.
    pub registered_at: DateTime<Utc>,
    /// When it was heard of last.
    pub last_seen_at: DateTime<Utc>,
    /// It was silent for longer than a lease.
    pub lost: bool,
    /// Units of work it holds now.
    pub leased: i64,
    /// Attempts it completed.
    pub completed: i64,
    /// Attempts it failed.
    pub failed: i64,
}

impl Store {
    /// A page of workers, youngest first; those silent for longer than `lost_after` are marked lost.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_workers(
        &self,
        before: Option<WorkerId>,
        limit: i64,
        lost_after: Duration,
    ) -> Result<Vec<WorkerRow>> {
        Ok(sqlx::query_file_as!(
            WorkerRow,
            "src/store/read/sql/worker_list.sql",
            before.map(WorkerId::get),
            limit,
            lost_after.as_secs_f64(),
        )
        .fetch_all(self.pool())
        .await?)
    }
}
