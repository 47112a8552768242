//! Counts for the metrics page.

use crate::error::Result;
use crate::store::Store;

/// How many units of work of a kind are in a state.
#[derive(Clone, Debug)]
pub struct UnitTotal {
    /// `trial` or `synthesis`.
    pub kind: String,
    /// State of the unit.
    pub state: String,
    /// How many.
    pub count: i64,
}

impl Store {
    /// Units of work by kind and state.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn unit_totals(&self) -> Result<Vec<UnitTotal>> {
        Ok(
            sqlx::query_file_as!(UnitTotal, "src/store/read/sql/totals.sql")
                .fetch_all(self.pool())
                .await?,
        )
    }

    /// Workers seen in the last minute.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn workers_seen(&self) -> Result<i64> {
        Ok(
            sqlx::query_file_scalar!("src/store/read/sql/totals_workers.sql")
                .fetch_one(self.pool())
                .await?,
        )
    }
}
