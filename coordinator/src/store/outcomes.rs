//! How a leased unit ends by its worker's report: one transaction from the fence to the last event.
//!
//! The rule this module keeps (promise P3): a unit gets at most one outcome, by the attempt that holds its lease; a late
//! or doubled report changes nothing and is told so. What follows from an outcome - scores, front, owed synthesis jobs,
//! the end of the search, events - is in the same transaction, which runs in a task of its own, so that a client that
//! hangs up cannot leave it half done.

use bitfront_search::{Measured, Search, TrialScores, learned::RunResult, life::UnitKind};
use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, Transaction};

use super::{Store, front, leases::Holding, leases::kind_of, runs, settle};
use crate::{
    artifacts::Digest,
    error::{Error, Result},
    ids::{SearchId, UnitId, WorkerId},
};

/// An artifact that an attempt produced; its bytes were uploaded before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Produced {
    /// "weights", "point-weights", "log", "rtl", "testbench", "vectors", "constraints", "script", "pads", "settings", "report", "netlist".
    pub kind: String,
    /// SHA-256 of the bytes.
    pub digest: String,
}

/// A report of success.
#[derive(Clone, Debug)]
pub struct Completion {
    /// Who reports.
    pub worker: WorkerId,
    /// Of which lease.
    pub holding: Holding,
    /// `TrialScores`, a run's `RunResult` or the synthesis result.
    pub result: Value,
    /// What it produced.
    pub artifacts: Vec<Produced>,
}

/// A report of failure.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Who reports.
    pub worker: WorkerId,
    /// Of which lease.
    pub holding: Holding,
    /// Stable code ("diverged", "mismatch", "tool-failed", "out-of-memory").
    pub code: String,
    /// For people.
    pub message: String,
    /// Whether another attempt could succeed.
    pub retryable: bool,
    /// What it produced all the same (its log).
    pub artifacts: Vec<Produced>,
}

impl Completion {
    /// Names the content: equal reports have equal digests. JSON objects compare with sorted keys.
    fn digest(&self) -> String {
        let mut artifacts = self.artifacts.clone();
        artifacts.sort();
        let artifacts: Vec<_> = artifacts
            .iter()
            .map(|one| (&one.kind, &one.digest))
            .collect();
        let content = json!({ "result": self.result, "artifacts": artifacts });
        Digest::of(content.to_string().as_bytes())
            .as_str()
            .to_owned()
    }
}

impl Store {
    /// Records a result. Repeating the report with equal content is harmless.
    ///
    /// # Errors
    /// The attempt does not hold the lease and has not reported the same before (lease lost), the result cannot be read
    /// or refers to artifacts that were never uploaded (invalid), or the database fails.
    pub async fn complete(&self, completion: Completion) -> Result<()> {
        let store = self.clone();
        tokio::spawn(async move { store.complete_here(&completion).await }).await?
    }

    async fn complete_here(&self, completion: &Completion) -> Result<()> {
        let digest = completion.digest();
        let standing = self.standing(completion.holding).await?;
        let outcome = Parsed::read(standing.kind, &completion.result)?;
        self.check_uploaded(&completion.artifacts).await?;
        let mut transaction = self.pool().begin().await?;
        let search = settle::lock(&mut transaction, standing.search).await?;
        if let Err(error) = outcome.check(&search.resolved, &completion.artifacts) {
            transaction.rollback().await?;
            return Err(error);
        }
        let ended = sqlx::query_file!(
            "src/store/sql/unit/complete.sql",
            completion.holding.unit.get(),
            completion.holding.attempt as i32,
            completion.worker.get(),
            digest
        )
        .fetch_optional(&mut *transaction)
        .await?;
        if ended.is_none() {
            transaction.rollback().await?;
            let standing = self.standing(completion.holding).await?;
            return if standing.state == "completed"
                && standing.attempt == completion.holding.attempt
                && standing.worker == Some(completion.worker)
                && standing.result_digest.as_deref() == Some(&digest)
            {
                Ok(())
            } else {
                Err(lost(completion.holding))
            };
        }
        let own: Vec<Produced> = completion
            .artifacts
            .iter()
            .filter(|one| one.kind != runs::POINT_WEIGHTS)
            .cloned()
            .collect();
        attach(&mut transaction, completion.holding, &own).await?;
        let mut events = Vec::new();
        match outcome {
            Parsed::Trial(scores) => {
                record_scores(
                    &mut transaction,
                    &search.resolved,
                    standing.search,
                    completion,
                    &scores,
                    &mut events,
                )
                .await?;
            }
            Parsed::Run(run) => {
                let number = record_scores(
                    &mut transaction,
                    &search.resolved,
                    standing.search,
                    completion,
                    &run.scores,
                    &mut events,
                )
                .await?;
                events.extend(
                    runs::record_points(
                        &mut transaction,
                        &search.resolved,
                        standing.search,
                        number,
                        completion,
                        &run,
                    )
                    .await?,
                );
            }
            Parsed::Synthesis(measured) => {
                let trial = sqlx::query_file_scalar!(
                    "src/store/sql/synthesis/record.sql",
                    completion.holding.unit.get(),
                    completion.holding.attempt as i32,
                    completion.result
                )
                .fetch_one(&mut *transaction)
                .await?;
                events.push((
                    "synthesis.updated",
                    json!({
                        "id": completion.holding.unit, "trial_id": trial, "state": "completed",
                        "attempt": completion.holding.attempt,
                    }),
                ));
                events.extend(
                    front::measure(
                        &mut transaction,
                        &search.resolved,
                        standing.search,
                        completion.holding.unit,
                        &measured,
                    )
                    .await?,
                );
            }
        }
        settle::settle(&mut transaction, &search, events).await?;
        transaction.commit().await?;
        // Other searches are settled under their own locks. What a kill leaves undone here, the next sweep does.
        if standing.kind == UnitKind::Synthesis
            && let Err(error) = self.settle_sharable().await
        {
            tracing::warn!(
                ?error,
                "failed to share a synthesis result; the next sweep does"
            );
        }
        Ok(())
    }

    /// Records a failure: the unit is tried again, or ends. Repeating the report is harmless.
    ///
    /// # Errors
    /// The attempt does not hold the lease and has not reported the same before (lease lost), or the database fails.
    pub async fn fail(&self, failure: Failure) -> Result<()> {
        let store = self.clone();
        tokio::spawn(async move { store.fail_here(&failure).await }).await?
    }

    async fn fail_here(&self, failure: &Failure) -> Result<()> {
        let standing = self.standing(failure.holding).await?;
        self.check_uploaded(&failure.artifacts).await?;
        let mut transaction = self.pool().begin().await?;
        let search = settle::lock(&mut transaction, standing.search).await?;
        let ended = sqlx::query_file!(
            "src/store/sql/unit/fail.sql",
            failure.holding.unit.get(),
            failure.holding.attempt as i32,
            failure.worker.get(),
            failure.code.replace('\0', "\u{fffd}"),
            failure.message.replace('\0', "\u{fffd}"),
            failure.retryable
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(ended) = ended else {
            transaction.rollback().await?;
            let standing = self.standing(failure.holding).await?;
            return if standing.worker == Some(failure.worker)
                && matches!(standing.end_reason.as_deref(), Some("failed" | "cancelled"))
                && standing.error_code.as_deref() == Some(&failure.code)
            {
                Ok(())
            } else {
                Err(lost(failure.holding))
            };
        };
        attach(&mut transaction, failure.holding, &failure.artifacts).await?;
        let kind = match standing.kind {
            UnitKind::Trial => "trial.updated",
            UnitKind::Synthesis => "synthesis.updated",
        };
        let event = json!({
            "id": failure.holding.unit, "state": ended.state, "attempt": failure.holding.attempt,
            "error_code": failure.code,
        });
        settle::settle(&mut transaction, &search, vec![(kind, event)]).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn standing(&self, holding: Holding) -> Result<Standing> {
        let row = sqlx::query_file!(
            "src/store/sql/unit/standing.sql",
            holding.unit.get(),
            holding.attempt as i32
        )
        .fetch_optional(self.pool())
        .await?
        .ok_or_else(|| lost(holding))?;
        Ok(Standing {
            search: SearchId(row.search_id),
            kind: kind_of(&row.kind)?,
            state: row.state,
            attempt: row.attempt as u32,
            result_digest: row.result_digest,
            worker: row.worker_id.map(WorkerId),
            end_reason: row.end_reason,
            error_code: row.error_code,
        })
    }

    async fn check_uploaded(&self, artifacts: &[Produced]) -> Result<()> {
        let digests: Vec<String> = artifacts.iter().map(|one| one.digest.clone()).collect();
        let missing = sqlx::query_file_scalar!("src/store/sql/artifact/missing.sql", &digests)
            .fetch_all(self.pool())
            .await?;
        match missing.first() {
            None => Ok(()),
            Some(digest) => Err(Error::invalid(
                "invalid-request",
                format!(
                    "artifact {digest} was not uploaded: put it before the report that names it"
                ),
            )),
        }
    }

    /// Notes that an artifact's bytes are safe on disk.
    ///
    /// # Errors
    /// The database fails.
    pub async fn record_artifact(&self, digest: &Digest, bytes: u64) -> Result<()> {
        sqlx::query_file!(
            "src/store/sql/artifact/insert.sql",
            digest.as_str(),
            bytes as i64
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }
}

/// Where a unit stands, and how the attempt in question ended.
struct Standing {
    search: SearchId,
    kind: UnitKind,
    state: String,
    attempt: u32,
    result_digest: Option<String>,
    worker: Option<WorkerId>,
    end_reason: Option<String>,
    error_code: Option<String>,
}

/// A result whose form was checked.
enum Parsed {
    Trial(Box<TrialScores>),
    Run(Box<RunResult>),
    Synthesis(Measured),
}

impl Parsed {
    /// Checks what only the search can tell: whether its trials are runs, and what these may report.
    fn check(&self, search: &Search, artifacts: &[Produced]) -> Result<()> {
        match self {
            Self::Run(run) => runs::check(search, run, artifacts),
            Self::Trial(_) if runs::settings(search).is_some() => Err(Error::invalid(
                "invalid-request",
                "result_json has no points, but the search's trials are runs that learn bit widths: the worker speaks \
                 another version",
            )),
            Self::Trial(_) | Self::Synthesis(_) => Ok(()),
        }
    }

    fn read(kind: UnitKind, result: &Value) -> Result<Self> {
        match kind {
            UnitKind::Trial if result.get("points").is_some() => {
                serde_json::from_value::<RunResult>(result.clone())
                    .map_err(|error| {
                        Error::invalid(
                            "invalid-request",
                            format!("result_json is not a run's result: {error}"),
                        )
                    })
                    .and_then(|run| {
                        quality(&run.scores)?;
                        Ok(Self::Run(Box::new(run)))
                    })
            }
            UnitKind::Trial => serde_json::from_value::<TrialScores>(result.clone())
                .map_err(|error| {
                    Error::invalid(
                        "invalid-request",
                        format!("result_json is not a trial's scores: {error}"),
                    )
                })
                .and_then(|scores| {
                    quality(&scores)?;
                    Ok(Self::Trial(Box::new(scores)))
                }),
            UnitKind::Synthesis if result.is_object() => serde_json::from_value(result.clone())
                .map(Self::Synthesis)
                .map_err(|error| {
                    Error::invalid(
                        "invalid-request",
                        format!(
                            "result_json has a count that is none; lut_measured, ff_measured, dsp_measured and \
                             carry_measured are whole numbers from 0: {error}"
                        ),
                    )
                }),
            UnitKind::Synthesis => Err(Error::invalid(
                "invalid-request",
                "result_json is not a JSON object",
            )),
        }
    }
}

/// Refuses scores that say nothing of how well a trial predicts: its accuracy, a share, or its mean squared error.
pub(super) fn quality(scores: &TrialScores) -> Result<()> {
    let (accuracy, error) = (
        scores.accuracy_validation,
        scores.mean_squared_error_validation,
    );
    let detail = match (accuracy, error) {
        (Some(accuracy), None) if (0.0..=1.0).contains(&accuracy) => return Ok(()),
        (None, Some(error)) if error >= 0.0 && error.is_finite() => return Ok(()),
        (Some(accuracy), None) => format!("accuracy_validation is {accuracy}, accepted is 0 to 1"),
        (None, Some(error)) => {
            format!("mean_squared_error_validation is {error}, accepted is 0 or more")
        }
        _ => "accepted is one of accuracy_validation and mean_squared_error_validation".to_owned(),
    };
    Err(Error::invalid("invalid-request", detail))
}

fn lost(holding: Holding) -> Error {
    Error::lease_lost(UnitId::get(holding.unit), holding.attempt)
}

async fn attach(
    transaction: &mut Transaction<'static, Postgres>,
    holding: Holding,
    artifacts: &[Produced],
) -> Result<()> {
    let kinds: Vec<String> = artifacts.iter().map(|one| one.kind.clone()).collect();
    let digests: Vec<String> = artifacts.iter().map(|one| one.digest.clone()).collect();
    sqlx::query_file!(
        "src/store/sql/artifact/attach.sql",
        holding.unit.get(),
        holding.attempt as i32,
        &kinds,
        &digests
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Records a trial's scores and what they do to the front; the trial's number.
async fn record_scores(
    connection: &mut PgConnection,
    search: &Search,
    id: SearchId,
    completion: &Completion,
    scores: &TrialScores,
    events: &mut Vec<(&'static str, Value)>,
) -> Result<u32> {
    let number = sqlx::query_file_scalar!(
        "src/store/sql/score/insert.sql",
        completion.holding.unit.get(),
        completion.holding.attempt as i32,
        serde_json::to_value(scores)?,
        completion.worker.get()
    )
    .fetch_one(&mut *connection)
    .await?;
    let joined = front::offer(&mut *connection, search, id, number as u32, scores).await?;
    events.push((
        "trial.updated",
        json!({
            "id": completion.holding.unit, "number": number, "state": "completed",
            "attempt": completion.holding.attempt, "on_front": joined.is_some(),
        }),
    ));
    events.extend(joined);
    Ok(number as u32)
}
