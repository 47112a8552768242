//! Shows one synthesis job, and the log of its attempts.

use super::view::{SynthesisDetailView, SynthesisView};
use crate::ids::SynthesisId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Path;
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;
use axum::response::Response;

/// Shows one synthesis job with what its attempts produced; of a shared result, those of the job that it is from.
#[utoipa::path(get, path = "/synthesis-jobs/{id}", tag = "synthesis", operation_id = "show_synthesis", params(("id" = Uuid, Path, description = "The synthesis job")), responses((status = 200, description = "The synthesis job", body = SynthesisDetailView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn show(
    Shared(state): Shared<State>,
    Path(id): Path<SynthesisId>,
) -> Result<Json<SynthesisDetailView>, Problem> {
    let Json(job) = one(&state, id).await?;
    let built = job.shared_from.map_or(id, SynthesisId);
    let artifacts = state.store.unit_artifacts(built.into()).await?;
    Ok(Json(SynthesisDetailView { job, artifacts }))
}

/// Shows the log of one attempt: the live tail while it runs, the whole log once it was uploaded.
#[utoipa::path(get, path = "/synthesis-jobs/{id}/attempts/{attempt}/log", tag = "synthesis", operation_id = "show_synthesis_log", params(("id" = Uuid, Path, description = "The synthesis job"), ("attempt" = u32, Path, description = "The attempt, from 1")), responses((status = 200, description = "The log; header `x-log` says `tail` or `whole`", body = str, content_type = "text/plain"), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn log(
    Shared(state): Shared<State>,
    Path((id, attempt)): Path<(SynthesisId, i32)>,
) -> Result<Response, Problem> {
    crate::rest::trials::log::answer(&state, id.into(), attempt).await
}

/// One job as lists show it.
///
/// # Errors
/// There is no such job, or the database does not answer.
pub(super) async fn one(state: &State, id: SynthesisId) -> Result<Json<SynthesisView>, Problem> {
    let row = state.store.find_synthesis(id).await?;
    row.map(|row| Json(row.into()))
        .ok_or_else(|| Problem::not_found("synthesis job", id))
}
