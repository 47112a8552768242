//! What follows from an outcome: the synthesis jobs that the policy owes, results they share with equal ones, the end of the
//! search, and the events.
//!
//! Settling is idempotent and runs under the lock of the search's row: after every outcome in its transaction, and again
//! for searches that a killed coordinator left behind ([`Store::settle_idle`]).

use bitfront_search::{
    Search, TrialScores,
    life::{Remaining, SearchEvent, SearchState},
    synthesis_policy,
};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{
    Store, front,
    leases::LetGo,
    synthesis::{RequestedBy, queue, share},
};
use crate::{
    error::{Error, Result},
    ids::SearchId,
};

/// A search whose row the transaction has locked.
pub(super) struct Locked {
    pub(super) id: SearchId,
    pub(super) name: String,
    pub(super) state: SearchState,
    pub(super) resolved: Search,
    next_number: u32,
    budget: u32,
    exhausted: bool,
    synthesis_owed: bool,
}

/// Locks a search's row until the transaction ends.
pub(super) async fn lock(connection: &mut PgConnection, id: SearchId) -> Result<Locked> {
    let row = sqlx::query_file!("src/store/sql/search/lock.sql", id.get())
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| Error::not_found(format_args!("search {id}")))?;
    Ok(Locked {
        id,
        name: row.name,
        state: SearchState::from_name(&row.state)
            .ok_or_else(|| Error::internal(format!("a search has state {:?}", row.state)))?,
        resolved: serde_json::from_value(row.resolved)?,
        next_number: row.next_number as u32,
        budget: row.budget as u32,
        exhausted: row.exhausted,
        synthesis_owed: row.synthesis_owed,
    })
}

/// Queues the synthesis jobs owed once all trials have ended, completes those whose circuit was synthesised before,
/// finishes the search when nothing is left, and writes `events` and the search's own, last.
pub(super) async fn settle(
    connection: &mut PgConnection,
    search: &Locked,
    mut events: Vec<(&'static str, Value)>,
) -> Result<()> {
    let id = search.id;
    let mut progress = count(&mut *connection, id).await?;
    let proposals = search.next_number < search.budget && !search.exhausted;
    let mut state = search.state;
    let mut owed = u64::from(search.synthesis_owed);
    let queued = state.is_open() && owed > 0 && !proposals && progress.open_trials == 0;
    if queued {
        queue_owed(&mut *connection, search).await?;
        owed = 0;
    }
    let shared = share(&mut *connection, &search.resolved, id).await?;
    if queued || !shared.is_empty() {
        progress = count(&mut *connection, id).await?;
    }
    events.extend(shared);
    if state.is_open() {
        let remaining = Remaining {
            proposals,
            open_trials: progress.open_trials as u64,
            owed_synthesis: owed,
            open_synthesis: progress.open_synthesis as u64,
        };
        if remaining.is_finished() {
            state = state.next(SearchEvent::Finish).map_err(Error::internal)?;
            set_state(&mut *connection, id, state).await?;
            events.push((
                "search.updated",
                json!({ "id": id, "name": search.name, "state": state }),
            ));
        }
    }
    events.push((
        "search.progress",
        json!({
            "id": id, "state": state, "budget": search.budget, "proposed": search.next_number,
            "completed": progress.completed_trials, "other": progress.other_trials, "open": progress.open_trials,
            "points": progress.points,
            "synthesis_open": progress.open_synthesis, "synthesis_completed": progress.completed_synthesis,
        }),
    ));
    write_events(connection, id, events).await
}

/// A search's units by kind and state.
struct Progress {
    open_trials: i64,
    completed_trials: i64,
    other_trials: i64,
    open_synthesis: i64,
    completed_synthesis: i64,
    points: i64,
}

async fn count(connection: &mut PgConnection, id: SearchId) -> Result<Progress> {
    Ok(
        sqlx::query_file_as!(Progress, "src/store/sql/search/progress.sql", id.get())
            .fetch_one(connection)
            .await?,
    )
}

/// Writes a search's state; the caller holds its row's lock and has asked `life`.
pub(super) async fn set_state(
    connection: &mut PgConnection,
    id: SearchId,
    state: SearchState,
) -> Result<()> {
    sqlx::query_file!("src/store/sql/search/set_state.sql", id.get(), state.name())
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes events, which must be the transaction's last statements: writers of events take turns until they commit.
pub(super) async fn write_events(
    connection: &mut PgConnection,
    id: SearchId,
    events: Vec<(&'static str, Value)>,
) -> Result<()> {
    for (kind, payload) in events {
        sqlx::query_file!("src/store/sql/event/insert.sql", id.get(), kind, payload)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The front is final when every trial has ended: only now it says which members become circuits.
async fn queue_owed(connection: &mut PgConnection, search: &Locked) -> Result<()> {
    let finished = front::finished(&mut *connection, search.id).await?;
    let finished: Vec<(u32, &TrialScores)> = finished
        .iter()
        .map(|trial| (trial.number, &trial.scores))
        .collect();
    for number in synthesis_policy::owed(&search.resolved, &finished) {
        let queued = queue(
            &mut *connection,
            search.id,
            &search.resolved,
            &search.resolved.synthesis_target,
            number,
            RequestedBy::Policy,
        )
        .await?;
        if queued.is_none() {
            tracing::warn!(search = %search.id, number, "no synthesis job: the trial has one already or kept no weights");
        }
    }
    sqlx::query_file!("src/store/sql/search/settle_owed.sql", search.id.get())
        .execute(connection)
        .await?;
    Ok(())
}

impl Store {
    /// Settles one search on its own: after a unit ended without a report.
    ///
    /// # Errors
    /// The database fails.
    pub async fn settle(&self, search: SearchId) -> Result<()> {
        let store = self.clone();
        tokio::spawn(async move {
            let mut transaction = store.pool().begin().await?;
            let locked = lock(&mut transaction, search).await?;
            settle(&mut transaction, &locked, Vec::new()).await?;
            transaction.commit().await?;
            Ok(())
        })
        .await?
    }

    /// Settles the searches of those units that have ended among `let_go`, each once.
    ///
    /// # Errors
    /// The database fails.
    pub async fn settle_ended(&self, let_go: &[LetGo]) -> Result<()> {
        let mut searches: Vec<SearchId> = let_go
            .iter()
            .filter(|unit| unit.state.is_terminal())
            .map(|unit| unit.search)
            .collect();
        searches.sort_unstable();
        searches.dedup();
        for search in searches {
            self.settle(search).await?;
        }
        Ok(())
    }

    /// Settles the searches with jobs that wait for nothing but the result of an equal one, which is there.
    ///
    /// # Errors
    /// The database fails.
    pub async fn settle_sharable(&self) -> Result<usize> {
        let searches = sqlx::query_file_scalar!("src/store/sql/synthesis/sharable.sql")
            .fetch_all(self.pool())
            .await?;
        for id in &searches {
            self.settle(SearchId(*id)).await?;
        }
        Ok(searches.len())
    }

    /// Settles the searches whose work is done and that a killed coordinator left open.
    ///
    /// # Errors
    /// The database fails.
    pub async fn settle_idle(&self) -> Result<usize> {
        let idle = sqlx::query_file_scalar!("src/store/sql/search/idle.sql")
            .fetch_all(self.pool())
            .await?;
        for id in &idle {
            self.settle(SearchId(*id)).await?;
        }
        Ok(idle.len())
    }
}
