//! Searches as lists and pages show them.

use crate::error::Result;
use crate::ids::SearchId;
use crate::store::Store;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// A search with its counts.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "columns of search_list.sql, described where they are shown"
)]
pub struct SearchRow {
    pub id: Uuid,
    pub name: String,
    pub state: String,
    pub reproducible: bool,
    pub engine_version: Option<i32>,
    pub engine_changed: bool,
    /// Those of workers that are here, where its trials wait for another one.
    pub other_versions: Option<Vec<i32>>,
    pub budget: i32,
    pub description: String,
    pub labels: Value,
    pub objectives: Value,
    pub device: Option<Value>,
    pub dataset_file: String,
    pub dataset_digest: String,
    pub trials_queued: i64,
    pub trials_leased: i64,
    pub trials_paused: i64,
    pub trials_completed: i64,
    pub trials_failed: i64,
    pub trials_pruned: i64,
    pub trials_cancelled: i64,
    pub points: i64,
    pub synthesis_open: i64,
    pub synthesis_completed: i64,
    pub synthesis_failed: i64,
    pub synthesis_lacks_engine: i64,
    pub synthesis_lacking: Option<String>,
    pub engine: String,
    pub part: Option<String>,
    pub front_size: i64,
    pub best_accuracy: Option<f64>,
    /// Least validation mean squared error of the front.
    pub least_mean_squared_error: Option<f64>,
    pub smallest_lut_estimate: Option<f64>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// A search's file as submitted, and as resolved.
#[derive(Clone, Debug)]
pub struct SearchDocuments {
    /// As submitted.
    pub file: Value,
    /// With every default written out.
    pub resolved: Value,
}

impl Store {
    /// A page of searches, newest first: those in `state` if given, older than `before` if given.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_searches(
        &self,
        state: Option<&str>,
        before: Option<SearchId>,
        limit: i64,
    ) -> Result<Vec<SearchRow>> {
        self.searches(state, before, limit, None).await
    }

    /// One search.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn find_search(&self, id: SearchId) -> Result<Option<SearchRow>> {
        Ok(self.searches(None, None, 1, Some(id)).await?.pop())
    }

    async fn searches(
        &self,
        state: Option<&str>,
        before: Option<SearchId>,
        limit: i64,
        id: Option<SearchId>,
    ) -> Result<Vec<SearchRow>> {
        Ok(sqlx::query_file_as!(
            SearchRow,
            "src/store/read/sql/search_list.sql",
            state,
            before.map(SearchId::get),
            limit,
            id.map(SearchId::get),
        )
        .fetch_all(self.pool())
        .await?)
    }

    /// A search's documents.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn search_documents(&self, id: SearchId) -> Result<Option<SearchDocuments>> {
        Ok(sqlx::query_file_as!(
            SearchDocuments,
            "src/store/read/sql/search_documents.sql",
            id.get()
        )
        .fetch_optional(self.pool())
        .await?)
    }
}
