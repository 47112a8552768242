//! Shows a search's front, with the baselines it is compared to.

use super::view::TrialView;
use crate::error::Error;
use crate::ids::SearchId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::{Path, Query};
use crate::rest::searches::view::{DeviceView, ObjectiveView};
use crate::state::State;
use crate::store::read::{TrialFilter, TrialOrder};
use axum::Json;
use axum::extract::State as Shared;
use bitfront_search::{Metric, search::Objective};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Members shown at most: a front of two objectives never comes near it.
const MOST: i64 = 2000;

/// Which front.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FrontQuery {
    /// A cost in place of the search's own costs, `lut_measured` for example: the front is found anew, and nothing of
    /// the search changes. Its quality objectives and its constraints stay.
    #[param(example = "lut_measured")]
    pub cost: Option<String>,
}

/// A search's front.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Front)]
pub struct FrontView {
    /// Its axes, in order.
    #[schema(value_type = Vec<ObjectiveView>)]
    pub objectives: Value,
    /// The device: what the trials' counts are shares of.
    #[schema(value_type = Option<DeviceView>)]
    pub device: Option<Value>,
    /// The trials that no other trial dominates, by the first cost, smallest first.
    pub members: Vec<TrialView>,
    /// Completed trials that keep every other bound and could not compete, because synthesis has not measured what an
    /// objective or a constraint reads. Always 0 where none reads a measurement.
    pub unmeasured: u64,
    /// The search's seed trials: the float network and the uniform ones, on the front or not.
    pub baselines: Vec<TrialView>,
}

/// Shows a search's front and its baselines.
#[utoipa::path(get, path = "/searches/{id}/front", tag = "trials", operation_id = "show_front", params(("id" = Uuid, Path, description = "The search"), FrontQuery), responses((status = 200, description = "The front", body = FrontView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn front(
    Shared(state): Shared<State>,
    Path(id): Path<SearchId>,
    Query(query): Query<FrontQuery>,
) -> Result<Json<FrontView>, Problem> {
    let row = state
        .store
        .find_search(id)
        .await?
        .ok_or_else(|| Problem::not_found("search", id))?;
    let cost = query.cost.as_deref().map(cost_of).transpose()?;
    let mut search = state.store.resolved(id).await?;
    if let Some(metric) = cost {
        search.objectives.retain(|axis| !axis.metric.is_cost());
        search.objectives.push(Objective {
            metric,
            goal: metric.goal(),
        });
    }
    // Rows know the search's own front; what they do not know is found from the scores of all completed trials.
    let (mut numbers, mut unmeasured) = (None, 0);
    if cost.is_some() || search.reads_measurements() {
        let finished = state.store.finished_trials(id).await?;
        unmeasured = finished
            .iter()
            .filter(|(_, scores)| search.lacks_measurement(scores))
            .count() as u64;
        let front = search.front(finished.iter().map(|(number, scores)| (*number, scores)));
        numbers = cost.map(|_| front.into_iter().map(|number| number as i32).collect());
    }
    let first_cost = search.objectives.iter().find(|axis| axis.metric.is_cost());
    let members = TrialFilter {
        search: Some(id),
        on_front: numbers.is_none(),
        numbers,
        ..TrialFilter::default()
    };
    let by_cost = TrialOrder {
        by: first_cost.map_or("number", |axis| axis.metric.name()),
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
        objectives: serde_json::to_value(&search.objectives).map_err(Error::from)?,
        device: row.device,
        members: members.into_iter().map(TrialView::from).collect(),
        unmeasured,
        baselines: baselines.into_iter().map(TrialView::from).collect(),
    }))
}

fn cost_of(name: &str) -> Result<Metric, Problem> {
    let costs = || Metric::ALL.into_iter().filter(|metric| metric.is_cost());
    costs().find(|metric| metric.name() == name).ok_or_else(|| {
        let accepted: Vec<_> = costs().map(Metric::name).collect();
        let detail = format!(
            "{name:?} is not a cost: accepted are {}",
            accepted.join(", ")
        );
        Problem::parameter("cost", detail)
    })
}
