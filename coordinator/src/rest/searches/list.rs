//! Lists searches, newest first.

use super::view::SearchView;
use crate::ids::SearchId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Query;
use crate::rest::paging::{Page, PageQuery};
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;
use bitfront_search::life::SearchState;
use serde::Deserialize;
use utoipa::IntoParams;

/// Which searches.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only those in this state.
    pub state: Option<String>,
    /// Rows at most, 1 to 1000 (50 if absent).
    pub page_size: Option<u32>,
    /// `next_page_token` of the page before.
    pub page_token: Option<String>,
}

/// Lists searches, newest first.
#[utoipa::path(get, path = "/searches", tag = "searches", operation_id = "list_searches", params(ListQuery), responses((status = 200, description = "A page of searches", body = Page<SearchView>), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<SearchView>>, Problem> {
    if let Some(name) = query.state.as_deref()
        && SearchState::from_name(name).is_none()
    {
        let accepted: Vec<_> = SearchState::ALL.iter().map(|state| state.name()).collect();
        let detail = format!(
            "{name:?} is not a state: accepted are {}",
            accepted.join(", ")
        );
        return Err(Problem::parameter("state", detail));
    }
    let page = PageQuery {
        page_size: query.page_size,
        page_token: query.page_token,
    };
    let size = page.size()?;
    let rows = state
        .store
        .list_searches(
            query.state.as_deref(),
            page.after::<SearchId>()?,
            size as i64 + 1,
        )
        .await?;
    Ok(Json(Page::cut(
        rows,
        size,
        |row| row.id.to_string(),
        SearchView::from,
    )))
}
