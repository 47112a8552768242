//! Resumes a search.

use super::show::summary;
use super::view::SearchView;
use crate::ids::SearchId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::{Path, Query};
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;
use bitfront_search::life::SearchEvent;
use serde::Deserialize;
use utoipa::IntoParams;

/// How to go on.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ResumeQuery {
    /// Engine version of the workers that its trials go to from now on, in place of the one that it began with. Such a search
    /// is not reproducible.
    #[param(minimum = 0)]
    pub engine_version: Option<i32>,
}

/// Resumes a search. Leases again. Saying it again changes nothing.
#[utoipa::path(post, path = "/searches/{id}/resume", tag = "searches", operation_id = "resume_search", params(ResumeQuery, ("id" = Uuid, Path, description = "The search")), responses((status = 200, description = "The search as it is now", body = SearchView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn resume(
    Shared(state): Shared<State>,
    Path(id): Path<SearchId>,
    Query(query): Query<ResumeQuery>,
) -> Result<Json<SearchView>, Problem> {
    match query.engine_version {
        None => state.store.steer(id, SearchEvent::Resume).await?,
        Some(version @ 0..) => state.store.resume_with(id, version).await?,
        Some(version) => {
            let detail = format!("{version}, accepted are 0 and more");
            return Err(Problem::parameter("engine_version", detail));
        }
    };
    state.wake.ring();
    summary(&state, id).await
}
