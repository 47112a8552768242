//! Lists the estimates' fits to what synthesis measured.

use super::view::EstimatorView;
use crate::problem::{Problem, ProblemBody};
use crate::state::State;
use axum::Json;
use axum::extract::State as Shared;
use bitfront_hardware::fit::FEWEST;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The fits, those with the latest job first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EstimatorList {
    /// Distinct circuits that a fit needs.
    #[schema(example = 9)]
    pub fewest: usize,
    /// One for each engine, version of its tool, part, options and version of Bitfront.
    pub items: Vec<EstimatorView>,
}

/// Lists how far estimates are from what this coordinator's synthesis jobs have measured, and the factors fitted to that.
#[utoipa::path(get, path = "/estimators", tag = "estimators", operation_id = "list_estimators", responses((status = 200, description = "The fits", body = EstimatorList), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn list(Shared(state): Shared<State>) -> Result<Json<EstimatorList>, Problem> {
    let ratios = state.store.estimator_ratios().await?;
    Ok(Json(EstimatorList {
        fewest: FEWEST,
        items: ratios.into_iter().map(Into::into).collect(),
    }))
}
