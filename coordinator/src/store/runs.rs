//! What a run with learned bit widths leaves behind: each candidate it keeps becomes a completed trial of its own.
//!
//! The rule this module keeps (promises P2 and P3): points are recorded in the transaction that ends their run, after its
//! fence, with numbers that follow from run and epoch. So there are none of a run that did not end, none twice, and the
//! same ones whoever ran it and in whatever order runs ended.

use bitfront_search::{
    Search,
    learned::{LearnedBits, PointOutcome, RunResult, point_number},
    sampler::Origin,
    search::Sampler,
};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{
    front,
    outcomes::{self, Completion, Produced},
};
use crate::{
    error::{Error, Result},
    ids::{SearchId, TrialId},
};

/// Kind of the artifacts that are weights of points, not of the run.
pub(super) const POINT_WEIGHTS: &str = "point-weights";

/// The settings of runs, where a search has runs.
pub(super) fn settings(search: &Search) -> Option<&LearnedBits> {
    match &search.sampler {
        Sampler::LearnedBits(settings) => Some(settings),
        Sampler::Random | Sampler::Evolution { .. } => None,
    }
}

/// Checks a run's report against its search and its artifacts.
pub(super) fn check(search: &Search, run: &RunResult, artifacts: &[Produced]) -> Result<()> {
    let invalid = |detail: String| Error::invalid("invalid-request", detail);
    let settings = settings(search)
        .ok_or_else(|| invalid("result_json has points, but the search has no runs".to_owned()))?;
    run.check(search, settings)
        .map_err(|fault| invalid(format!("result_json: {fault}")))?;
    for point in &run.points {
        if let PointOutcome::Scored {
            scores,
            weights_digest,
        } = &point.outcome
        {
            outcomes::quality(scores)?;
            let named = |one: &Produced| one.kind == POINT_WEIGHTS && one.digest == *weights_digest;
            if !artifacts.iter().any(named) {
                return Err(invalid(format!(
                    "the weights of epoch {} are no artifact of this report",
                    point.epoch
                )));
            }
        }
    }
    Ok(())
}

/// Records the points of a checked run, which has trial number `number`; the events that say so.
pub(super) async fn record_points(
    connection: &mut PgConnection,
    search: &Search,
    id: SearchId,
    number: u32,
    completion: &Completion,
    run: &RunResult,
) -> Result<Vec<(&'static str, Value)>> {
    let epochs = settings(search).map_or(0, |settings| settings.epochs);
    let mut events = Vec::new();
    for point in &run.points {
        let (state, scores, weights, failure) = match &point.outcome {
            PointOutcome::Scored {
                scores,
                weights_digest,
            } => ("completed", Some(scores), Some(weights_digest), None),
            PointOutcome::Failed { code, message } => {
                let plain = |text: &str| text.replace('\0', "\u{fffd}");
                ("failed", None, None, Some((plain(code), plain(message))))
            }
        };
        let (code, message) = failure.unzip();
        let own = TrialId::new();
        let own_number = point_number(search.budget.trials, epochs, number, point.epoch);
        let origin = Origin::LearnedBits {
            run: number,
            epoch: point.epoch,
            beta: point.beta,
        };
        sqlx::query_file!(
            "src/store/sql/trial/point.sql",
            own.get(),
            completion.holding.unit.get(),
            own_number as i32,
            completion.holding.attempt as i32,
            completion.worker.get(),
            state,
            code,
            message,
            serde_json::to_value(&point.candidate)?,
            point.candidate.digest(),
            serde_json::to_value(origin)?,
            weights,
            scores.map(serde_json::to_value).transpose()?
        )
        .execute(&mut *connection)
        .await?;
        let joined = match scores {
            Some(scores) => front::offer(&mut *connection, search, id, own_number, scores).await?,
            None => None,
        };
        events.push((
            "trial.updated",
            json!({
                "id": own, "number": own_number, "state": state, "attempt": 1, "on_front": joined.is_some(),
            }),
        ));
        events.extend(joined);
    }
    Ok(events)
}
