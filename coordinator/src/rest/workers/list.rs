//! Lists worker processes, youngest first.

use crate::ids::WorkerId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Query;
use crate::rest::paging::{Page, PageQuery};
use crate::state::State;
use crate::store::read::WorkerRow;
use axum::Json;
use axum::extract::State as Shared;

/// Lists worker processes, youngest first.
#[utoipa::path(get, path = "/workers", tag = "workers", operation_id = "list_workers", params(PageQuery), responses((status = 200, description = "A page of workers", body = Page<WorkerRow>), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<WorkerRow>>, Problem> {
    let size = page.size()?;
    let rows = state
        .store
        .list_workers(
            page.after::<WorkerId>()?,
            size as i64 + 1,
            state.config.lease_ttl,
        )
        .await?;
    Ok(Json(Page::cut(
        rows,
        size,
        |row| row.id.to_string(),
        |row| row,
    )))
}
