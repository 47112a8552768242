//! The lease protocol for both kinds of unit: claim, renew, release, reap. Each step is one autocommit statement.
//!
//! How a leased unit ends by its worker's report is in `outcomes`.

use std::{collections::HashMap, time::Duration};

use bitfront_search::life::{UnitKind, UnitState};
use uuid::Uuid;

use super::Store;
use crate::{
    error::{Error, Kind, Result},
    ids::{SearchId, UnitId, WorkerId},
};

/// A lease as its worker names it: the unit and the attempt, which is the fencing token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holding {
    /// Unit of work.
    pub unit: UnitId,
    /// Attempt, from 1.
    pub attempt: u32,
}

/// A lease that was just given, or given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leased {
    /// Trial or synthesis job.
    pub kind: UnitKind,
    /// Unit and attempt.
    pub holding: Holding,
}

/// Who asks for work, and how much.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The worker.
    pub worker: WorkerId,
    /// Chosen by the worker; the same id is the same request.
    pub request: Uuid,
    /// Kinds wanted.
    pub kinds: Vec<UnitKind>,
    /// Units at most.
    pub capacity: u32,
    /// How long each lease lasts.
    pub ttl: Duration,
}

/// The answer to one renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The lease goes on.
    Extended,
    /// The lease goes on, and the unit was cancelled: stop and release it.
    Cancel,
    /// The attempt does not hold the lease.
    Lost,
}

/// A unit that a release or the reaper let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LetGo {
    /// Unit of work.
    pub unit: UnitId,
    /// Its search.
    pub search: SearchId,
    /// Its state now.
    pub state: UnitState,
}

/// One point of a learning curve. What is not finite is `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Unit and attempt that measured it.
    pub holding: Holding,
    /// From 1.
    pub epoch: u32,
    /// Training loss.
    pub train_loss: Option<f64>,
    /// Validation loss.
    pub validation_loss: Option<f64>,
    /// Validation accuracy, 0 to 1.
    pub validation_accuracy: Option<f64>,
    /// Learning rate.
    pub learning_rate: Option<f64>,
}

/// The name of a kind in rows.
pub(crate) fn kind_name(kind: UnitKind) -> &'static str {
    match kind {
        UnitKind::Trial => "trial",
        UnitKind::Synthesis => "synthesis",
    }
}

/// The kind of a row.
pub(crate) fn kind_of(name: &str) -> Result<UnitKind> {
    match name {
        "trial" => Ok(UnitKind::Trial),
        "synthesis" => Ok(UnitKind::Synthesis),
        other => Err(Error::internal(format!("a unit has kind {other:?}"))),
    }
}

/// The state of a row.
pub(crate) fn state_of(name: &str) -> Result<UnitState> {
    UnitState::from_name(name).ok_or_else(|| Error::internal(format!("a unit has state {name:?}")))
}

/// Names a statement's refusal that the caller can act on.
pub(super) fn lease_error(error: sqlx::Error) -> Error {
    if let sqlx::Error::Database(database) = &error {
        match database.constraint() {
            Some("units_lease_request_id_lease_slot_key") => {
                return Error::new(
                    Kind::Conflict,
                    "conflict",
                    "the same lease request is being answered",
                );
            }
            Some("units_lease_owner_fkey" | "attempts_worker_id_fkey") => {
                return Error::new(
                    Kind::NotFound,
                    "not-found",
                    "the worker is not registered: call Register first",
                );
            }
            _ => {}
        }
    }
    error.into()
}

fn units(holdings: &[Holding]) -> Vec<Uuid> {
    holdings.iter().map(|holding| holding.unit.get()).collect()
}

fn attempts(holdings: &[Holding]) -> Vec<i32> {
    holdings
        .iter()
        .map(|holding| holding.attempt as i32)
        .collect()
}

impl Store {
    /// The leases that the same request was given before and that still live, extended to their full life: what makes
    /// a lease call safe to repeat.
    ///
    /// # Errors
    /// The database fails.
    pub async fn held(&self, ask: &Ask) -> Result<Vec<Leased>> {
        sqlx::query_file!(
            "src/store/sql/unit/held.sql",
            ask.worker.get(),
            ask.request,
            ask.ttl.as_secs_f64()
        )
        .fetch_all(self.pool())
        .await?
        .into_iter()
        .map(|row| leased(row.id, &row.kind, row.attempt))
        .collect()
    }

    /// Leases queued units: at most `ask.capacity - taken`, where `taken` leases of this request were given before.
    ///
    /// # Errors
    /// The worker is unknown, the same request is being answered by another call (conflict), or the database fails.
    pub async fn claim(&self, ask: &Ask, taken: u32) -> Result<Vec<Leased>> {
        let kinds: Vec<String> = ask
            .kinds
            .iter()
            .map(|kind| kind_name(*kind).to_owned())
            .collect();
        sqlx::query_file!(
            "src/store/sql/unit/claim.sql",
            ask.worker.get(),
            ask.request,
            i64::from(ask.capacity.saturating_sub(taken)),
            taken as i32,
            ask.ttl.as_secs_f64(),
            &kinds
        )
        .fetch_all(self.pool())
        .await
        .map_err(lease_error)?
        .into_iter()
        .map(|row| leased(row.id, &row.kind, row.attempt))
        .collect()
    }

    /// Extends leases, all in one statement, and answers for each in the order given.
    ///
    /// # Errors
    /// The database fails; then nothing is known of any lease.
    pub async fn renew(
        &self,
        worker: WorkerId,
        holdings: &[Holding],
        ttl: Duration,
    ) -> Result<Vec<Renewal>> {
        if holdings.is_empty() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query_file!(
            "src/store/sql/unit/renew.sql",
            worker.get(),
            &units(holdings),
            &attempts(holdings),
            ttl.as_secs_f64()
        )
        .fetch_all(self.pool())
        .await?;
        let kept: HashMap<(Uuid, i32), bool> = rows
            .into_iter()
            .map(|row| ((row.id, row.attempt), row.cancel_requested))
            .collect();
        Ok(holdings
            .iter()
            .map(
                |holding| match kept.get(&(holding.unit.get(), holding.attempt as i32)) {
                    None => Renewal::Lost,
                    Some(true) => Renewal::Cancel,
                    Some(false) => Renewal::Extended,
                },
            )
            .collect())
    }

    /// Hands units back, uncharged; those that no longer are this worker's are passed over.
    ///
    /// # Errors
    /// The database fails.
    pub async fn release(&self, worker: WorkerId, holdings: &[Holding]) -> Result<Vec<LetGo>> {
        let rows = sqlx::query_file!(
            "src/store/sql/unit/release.sql",
            worker.get(),
            &units(holdings),
            &attempts(holdings)
        )
        .fetch_all(self.pool())
        .await?;
        rows.into_iter()
            .map(|row| let_go(row.id, row.search_id, &row.state))
            .collect()
    }

    /// Ends leases that have run out, `limit` at most.
    ///
    /// # Errors
    /// The database fails.
    pub async fn reap(&self, limit: u32) -> Result<Vec<LetGo>> {
        let rows = sqlx::query_file!("src/store/sql/unit/reap.sql", i64::from(limit))
            .fetch_all(self.pool())
            .await?;
        rows.into_iter()
            .map(|row| {
                tracing::warn!(unit = %row.id, attempt = row.attempt, state = row.state, "lease expired");
                let_go(row.id, row.search_id, &row.state)
            })
            .collect()
    }

    /// Records curve points of attempts that this worker runs; points sent twice count once.
    ///
    /// # Errors
    /// The database fails.
    pub async fn measure(&self, worker: WorkerId, points: &[Measured]) -> Result<()> {
        if points.is_empty() {
            return Ok(());
        }
        let holdings: Vec<_> = points.iter().map(|point| point.holding).collect();
        let epochs: Vec<_> = points.iter().map(|point| point.epoch as i32).collect();
        let column = |read: fn(&Measured) -> Option<f64>| -> Vec<Option<f64>> {
            points
                .iter()
                .map(|point| read(point).filter(|value| value.is_finite()))
                .collect()
        };
        sqlx::query_file!(
            "src/store/sql/attempt/measure.sql",
            worker.get(),
            &units(&holdings),
            &attempts(&holdings),
            &epochs,
            &column(|point| point.train_loss) as &[Option<f64>],
            &column(|point| point.validation_loss) as &[Option<f64>],
            &column(|point| point.validation_accuracy) as &[Option<f64>],
            &column(|point| point.learning_rate) as &[Option<f64>]
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Appends log text to attempts that this worker runs.
    ///
    /// # Errors
    /// The database fails.
    pub async fn append_logs(&self, worker: WorkerId, logs: &[(Holding, String)]) -> Result<()> {
        if logs.is_empty() {
            return Ok(());
        }
        let holdings: Vec<_> = logs.iter().map(|(holding, _)| *holding).collect();
        // Postgres takes no NUL in text.
        let texts: Vec<_> = logs
            .iter()
            .map(|(_, text)| text.replace('\0', "\u{fffd}"))
            .collect();
        sqlx::query_file!(
            "src/store/sql/attempt/log.sql",
            worker.get(),
            &units(&holdings),
            &attempts(&holdings),
            &texts
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }
}

fn leased(id: Uuid, kind: &str, attempt: i32) -> Result<Leased> {
    Ok(Leased {
        kind: kind_of(kind)?,
        holding: Holding {
            unit: UnitId(id),
            attempt: attempt as u32,
        },
    })
}

fn let_go(id: Uuid, search: Uuid, state: &str) -> Result<LetGo> {
    Ok(LetGo {
        unit: UnitId(id),
        search: SearchId(search),
        state: state_of(state)?,
    })
}
