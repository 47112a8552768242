//! Lists the synthesis jobs of a search or of a trial.

use super::view::SynthesisView;
use crate::ids::{SearchId, SynthesisId, TrialId};
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::{Path, Query};
use crate::rest::paging::{Page, PageQuery};
use crate::state::State;
use crate::store::read::SynthesisFilter;
use axum::Json;
use axum::extract::State as Shared;

/// Lists the synthesis jobs of a search, oldest first.
#[utoipa::path(get, path = "/searches/{id}/synthesis-jobs", tag = "synthesis", operation_id = "list_synthesis_of_search", params(("id" = Uuid, Path, description = "The search"), PageQuery), responses((status = 200, description = "A page of synthesis jobs", body = Page<SynthesisView>), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn of_search(
    Shared(state): Shared<State>,
    Path(id): Path<SearchId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<SynthesisView>>, Problem> {
    if state.store.find_search(id).await?.is_none() {
        return Err(Problem::not_found("search", id));
    }
    let filter = SynthesisFilter {
        search: Some(id),
        ..SynthesisFilter::default()
    };
    answer(&state, filter, &page).await
}

/// Lists the synthesis jobs of a trial, oldest first.
#[utoipa::path(get, path = "/trials/{id}/synthesis-jobs", tag = "synthesis", operation_id = "list_synthesis_of_trial", params(("id" = Uuid, Path, description = "The trial"), PageQuery), responses((status = 200, description = "A page of synthesis jobs", body = Page<SynthesisView>), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn of_trial(
    Shared(state): Shared<State>,
    Path(id): Path<TrialId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<SynthesisView>>, Problem> {
    if state.store.find_trial(id).await?.is_none() {
        return Err(Problem::not_found("trial", id));
    }
    let filter = SynthesisFilter {
        trial: Some(id),
        ..SynthesisFilter::default()
    };
    answer(&state, filter, &page).await
}

async fn answer(
    state: &State,
    filter: SynthesisFilter,
    page: &PageQuery,
) -> Result<Json<Page<SynthesisView>>, Problem> {
    let size = page.size()?;
    let filter = SynthesisFilter {
        after: page.after::<SynthesisId>()?,
        ..filter
    };
    let rows = state.store.list_synthesis(filter, size as i64 + 1).await?;
    Ok(Json(Page::cut(
        rows,
        size,
        |row| row.id.to_string(),
        SynthesisView::from,
    )))
}
