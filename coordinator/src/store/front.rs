//! The front in rows: which completed trials no other dominates.
//!
//! The rule this module keeps: rows show the front of all completed trials as `search` defines it, after every outcome.
//! A trial's scores change the front by one trial at most joining; a measurement may also move a member, so that the
//! front is then found anew. Both run under the lock of the search's row.

use bitfront_search::{Measured, Search, TrialScores};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{
    error::Result,
    ids::{SearchId, UnitId},
    ranking,
};

/// A completed trial.
pub(crate) struct Finished {
    pub(crate) number: u32,
    pub(crate) scores: TrialScores,
    pub(crate) on_front: bool,
}

/// Scores as they are kept: what was measured stands in a column of its own.
fn scores_of(scores: Value, measured: Option<Value>) -> Result<TrialScores> {
    Ok(TrialScores {
        measured: measured.map(serde_json::from_value).transpose()?,
        ..serde_json::from_value(scores)?
    })
}

/// The completed trials of a search, in trial order.
pub(crate) async fn finished(
    executor: impl sqlx::PgExecutor<'_>,
    search: SearchId,
) -> Result<Vec<Finished>> {
    sqlx::query_file!("src/store/sql/score/finished.sql", search.get())
        .fetch_all(executor)
        .await?
        .into_iter()
        .map(|row| {
            Ok(Finished {
                number: row.number as u32,
                scores: scores_of(row.scores, row.measured)?,
                on_front: row.on_front,
            })
        })
        .collect()
}

/// Offers trial `number`, which has just got its scores, to the front. Whether it joined, and the event that says so.
pub(super) async fn offer(
    connection: &mut PgConnection,
    search: &Search,
    id: SearchId,
    number: u32,
    scores: &TrialScores,
) -> Result<Option<(&'static str, Value)>> {
    let members = sqlx::query_file!("src/store/sql/score/front.sql", id.get())
        .fetch_all(&mut *connection)
        .await?
        .into_iter()
        .map(|row| Ok((row.number as u32, scores_of(row.scores, row.measured)?)))
        .collect::<Result<Vec<(u32, TrialScores)>>>()?;
    let change = ranking::offer(search, &members, number, scores);
    if !change.joined {
        return Ok(None);
    }
    Ok(Some(set(connection, id, &[number], &change.left).await?))
}

/// Puts what a synthesis job measured beside its trial's scores, and finds the front anew where the search looks at
/// measurements. The event, if the front changed.
pub(super) async fn measure(
    connection: &mut PgConnection,
    search: &Search,
    id: SearchId,
    job: UnitId,
    measured: &Measured,
) -> Result<Option<(&'static str, Value)>> {
    let updated = sqlx::query_file!(
        "src/store/sql/score/measure.sql",
        job.get(),
        search.synthesis_target.engine.name(),
        serde_json::to_value(measured)?,
        search.synthesis_target.part.as_deref().unwrap_or_default()
    )
    .execute(&mut *connection)
    .await?;
    if updated.rows_affected() == 0 || !search.reads_measurements() {
        return Ok(None);
    }
    let finished = finished(&mut *connection, id).await?;
    let trials: Vec<_> = finished
        .iter()
        .map(|trial| (trial.number, &trial.scores, trial.on_front))
        .collect();
    let (joined, left) = ranking::anew(search, &trials);
    if joined.is_empty() && left.is_empty() {
        return Ok(None);
    }
    Ok(Some(set(connection, id, &joined, &left).await?))
}

async fn set(
    connection: &mut PgConnection,
    id: SearchId,
    joined: &[u32],
    left: &[u32],
) -> Result<(&'static str, Value)> {
    for (numbers, on_front) in [(joined, true), (left, false)] {
        let numbers: Vec<i32> = numbers.iter().map(|number| *number as i32).collect();
        sqlx::query_file!(
            "src/store/sql/score/set_front.sql",
            id.get(),
            &numbers,
            on_front
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(("front.changed", json!({ "joined": joined, "left": left })))
}
