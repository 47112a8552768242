//! What happened, in the order of commits: the source of every event stream.

use crate::error::Result;
use crate::ids::SearchId;
use crate::store::Store;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that happened.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct EventRow {
    /// Rises with every event; what `Last-Event-ID` and `after` name.
    pub seq: i64,
    /// The search it belongs to, if any.
    pub search_id: Option<Uuid>,
    /// `search.submitted`, `search.updated`, `search.progress`, `trial.updated`, `front.changed`,
    /// `synthesis.updated` or `worker.updated`.
    pub kind: String,
    /// Particular to the kind.
    pub payload: Value,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
}

/// Which events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventBounds {
    /// The oldest event, 0 if there is none.
    pub oldest: i64,
    /// The newest event, 0 if there is none.
    pub newest: i64,
}

impl EventBounds {
    /// Whether a reader that has seen `after` can go on without having missed anything: it cannot
    /// when events were pruned since, or when the number is from another database.
    pub fn reaches(self, after: i64) -> bool {
        after == 0 || (after + 1 >= self.oldest && after <= self.newest)
    }
}

impl Store {
    /// Events after `after`, in order; of one search or of all.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn events_after(
        &self,
        after: i64,
        search: Option<SearchId>,
        limit: i64,
    ) -> Result<Vec<EventRow>> {
        Ok(sqlx::query_file_as!(
            EventRow,
            "src/store/read/sql/events_after.sql",
            after,
            search.map(SearchId::get),
            limit,
        )
        .fetch_all(self.pool())
        .await?)
    }

    /// Which events are kept.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn event_bounds(&self) -> Result<EventBounds> {
        Ok(
            sqlx::query_file_as!(EventBounds, "src/store/read/sql/events_bounds.sql")
                .fetch_one(self.pool())
                .await?,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::EventBounds;

    #[test]
    fn a_reader_goes_on_unless_something_was_pruned_before_it_saw_it() {
        let kept = EventBounds {
            oldest: 11,
            newest: 20,
        };
        assert!(kept.reaches(0), "a new reader starts with what is kept");
        assert!(kept.reaches(10), "11 is the next and is kept");
        assert!(kept.reaches(20), "nothing new yet");
        assert!(!kept.reaches(9), "10 was pruned");
        assert!(!kept.reaches(21), "a number from another database");
        assert!(
            !EventBounds {
                oldest: 0,
                newest: 0
            }
            .reaches(5)
        );
    }
}
