//! Whether the process lives, whether it takes work, and its metrics. Not part of the versioned API.

use crate::problem::{Code, Problem};
use crate::state::State;
use crate::telemetry;
use axum::extract::State as Shared;
use axum::http::header;
use axum::response::IntoResponse;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()), responses((status = 200, description = "Alive", body = str, content_type = "text/plain")))]
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// The process takes work: it does not drain and its database answers.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses((status = 200, description = "Ready", body = str, content_type = "text/plain"), (status = 503, description = "Draining, or no database", body = crate::problem::ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn ready(Shared(state): Shared<State>) -> Result<&'static str, Problem> {
    if state.shutdown.is_cancelled() {
        return Err(Problem::new(Code::Unavailable, "draining"));
    }
    state.store.ping().await.map_err(|cause| {
        tracing::warn!(%cause, "not ready: the database does not answer");
        Problem::new(Code::Unavailable, "the database does not answer")
    })?;
    Ok("ready\n")
}

/// Metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, description = "Metrics", body = str, content_type = "text/plain")))]
pub(crate) async fn metrics(Shared(state): Shared<State>) -> impl IntoResponse {
    let page = telemetry::metrics::render(&state.metrics, &state.store).await;
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        page,
    )
}
