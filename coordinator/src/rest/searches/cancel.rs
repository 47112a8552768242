//! Cancels a search.

use super::show::summary;
use super::view::SearchView;
use crate::ids::SearchId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Path;
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;
use bitfront_search::life::SearchEvent;

/// Cancels a search. Cancels what waits at once, and what is leased with its worker's next heartbeat. It cannot be undone. Saying it again changes nothing.
#[utoipa::path(post, path = "/searches/{id}/cancel", tag = "searches", operation_id = "cancel_search", params(("id" = Uuid, Path, description = "The search")), responses((status = 200, description = "The search as it is now", body = SearchView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn cancel(
    Shared(state): Shared<State>,
    Path(id): Path<SearchId>,
) -> Result<Json<SearchView>, Problem> {
    state.store.steer(id, SearchEvent::Cancel).await?;
    state.wake.ring();
    summary(&state, id).await
}
