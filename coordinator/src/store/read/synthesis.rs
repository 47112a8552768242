//! Synthesis jobs as lists and pages show them.

use crate::error::Result;
use crate::ids::{SearchId, SynthesisId, TrialId};
use crate::store::Store;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// A synthesis job, with the estimate of its trial beside what was measured.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "columns of synthesis_list.sql, described where they are shown"
)]
pub struct SynthesisRow {
    pub id: Uuid,
    pub search_id: Uuid,
    pub trial_id: Uuid,
    pub trial_number: i32,
    pub requested_by: String,
    pub tool: String,
    pub part: Option<String>,
    pub options: String,
    pub vectors: i32,
    pub state: String,
    pub lacks_engine: bool,
    pub attempt: i32,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub result: Option<Value>,
    pub shared_from: Option<Uuid>,
    pub estimate: Option<Value>,
    pub unseen: Option<Value>,
    pub device: Option<Value>,
    pub worker: Option<String>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// Which synthesis jobs.
#[derive(Clone, Copy, Debug, Default)]
pub struct SynthesisFilter {
    /// Of this search.
    pub search: Option<SearchId>,
    /// Of this trial.
    pub trial: Option<TrialId>,
    /// This one.
    pub job: Option<SynthesisId>,
    /// Younger than this one.
    pub after: Option<SynthesisId>,
}

impl Store {
    /// A page of synthesis jobs, oldest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_synthesis(
        &self,
        filter: SynthesisFilter,
        limit: i64,
    ) -> Result<Vec<SynthesisRow>> {
        Ok(sqlx::query_file_as!(
            SynthesisRow,
            "src/store/read/sql/synthesis_list.sql",
            filter.search.map(SearchId::get),
            filter.trial.map(TrialId::get),
            filter.job.map(SynthesisId::get),
            filter.after.map(SynthesisId::get),
            limit,
        )
        .fetch_all(self.pool())
        .await?)
    }

    /// One synthesis job.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn find_synthesis(&self, id: SynthesisId) -> Result<Option<SynthesisRow>> {
        let filter = SynthesisFilter {
            job: Some(id),
            ..SynthesisFilter::default()
        };
        Ok(self.list_synthesis(filter, 1).await?.pop())
    }
}
