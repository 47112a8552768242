//! Cancels a synthesis job.

use super::show::one;
use super::view::SynthesisView;
use crate::ids::{SearchId, SynthesisId};
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Path;
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;

/// Cancels a synthesis job: at once if it waits, with its worker's next heartbeat if it runs. One that has ended
/// stays as it is.
#[utoipa::path(post, path = "/synthesis-jobs/{id}/cancel", tag = "synthesis", operation_id = "cancel_synthesis", params(("id" = Uuid, Path, description = "The synthesis job")), responses((status = 200, description = "The synthesis job as it is now", body = SynthesisView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn cancel(
    Shared(state): Shared<State>,
    Path(id): Path<SynthesisId>,
) -> Result<Json<SynthesisView>, Problem> {
    let Json(job) = one(&state, id).await?;
    state
        .store
        .cancel_unit(SearchId(job.search_id), id.into())
        .await?;
    state.wake.ring();
    one(&state, id).await
}
