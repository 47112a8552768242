//! Worker processes as the coordinator knows them.

use bitfront_search::life::UnitKind;
use serde_json::Value;

use super::{Store, leases::kind_name};
use crate::{
    error::{Error, Result},
    ids::WorkerId,
};

/// What a worker says of itself.
#[derive(Clone, Debug)]
pub struct NewWorker {
    /// Chosen by the process when it starts.
    pub id: WorkerId,
    /// Name a person recognises, 1 to 128 characters.
    pub name: String,
    /// Host it runs on.
    pub host: String,
    /// Version of its binary.
    pub version: String,
    /// Units run at once, at least 1.
    pub slots: u32,
    /// What it can run.
    pub kinds: Vec<UnitKind>,
    /// Tools found, an object of name to version.
    pub tools: Value,
    /// Instruction set level of its kernels.
    pub cpu_level: String,
    /// Synthesis engines that it has.
    pub engines: Vec<String>,
    /// Version of what it trains and scores with; 0: unknown.
    pub engine_version: i32,
}

impl Store {
    /// Announces a worker, or announces it again.
    ///
    /// # Errors
    /// The database fails.
    pub async fn register_worker(&self, worker: &NewWorker) -> Result<()> {
        let kinds: Vec<String> = worker
            .kinds
            .iter()
            .map(|kind| kind_name(*kind).to_owned())
            .collect();
        sqlx::query_file!(
            "src/store/sql/worker/register.sql",
            worker.id.get(),
            worker.name,
            worker.host,
            worker.version,
            worker.slots as i32,
            &kinds,
            worker.tools,
            worker.cpu_level,
            &worker.engines,
            worker.engine_version
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Notes that a worker is alive, and whether it drains; answers whether it shall stop.
    ///
    /// # Errors
    /// The worker is not registered, or the database fails.
    pub async fn worker_seen(&self, worker: WorkerId, draining: Option<bool>) -> Result<bool> {
        sqlx::query_file_scalar!("src/store/sql/worker/seen.sql", worker.get(), draining)
            .fetch_optional(self.pool())
            .await?
            .ok_or_else(|| Error::not_found(format_args!("worker {worker}")))
    }

    /// Asks a worker to drain and stop.
    ///
    /// # Errors
    /// The worker is not registered, or the database fails.
    pub async fn stop_worker(&self, worker: WorkerId) -> Result<()> {
        sqlx::query_file_scalar!("src/store/sql/worker/stop.sql", worker.get())
            .fetch_optional(self.pool())
            .await?
            .map(drop)
            .ok_or_else(|| Error::not_found(format_args!("worker {worker}")))
    }
}
