//! Shows one data set.

use super::view::DatasetView;
use crate::ids::DatasetId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Path;
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;

/// Shows one data set.
#[utoipa::path(get, path = "/datasets/{id}", tag = "datasets", operation_id = "show_dataset", params(("id" = Uuid, Path, description = "The data set")), responses((status = 200, description = "The data set", body = DatasetView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn show(
    Shared(state): Shared<State>,
    Path(id): Path<DatasetId>,
) -> Result<Json<DatasetView>, Problem> {
    let row = state.store.find_dataset(id).await?;
    row.map(|row| Json(row.into()))
        .ok_or_else(|| Problem::not_found("data set", id))
}
