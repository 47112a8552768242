//! Shows the log of one attempt of a trial.

use crate::ids::{TrialId, UnitId};
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Path;
use crate::state::State;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

/// Shows the log of one attempt: the live tail while it runs, the whole log once it was uploaded.
#[utoipa::path(get, path = "/trials/{id}/attempts/{attempt}/log", tag = "trials", operation_id = "show_trial_log", params(("id" = Uuid, Path, description = "The trial"), ("attempt" = u32, Path, description = "The attempt, from 1")), responses((status = 200, description = "The log; header `x-log` says `tail` or `whole`", body = str, content_type = "text/plain"), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn log(
    Shared(state): Shared<State>,
    Path((id, attempt)): Path<(TrialId, i32)>,
) -> Result<Response, Problem> {
    answer(&state, id.into(), attempt).await
}

/// The log of an attempt of any unit of work.
///
/// # Errors
/// There is no such attempt, or the database does not answer.
pub(crate) async fn answer(state: &State, unit: UnitId, attempt: i32) -> Result<Response, Problem> {
    let log = state
        .store
        .attempt_log(unit, attempt)
        .await?
        .ok_or_else(|| Problem::not_found("attempt", format_args!("{attempt} of {unit}")))?;
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let whole = match &log.digest {
        Some(digest) => crate::rest::artifacts::download::body(state, digest)
            .await
            .ok(),
        None => None,
    };
    let kind = if whole.is_some() { "whole" } else { "tail" };
    headers.insert(
        HeaderName::from_static("x-log"),
        HeaderValue::from_static(kind),
    );
    Ok(match whole {
        Some((body, _)) => (headers, body).into_response(),
        None => (headers, log.log_tail).into_response(),
    })
}
