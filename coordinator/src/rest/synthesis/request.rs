//! Requests the synthesis of a trial.

use super::show::one;
use super::view::SynthesisView;
use crate::ids::{SearchId, TrialId};
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Path;
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;

/// Requests the synthesis of a completed trial. A trial has one job a tool: asking again names it.
#[utoipa::path(post, path = "/trials/{id}/synthesis-jobs", tag = "synthesis", operation_id = "request_synthesis", params(("id" = Uuid, Path, description = "The trial")), responses((status = 202, description = "Queued", body = SynthesisView), (status = 200, description = "The job it has", body = SynthesisView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn request(
    Shared(state): Shared<State>,
    Path(id): Path<TrialId>,
) -> Result<(StatusCode, Json<SynthesisView>), Problem> {
    let trial = state
        .store
        .find_trial(id)
        .await?
        .ok_or_else(|| Problem::not_found("trial", id))?;
    let search = SearchId(trial.search_id);
    let (job, is_new) = state
        .store
        .request_synthesis(search, trial.number.unsigned_abs())
        .await?;
    state.wake.ring();
    let status = if is_new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((status, one(&state, job).await?))
}
