//! Shows one search with its file.

use super::view::SearchView;
use crate::ids::SearchId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Path;
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One search with its file.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SearchDetail)]
pub struct SearchDetailView {
    /// The search.
    #[serde(flatten)]
    pub search: SearchView,
    /// The file as it was submitted.
    #[schema(value_type = Object)]
    pub file: Value,
    /// The file as it was resolved: every default written out. This is what is stored, hashed and run.
    #[schema(value_type = Object)]
    pub resolved: Value,
}

/// Shows one search with its file.
#[utoipa::path(get, path = "/searches/{id}", tag = "searches", operation_id = "show_search", params(("id" = Uuid, Path, description = "The search")), responses((status = 200, description = "The search", body = SearchDetailView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn show(
    Shared(state): Shared<State>,
    Path(id): Path<SearchId>,
) -> Result<Json<SearchDetailView>, Problem> {
    let missing = || Problem::not_found("search", id);
    let search = state.store.find_search(id).await?.ok_or_else(missing)?;
    let documents = state
        .store
        .search_documents(id)
        .await?
        .ok_or_else(missing)?;
    Ok(Json(SearchDetailView {
        search: search.into(),
        file: documents.file,
        resolved: documents.resolved,
    }))
}

/// One search as lists show it.
///
/// # Errors
/// There is no such search, or the database does not answer.
pub(super) async fn summary(state: &State, id: SearchId) -> Result<Json<SearchView>, Problem> {
    let row = state.store.find_search(id).await?;
    row.map(|row| Json(row.into()))
        .ok_or_else(|| Problem::not_found("search", id))
}
