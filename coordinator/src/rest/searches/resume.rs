//! Resumes a search.

use super::show::summary;
use super::view::SearchView;
use crate::ids::SearchId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Path;
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;
use bitfront_search::life::SearchEvent;

/// Resumes a search. Leases again. Saying it again changes nothing.
#[utoipa::path(post, path = "/searches/{id}/resume", tag = "searches", operation_id = "resume_search", params(("id" = Uuid, Path, description = "The search")), responses((status = 200, description = "The search as it is now", body = SearchView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn resume(
    Shared(state): Shared<State>,
    Path(id): Path<SearchId>,
) -> Result<Json<SearchView>, Problem> {
    state.store.steer(id, SearchEvent::Resume).await?;
    state.wake.ring();
    summary(&state, id).await
}
