//! Requests the synthesis of a trial.

use super::show::one;
use super::view::SynthesisView;
use crate::ids::{SearchId, TrialId};
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::{Path, Query};
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use bitfront_hardware::engine::{Engine, Target, UnknownEngine};
use bitfront_search::Search;
use serde::Deserialize;
use utoipa::IntoParams;

/// What builds and measures the trial's circuit.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RequestQuery {
    /// An engine in place of the search's own. What it measures stands in the job alone: fronts and `lut_measured` are of the
    /// search's engine.
    #[param(example = "yosys-nextpnr-ice40")]
    pub engine: Option<String>,
    /// The part that the engine places for, in place of its usual one.
    #[param(example = "hx8k-ct256")]
    pub part: Option<String>,
}

/// Requests the synthesis of a completed trial. A trial has one job an engine: asking again names it.
#[utoipa::path(post, path = "/trials/{id}/synthesis-jobs", tag = "synthesis", operation_id = "request_synthesis", params(("id" = Uuid, Path, description = "The trial"), RequestQuery), responses((status = 202, description = "Queued", body = SynthesisView), (status = 200, description = "The job it has", body = SynthesisView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn request(
    Shared(state): Shared<State>,
    Path(id): Path<TrialId>,
    Query(query): Query<RequestQuery>,
) -> Result<(StatusCode, Json<SynthesisView>), Problem> {
    let trial = state
        .store
        .find_trial(id)
        .await?
        .ok_or_else(|| Problem::not_found("trial", id))?;
    let search = SearchId(trial.search_id);
    let resolved = state.store.resolved(search).await?;
    let target = target(&state, &resolved, &query)?;
    let (job, is_new) = state
        .store
        .request_synthesis(search, trial.number.unsigned_abs(), &target)
        .await?;
    state.wake.ring();
    let status = if is_new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((status, one(&state, job).await?))
}

/// The engine and part that are asked for; the search's own where nothing is.
fn target(state: &State, search: &Search, query: &RequestQuery) -> Result<Target, Problem> {
    let own = &search.synthesis_target;
    let engine = match &query.engine {
        Some(name) => name
            .parse()
            .map_err(|error: UnknownEngine| Problem::parameter("engine", error.to_string()))?,
        None => own.engine,
    };
    if engine == own.engine {
        return match &query.part {
            Some(part) if Some(part) != own.part.as_ref() => Err(Problem::parameter(
                "part",
                other_part(engine, own.part.as_deref(), part),
            )),
            _ => Ok(own.clone()),
        };
    }
    let (part, device) = (query.part.as_deref(), &search.device.part);
    Target::new(engine, part, device, &state.config.devices)
        .map_err(|error| Problem::parameter("part", error.to_string()))
}

fn other_part(engine: Engine, own: Option<&str>, part: &str) -> String {
    match own {
        Some(own) => format!(
            "part `{part}`: the search has engine `{engine}` measure on `{own}`; leave it out"
        ),
        None => format!("part `{part}`: engine `{engine}` places nothing; leave it out"),
    }
}
