//! Lists models, newest first.

use super::view::ModelView;
use crate::ids::ModelId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Query;
use crate::rest::paging::{Page, PageQuery};
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;

/// Lists models, newest first.
#[utoipa::path(get, path = "/models", tag = "models", operation_id = "list_models", params(PageQuery), responses((status = 200, description = "A page of models", body = Page<ModelView>), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(
    Shared(state): Shared<State>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ModelView>>, Problem> {
    let size = page.size()?;
    let rows = state
        .store
        .list_models(page.after::<ModelId>()?, size as i64 + 1)
        .await?;
    let page = Page::cut(
        rows,
        size,
        |row| row.id.to_string(),
        |row| ModelView::of(&row),
    );
    Ok(Json(page.transpose()?))
}
