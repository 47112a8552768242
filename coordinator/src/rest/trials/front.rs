//! Shows a search's front, with the baselines it is compared to.

use super::view::TrialView;
use crate::ids::SearchId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Path;
use crate::rest::searches::view::ObjectiveView;
use crate::state::State;
use crate::store::read::{TrialFilter, TrialOrder};
use axum::Json;
use axum::extract::State as Shared;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Members shown at most: a front of two objectives never comes near it.
const MOST: i64 = 2000;

/// A search's front.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Front)]
pub struct FrontView {
    /// Its axes, in order.
    #[schema(value_type = Vec<ObjectiveView>)]
    pub objectives: Value,
    /// The trials that no other trial dominates, by the first cost, smallest first.
    pub members: Vec<TrialView>,
    /// The search's seed trials: the float network and the uniform ones, on the front or not.
    pub baselines: Vec<TrialView>,
}

/// Shows a search's front and its baselines.
#[utoipa::path(get, path = "/searches/{id}/front", tag = "trials", operation_id = "show_front", params(("id" = Uuid, Path, description = "The search")), responses((status = 200, description = "The front", body = FrontView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn front(
    Shared(state): Shared<State>,
    Path(id): Path<SearchId>,
) -> Result<Json<FrontView>, Problem> {
    let search = state
        .store
        .find_search(id)
        .await?
        .ok_or_else(|| Problem::not_found("search", id))?;
    let objectives: Vec<ObjectiveView> =
        serde_json::from_value(search.objectives.clone()).map_err(crate::error::Error::internal)?;
    let cost = objectives
        .iter()
        .find(|objective| objective.goal == "minimize");
    let members = TrialFilter {
        search: Some(id),
        on_front: true,
        ..TrialFilter::default()
    };
    let by_cost = TrialOrder {
        by: cost.map_or("number", |objective| &objective.metric),
        descending: false,
        after: None,
        limit: MOST,
    };
    let seeds = TrialFilter {
        search: Some(id),
        seeds: true,
        ..TrialFilter::default()
    };
    let by_number = TrialOrder {
        by: "number",
        ..by_cost.clone()
    };
    let members = state.store.list_trials(&members, &by_cost).await?;
    let baselines = state.store.list_trials(&seeds, &by_number).await?;
    Ok(Json(FrontView {
        objectives: search.objectives,
        members: members.into_iter().map(TrialView::from).collect(),
        baselines: baselines.into_iter().map(TrialView::from).collect(),
    }))
}
