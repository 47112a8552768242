//! Synthesis jobs: queueing them, sharing results between equal ones, and what a worker needs to run them.
//!
//! The rule this module keeps: equal circuits - the same RTL by the same engine in the same version, on the same part with the
//! same options, with as many vectors - are synthesised once, in whatever searches their trials are. A job whose equal is leased waits (`unit/claim.sql`); once
//! there is a result, it ends with it and says whose it is.

use bitfront_hardware::engine::Target;
use bitfront_search::Search;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Store, front};
use crate::{
    error::{Error, Result},
    ids::{SearchId, SynthesisId, TrialId, UnitId},
};

/// Test vectors of a synthesis job at least.
pub const VECTORS: u32 = 2_000;

/// Who asked for a synthesis job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestedBy {
    /// The search's policy owes it.
    Policy,
    /// A user.
    User,
}

impl RequestedBy {
    /// The name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::User => "user",
        }
    }
}

/// What a worker needs to run a synthesis job.
#[derive(Clone, Debug)]
pub struct SynthesisWork {
    /// The job.
    pub job: SynthesisId,
    /// The trial it builds.
    pub trial: TrialId,
    /// The resolved search file.
    pub search_json: Value,
    /// The candidate.
    pub candidate_json: Value,
    /// Digest of the trial's weights.
    pub weights_digest: String,
    /// Digest of the data set.
    pub dataset_digest: String,
    /// File name of the data set.
    pub dataset_file: String,
    /// Engine.
    pub tool: String,
    /// The part that it places for; empty for an engine that places nothing.
    pub part: String,
    /// Test vectors at least.
    pub vectors: u32,
}

/// Queues a job of an engine within any transaction or connection; `None` where the trial has one of that engine already or
/// has no weights.
pub(super) async fn queue(
    executor: impl sqlx::PgExecutor<'_>,
    search: SearchId,
    resolved: &Search,
    target: &Target,
    number: u32,
    requested_by: RequestedBy,
) -> Result<Option<SynthesisId>> {
    let id = sqlx::query_file_scalar!(
        "src/store/sql/synthesis/insert.sql",
        SynthesisId::new().get(),
        search.get(),
        number as i32,
        target.engine.name(),
        VECTORS as i32,
        requested_by.name(),
        target.part.as_deref().unwrap_or_default(),
        target.options(&resolved.design_options())
    )
    .fetch_optional(executor)
    .await?;
    Ok(id.map(SynthesisId))
}

/// Completes the waiting jobs of a search, whose row is locked, that equal one with a result; the events that say so.
pub(super) async fn share(
    connection: &mut PgConnection,
    search: &Search,
    id: SearchId,
) -> Result<Vec<(&'static str, Value)>> {
    let shared = sqlx::query_file!("src/store/sql/synthesis/share.sql", id.get())
        .fetch_all(&mut *connection)
        .await?;
    let mut events = Vec::new();
    for job in shared {
        events.push((
            "synthesis.updated",
            json!({
                "id": job.id, "trial_id": job.trial_id, "state": "completed", "attempt": job.attempt,
                "shared_from": job.source_id,
            }),
        ));
        let measured = serde_json::from_value(job.result)?;
        events
            .extend(front::measure(&mut *connection, search, id, UnitId(job.id), &measured).await?);
    }
    Ok(events)
}

impl Store {
    /// Queues a synthesis job for a completed trial at a user's request, or names the one that the trial has of that engine.
    ///
    /// # Errors
    /// The trial does not exist or is not completed with weights (conflict), or the database fails.
    pub async fn request_synthesis(
        &self,
        search: SearchId,
        number: u32,
        target: &Target,
    ) -> Result<(SynthesisId, bool)> {
        let resolved = self.resolved(search).await?;
        target.check(&resolved.design_options()).map_err(|e| {
            Error::conflict("conflict", format!("a circuit of search {search}: {e}"))
        })?;
        let queued = queue(
            self.pool(),
            search,
            &resolved,
            target,
            number,
            RequestedBy::User,
        )
        .await;
        let queued = match queued {
            // Two requests at once: the other one's job stands.
            Err(error) if is_double(&error) => None,
            other => other?,
        };
        if let Some(id) = queued {
            // An equal circuit may have been built before.
            self.settle(search).await?;
            return Ok((id, true));
        }
        sqlx::query_file_scalar!(
            "src/store/sql/synthesis/of_trial.sql",
            search.get(),
            number as i32,
            target.engine.name()
        )
        .fetch_optional(self.pool())
        .await?
        .map(|id| (SynthesisId(id), false))
        .ok_or_else(|| {
            Error::conflict(
                "conflict",
                format!("trial {number} of search {search} is not completed with weights: only then it can be synthesised"),
            )
        })
    }

    /// What workers need to run these jobs, in no particular order.
    ///
    /// # Errors
    /// The database fails.
    pub async fn synthesis_work(&self, jobs: &[UnitId]) -> Result<Vec<SynthesisWork>> {
        let ids: Vec<Uuid> = jobs.iter().map(|id| id.get()).collect();
        Ok(sqlx::query_file!("src/store/sql/synthesis/work.sql", &ids)
            .fetch_all(self.pool())
            .await?
            .into_iter()
            .map(|row| SynthesisWork {
                job: SynthesisId(row.id),
                trial: TrialId(row.trial_id),
                search_json: row.resolved,
                candidate_json: row.candidate,
                weights_digest: row.weights_digest,
                dataset_digest: row.dataset_digest,
                dataset_file: row.dataset_file,
                tool: row.tool,
                part: row.part,
                vectors: row.vectors as u32,
            })
            .collect())
    }
}

/// Whether an insert met the unique constraint on (trial, tool).
fn is_double(error: &Error) -> bool {
    let source =
        std::error::Error::source(error).and_then(|source| source.downcast_ref::<sqlx::Error>());
    matches!(source, Some(sqlx::Error::Database(database)) if database.is_unique_violation())
}
