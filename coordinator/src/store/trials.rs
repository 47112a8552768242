//! Trials: what proposals are made from, their creation, and what a worker needs to run them.

use bitfront_search::{Outcome, PastTrial, Point, TrialScores, life::UnitKind, sampler::Proposed};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Store,
    leases::{Ask, Holding, Leased, lease_error},
};
use crate::{
    error::{Error, Result},
    ids::{SearchId, TrialId, UnitId, WorkerId},
};

/// A running search that may propose another trial.
#[derive(Clone, Copy, Debug)]
pub struct Proposing {
    /// The search.
    pub search: SearchId,
    /// Number of its next trial.
    pub next_number: u32,
}

/// A trial to create.
#[derive(Clone, Debug)]
pub struct NewTrial {
    /// What the sampler proposed.
    pub proposed: Proposed,
    /// Seed of its training.
    pub seed: u64,
    /// Costs that need no training, JSON; null where they cannot be computed.
    pub tier0: Option<Value>,
}

/// What a worker needs to run a trial.
#[derive(Clone, Debug)]
pub struct TrialWork {
    /// The trial.
    pub trial: TrialId,
    /// Its search.
    pub search: SearchId,
    /// Its number.
    pub number: u32,
    /// The resolved search file.
    pub search_json: Value,
    /// The candidate.
    pub candidate_json: Value,
    /// Seed of its training.
    pub seed: u64,
    /// Digest of the data set.
    pub dataset_digest: String,
    /// File name of the data set.
    pub dataset_file: String,
}

/// Attempts a unit of work is charged at most before it fails as poison.
pub const MAX_ATTEMPTS: u32 = 3;

impl Store {
    /// Running searches with budget left that a worker may be given trials of: the most urgent first, then those with the
    /// least leased work.
    ///
    /// # Errors
    /// The database fails.
    pub async fn proposing(&self, worker: WorkerId) -> Result<Vec<Proposing>> {
        Ok(
            sqlx::query_file!("src/store/sql/search/proposing.sql", worker.get())
                .fetch_all(self.pool())
                .await?
                .into_iter()
                .map(|row| Proposing {
                    search: SearchId(row.id),
                    next_number: row.next_number as u32,
                })
                .collect(),
        )
    }

    /// The trials of a search from number `from` on, with their outcomes, in trial order (promise P2).
    ///
    /// # Errors
    /// A row cannot be read, or the database fails.
    pub async fn history(&self, search: SearchId, from: u32) -> Result<Vec<PastTrial>> {
        let rows = sqlx::query_file!("src/store/sql/trial/history.sql", search.get(), from as i32)
            .fetch_all(self.pool())
            .await?;
        rows.into_iter()
            .map(|row| {
                let point: Option<Point> = row.point.map(serde_json::from_value).transpose()?;
                let outcome = match (row.state.as_str(), row.scores) {
                    ("completed", Some(scores)) => {
                        let scores: TrialScores = serde_json::from_value(scores)?;
                        Some(Outcome::Completed(Box::new(scores)))
                    }
                    ("completed", None) => {
                        return Err(Error::internal(format!(
                            "trial {} of search {search} is completed and has no scores",
                            row.number
                        )));
                    }
                    ("failed", _) => Some(Outcome::Failed),
                    ("pruned", _) => Some(Outcome::Pruned),
                    ("cancelled", _) => Some(Outcome::Cancelled),
                    _ => None,
                };
                Ok(PastTrial {
                    number: row.number as u32,
                    point,
                    outcome,
                })
            })
            .collect()
    }

    /// Creates a trial and leases it, in slot `slot` of the request. `None`: another coordinator was first, the search is
    /// no longer running, or it keeps to another engine version than the worker's.
    ///
    /// # Errors
    /// The worker is unknown, the same request is being answered by another call (conflict), or the database fails.
    pub async fn start_trial(
        &self,
        search: SearchId,
        trial: &NewTrial,
        ask: &Ask,
        slot: u32,
    ) -> Result<Option<Leased>> {
        let proposed = &trial.proposed;
        let id = TrialId::new();
        let point = proposed
            .point
            .as_ref()
            .map(serde_json::to_value)
            .transpose()?;
        let created = sqlx::query_file_scalar!(
            "src/store/sql/trial/propose.sql",
            search.get(),
            proposed.number as i32,
            id.get(),
            point,
            serde_json::to_value(&proposed.candidate)?,
            proposed.digest,
            serde_json::to_value(&proposed.origin)?,
            ask.worker.get(),
            ask.request,
            slot as i32,
            ask.ttl.as_secs_f64(),
            MAX_ATTEMPTS as i32,
            trial.seed as i64,
            trial.tier0,
            proposed.repeat as i32
        )
        .fetch_optional(self.pool())
        .await
        .map_err(lease_error)?;
        Ok(created.map(|id| Leased {
            kind: UnitKind::Trial,
            holding: Holding {
                unit: UnitId(id),
                attempt: 1,
            },
        }))
    }

    /// Marks that a search has nothing more to propose, unless its picture has changed; `true` if it is marked now.
    ///
    /// # Errors
    /// The database fails.
    pub async fn exhaust(&self, search: SearchId, next_number: u32) -> Result<bool> {
        let done = sqlx::query_file!(
            "src/store/sql/search/exhaust.sql",
            search.get(),
            next_number as i32
        )
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The resolved file of a search.
    ///
    /// # Errors
    /// There is no such search, its row cannot be read, or the database fails.
    pub async fn resolved(&self, search: SearchId) -> Result<bitfront_search::Search> {
        let resolved = sqlx::query_file_scalar!("src/store/sql/search/resolved.sql", search.get())
            .fetch_optional(self.pool())
            .await?
            .ok_or_else(|| Error::not_found(format_args!("search {search}")))?;
        Ok(serde_json::from_value(resolved)?)
    }

    /// What workers need to run these trials, in no particular order.
    ///
    /// # Errors
    /// The database fails.
    pub async fn trial_work(&self, trials: &[UnitId]) -> Result<Vec<TrialWork>> {
        let ids: Vec<Uuid> = trials.iter().map(|id| id.get()).collect();
        Ok(sqlx::query_file!("src/store/sql/trial/work.sql", &ids)
            .fetch_all(self.pool())
            .await?
            .into_iter()
            .map(|row| TrialWork {
                trial: TrialId(row.id),
                search: SearchId(row.search_id),
                number: row.number as u32,
                search_json: row.resolved,
                candidate_json: row.candidate,
                seed: row.seed as u64,
                dataset_digest: row.dataset_digest,
                dataset_file: row.dataset_file,
            })
            .collect())
    }
}
