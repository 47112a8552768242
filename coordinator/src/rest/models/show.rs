//! Shows one model.

use super::view::ModelDetail;
use crate::ids::ModelId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Path;
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;

/// Shows one model with its layers.
#[utoipa::path(get, path = "/models/{id}", tag = "models", operation_id = "show_model", params(("id" = Uuid, Path, description = "The model")), responses((status = 200, description = "The model", body = ModelDetail), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn show(
    Shared(state): Shared<State>,
    Path(id): Path<ModelId>,
) -> Result<Json<ModelDetail>, Problem> {
    let row = state.store.find_model(id).await?;
    let row = row.ok_or_else(|| Problem::not_found("model", id))?;
    Ok(Json(ModelDetail::of(&row)?))
}
