//! Trials as tables, the front and a trial's own page show them.

use crate::error::Result;
use crate::ids::{SearchId, TrialId};
use crate::store::{Store, front};
use bitfront_search::TrialScores;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// A trial's row in a table.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "columns of trial_list.sql, described where they are shown"
)]
pub struct TrialRow {
    pub id: Uuid,
    pub search_id: Uuid,
    pub number: i32,
    pub label: Option<String>,
    pub state: String,
    pub attempt: i32,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub worker: Option<String>,
    pub kernels: Value,
    pub scores: Option<Value>,
    pub on_front: bool,
    pub synthesis_id: Option<Uuid>,
    pub synthesis_state: Option<String>,
    pub synthesis_result: Option<Value>,
    pub measured: Option<Value>,
    pub engine_version: Option<i32>,
    pub device: Option<Value>,
    /// The value sorted by, turned so that it ascends; infinite where the trial has none.
    pub sort_key: f64,
}

/// Which trials.
#[derive(Clone, Debug, Default)]
pub struct TrialFilter {
    /// Of this search.
    pub search: Option<SearchId>,
    /// This one.
    pub trial: Option<TrialId>,
    /// In one of these states.
    pub states: Option<Vec<String>>,
    /// Only members of the front.
    pub on_front: bool,
    /// Only the search's seed trials.
    pub seeds: bool,
    /// With one of these numbers.
    pub numbers: Option<Vec<i32>>,
}

/// In which order, and from where.
#[derive(Clone, Debug)]
pub struct TrialOrder<'a> {
    /// `number`, or the name of a score.
    pub by: &'a str,
    /// Largest first.
    pub descending: bool,
    /// Sort key and number of the last row already seen.
    pub after: Option<(f64, i32)>,
    /// Rows at most.
    pub limit: i64,
}

/// What a trial's own page shows beside its row.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "columns of trial_documents.sql, described where they are shown"
)]
pub struct TrialDocuments {
    pub candidate: Value,
    pub candidate_digest: String,
    pub origin: Value,
    pub repeat: i32,
    pub seed: i64,
    pub tier0: Option<Value>,
    pub search_name: String,
    pub search_state: String,
    pub objectives: Option<Value>,
    pub training: Option<Value>,
    pub device: Option<Value>,
    pub classes: Option<Value>,
}

/// Front members beside a trial, by LUT estimate.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrialNeighbours {
    /// The next smaller one.
    pub previous: Option<Uuid>,
    /// The next larger one.
    pub next: Option<Uuid>,
}

impl Store {
    /// A page of trials.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_trials(
        &self,
        filter: &TrialFilter,
        order: &TrialOrder<'_>,
    ) -> Result<Vec<TrialRow>> {
        let direction = if order.descending { -1.0 } else { 1.0 };
        Ok(sqlx::query_file_as!(
            TrialRow,
            "src/store/read/sql/trial_list.sql",
            filter.search.map(SearchId::get),
            filter.states.as_deref(),
            order.by,
            direction,
            order.after.map(|(key, _)| key),
            order.after.map(|(_, number)| number),
            order.limit,
            filter.trial.map(TrialId::get),
            filter.on_front,
            filter.seeds,
            filter.numbers.as_deref(),
        )
        .fetch_all(self.pool())
        .await?)
    }

    /// The scores of a search's completed trials with what synthesis measured, in trial order.
    ///
    /// # Errors
    /// A row cannot be read, or the database does not answer.
    pub async fn finished_trials(&self, search: SearchId) -> Result<Vec<(u32, TrialScores)>> {
        let finished = front::finished(self.pool(), search).await?;
        Ok(finished
            .into_iter()
            .map(|trial| (trial.number, trial.scores))
            .collect())
    }

    /// One trial's row.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn find_trial(&self, id: TrialId) -> Result<Option<TrialRow>> {
        let filter = TrialFilter {
            trial: Some(id),
            ..TrialFilter::default()
        };
        let order = TrialOrder {
            by: "number",
            descending: false,
            after: None,
            limit: 1,
        };
        Ok(self.list_trials(&filter, &order).await?.pop())
    }

    /// A trial's documents.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn trial_documents(&self, id: TrialId) -> Result<Option<TrialDocuments>> {
        Ok(sqlx::query_file_as!(
            TrialDocuments,
            "src/store/read/sql/trial_documents.sql",
            id.get()
        )
        .fetch_optional(self.pool())
        .await?)
    }

    /// The front members before and after a member; both `None` for a trial that is not on the front.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn trial_neighbours(&self, search: SearchId, id: TrialId) -> Result<TrialNeighbours> {
        Ok(sqlx::query_file_as!(
            TrialNeighbours,
            "src/store/read/sql/trial_neighbours.sql",
            search.get(),
            id.get()
        )
        .fetch_optional(self.pool())
        .await?
        .unwrap_or_default())
    }
}
