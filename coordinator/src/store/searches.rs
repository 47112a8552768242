//! Searches: submit, pause, resume, cancel, archive; and data sets, which they name.

use bitfront_search::{
    Search,
    life::{SearchEvent, SearchState},
    search::{Order, SynthesisPolicy},
};
use serde_json::{Value, json};

use super::{Store, settle};
use crate::{
    artifacts::Digest,
    error::{Error, Result},
    ids::{DatasetId, SearchId, UnitId},
};

/// A search to store.
#[derive(Clone, Debug)]
pub struct NewSearch {
    /// The file as submitted.
    pub file: Value,
    /// The file as resolved.
    pub resolved: Search,
    /// Its data set.
    pub dataset: DatasetId,
    /// The client's own key, 1 to 200 characters.
    pub idempotency_key: Option<String>,
}

impl Store {
    /// Stores a search; it runs from now on. The flag is false where the idempotency key named it before.
    ///
    /// # Errors
    /// The key names a search of another file (conflict), or the database fails.
    pub async fn submit(&self, search: NewSearch) -> Result<(SearchId, bool)> {
        let resolved = &search.resolved;
        let order = match resolved.order {
            Order::Number => "number",
            Order::Arrival => "arrival",
        };
        let inserted = sqlx::query_file_scalar!(
            "src/store/sql/search/insert.sql",
            SearchId::new().get(),
            resolved.name,
            search.file,
            serde_json::to_value(resolved)?,
            search.dataset.get(),
            resolved.budget.trials as i32,
            resolved.budget.parallel as i32,
            order,
            resolved.synthesis != SynthesisPolicy::None,
            search.idempotency_key
        )
        .fetch_optional(self.pool())
        .await?;
        if let Some(id) = inserted {
            return Ok((SearchId(id), true));
        }
        let present = sqlx::query_file!("src/store/sql/search/by_key.sql", search.idempotency_key)
            .fetch_one(self.pool())
            .await?;
        if present.file == search.file {
            Ok((SearchId(present.id), false))
        } else {
            Err(Error::conflict(
                "conflict",
                "this idempotency key was used for another search file: choose another key",
            ))
        }
    }

    /// Moves a search by a user's wish, and answers its state. A repeated wish is answered like the first.
    ///
    /// A cancel ends what waits at once; what is leased learns of it with its worker's next heartbeat.
    ///
    /// # Errors
    /// The search does not exist, its state does not allow the wish (conflict), or the database fails.
    pub async fn steer(&self, search: SearchId, wish: SearchEvent) -> Result<SearchState> {
        let store = self.clone();
        tokio::spawn(async move { store.steer_here(search, wish, None).await }).await?
    }

    /// Resumes a search with workers of an engine version: what waits for those of another one, which may never come
    /// back, goes on. Unless no trial was given to any worker before, the search is no longer reproducible.
    ///
    /// # Errors
    /// As [`steer`](Self::steer).
    pub async fn resume_with(&self, search: SearchId, engine_version: i32) -> Result<SearchState> {
        let store = self.clone();
        let wish = SearchEvent::Resume;
        tokio::spawn(async move { store.steer_here(search, wish, Some(engine_version)).await })
            .await?
    }

    async fn steer_here(
        &self,
        id: SearchId,
        wish: SearchEvent,
        engine_version: Option<i32>,
    ) -> Result<SearchState> {
        let mut transaction = self.pool().begin().await?;
        let search = settle::lock(&mut transaction, id).await?;
        let next = search.state.next(wish).map_err(|refused| {
            Error::conflict(
                "conflict",
                format!("search {id} is {}: {refused}", search.state),
            )
        })?;
        let mut changed = false;
        if let Some(version) = engine_version {
            let done = sqlx::query_file!(
                "src/store/sql/search/set_engine_version.sql",
                id.get(),
                version
            )
            .execute(&mut *transaction)
            .await?;
            changed = done.rows_affected() > 0;
        }
        if next != search.state {
            changed = true;
            settle::set_state(&mut transaction, id, next).await?;
            if next == SearchState::Cancelled {
                let none: Option<uuid::Uuid> = None;
                sqlx::query_file!("src/store/sql/unit/cancel.sql", none, id.get())
                    .fetch_one(&mut *transaction)
                    .await?;
            }
        }
        if changed {
            let event = json!({ "id": id, "name": search.name, "state": next });
            settle::write_events(&mut transaction, id, vec![("search.updated", event)]).await?;
        }
        transaction.commit().await?;
        Ok(next)
    }

    /// Cancels one unit of work of a search (a synthesis job, a trial). A unit that has ended stays as it is.
    ///
    /// # Errors
    /// The database fails.
    pub async fn cancel_unit(&self, search: SearchId, unit: UnitId) -> Result<()> {
        let store = self.clone();
        tokio::spawn(async move {
            let mut transaction = store.pool().begin().await?;
            let locked = settle::lock(&mut transaction, search).await?;
            let none: Option<uuid::Uuid> = None;
            let cancelled =
                sqlx::query_file_scalar!("src/store/sql/unit/cancel.sql", unit.get(), none)
                    .fetch_one(&mut *transaction)
                    .await?;
            if cancelled > 0 {
                settle::settle(&mut transaction, &locked, Vec::new()).await?;
            }
            transaction.commit().await?;
            Ok(())
        })
        .await?
    }

    /// Registers a data set whose bytes are safe on disk. The same bytes again are the same data set.
    ///
    /// # Errors
    /// The database fails.
    pub async fn register_dataset(
        &self,
        digest: &Digest,
        file: &str,
        bytes: u64,
        info: &Value,
    ) -> Result<DatasetId> {
        // The second round finds the row of another that inserted the same bytes in between.
        for _ in 0..2 {
            let id = sqlx::query_file_scalar!(
                "src/store/sql/dataset/insert.sql",
                DatasetId::new().get(),
                digest.as_str(),
                file,
                bytes as i64,
                info
            )
            .fetch_optional(self.pool())
            .await?;
            if let Some(id) = id {
                return Ok(DatasetId(id));
            }
        }
        Err(Error::internal(format!(
            "data set {digest} was neither inserted nor found"
        )))
    }
}
