//! Lists data sets, newest first.

use super::view::DatasetView;
use crate::ids::DatasetId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Query;
use crate::rest::paging::{Page, PageQuery};
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;

/// Lists data sets, newest first.
#[utoipa::path(get, path = "/datasets", tag = "datasets", operation_id = "list_datasets", params(PageQuery), responses((status = 200, description = "A page of data sets", body = Page<DatasetView>), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<DatasetView>>, Problem> {
    let size = page.size()?;
    let rows = state
        .store
        .list_datasets(page.after::<DatasetId>()?, size as i64 + 1)
        .await?;
    Ok(Json(Page::cut(
        rows,
        size,
        |row| row.id.to_string(),
        DatasetView::from,
    )))
}
