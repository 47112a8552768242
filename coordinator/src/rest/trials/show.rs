//! Shows one trial: its layers, curve, attempts, scores, artifacts and synthesis.

use super::view::{LayerView, Placed, TrialView, layers};
use crate::error::Error;
use crate::ids::{SearchId, TrialId};
use crate::problem::{Problem, ProblemBody};
use crate::rest::estimators::view::{PredictionView, predictions};
use crate::rest::extract::Path;
use crate::rest::searches::view::{DeviceView, ObjectiveView};
use crate::rest::synthesis::view::SynthesisView;
use crate::state::State;
use crate::store::read::{AttemptRow, CurvePoint, SynthesisFilter, UnitArtifact};
use axum::Json;
use axum::extract::State as Shared;
use bitfront_network::Candidate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// One trial with everything there is about it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = TrialDetail)]
pub struct TrialDetailView {
    /// The trial.
    #[serde(flatten)]
    pub trial: TrialView,
    /// Name of its search.
    pub search_name: String,
    /// State of its search.
    pub search_state: String,
    /// Axes of the search's front.
    #[schema(value_type = Vec<ObjectiveView>)]
    pub objectives: Value,
    /// Of the standardised inputs.
    pub input_quantizer: Placed,
    /// Its layers, first to last.
    pub layers: Vec<LayerView>,
    /// The candidate as it is stored.
    #[schema(value_type = Object)]
    pub candidate: Value,
    /// SHA-256 of the candidate.
    pub candidate_digest: String,
    /// Where it came from: a seed trial, a random draw, a child of other trials, a run that learns bit widths, or such a
    /// run's epoch with its beta.
    #[schema(value_type = Object)]
    pub origin: Value,
    /// Which repetition of the same candidate this is, from 0.
    pub repeat: i32,
    /// Seed of its training; a string, because it has 64 bits.
    #[schema(example = "13456789012345678901")]
    pub seed: String,
    /// Costs before training.
    #[schema(value_type = Option<Object>)]
    pub tier0: Option<Value>,
    /// How it is trained.
    #[schema(value_type = Option<Object>)]
    pub training: Option<Value>,
    /// The device it is for.
    #[schema(value_type = Option<DeviceView>)]
    pub device: Option<Value>,
    /// Names of the classes, or of the values that are predicted, in the order of the outputs.
    #[schema(value_type = Vec<String>)]
    pub classes: Value,
    /// Its attempts, first to last.
    pub attempts: Vec<AttemptRow>,
    /// Learning curve of the last attempt.
    pub curve: Vec<CurvePoint>,
    /// What its attempts produced.
    pub artifacts: Vec<UnitArtifact>,
    /// What fits to this coordinator's synthesis jobs of its search's engine, part and options make of its estimates, the fit
    /// with the latest job first. Shown, never used to choose.
    pub predictions: Vec<PredictionView>,
    /// Its synthesis jobs with what they measured, next to the estimate.
    pub synthesis_jobs: Vec<SynthesisView>,
    /// Front members beside it, by LUT estimate.
    pub front_neighbours: Neighbours,
}

/// Front members beside a trial.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Neighbours {
    /// The next smaller one.
    pub previous: Option<Uuid>,
    /// The next larger one.
    pub next: Option<Uuid>,
}

/// Shows one trial with everything there is about it.
#[utoipa::path(get, path = "/trials/{id}", tag = "trials", operation_id = "show_trial", params(("id" = Uuid, Path, description = "The trial")), responses((status = 200, description = "The trial", body = TrialDetailView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn show(
    Shared(state): Shared<State>,
    Path(id): Path<TrialId>,
) -> Result<Json<TrialDetailView>, Problem> {
    let missing = || Problem::not_found("trial", id);
    let store = &state.store;
    let row = store.find_trial(id).await?.ok_or_else(missing)?;
    let documents = store.trial_documents(id).await?.ok_or_else(missing)?;
    let candidate: Candidate =
        Candidate::deserialize(&documents.candidate).map_err(Error::internal)?;
    let jobs = SynthesisFilter {
        trial: Some(id),
        ..SynthesisFilter::default()
    };
    let neighbours = store.trial_neighbours(SearchId(row.search_id), id).await?;
    let search = store.resolved(SearchId(row.search_id)).await?;
    let ratios = store.estimator_ratios_for(id, &search).await?;
    Ok(Json(TrialDetailView {
        attempts: store.list_attempts(id.into()).await?,
        curve: store.curve(id.into(), row.attempt).await?,
        artifacts: store.unit_artifacts(id.into()).await?,
        predictions: predictions(&ratios, row.scores.as_ref()),
        synthesis_jobs: store
            .list_synthesis(jobs, 100)
            .await?
            .into_iter()
            .map(SynthesisView::from)
            .collect(),
        front_neighbours: Neighbours {
            previous: neighbours.previous,
            next: neighbours.next,
        },
        trial: row.into(),
        search_name: documents.search_name,
        search_state: documents.search_state,
        objectives: documents
            .objectives
            .unwrap_or_else(|| Value::Array(Vec::new())),
        input_quantizer: Placed::of(&candidate.input_quantizer),
        layers: layers(&candidate),
        candidate: documents.candidate,
        candidate_digest: documents.candidate_digest,
        origin: documents.origin,
        repeat: documents.repeat,
        seed: documents.seed.cast_unsigned().to_string(),
        tier0: documents.tier0,
        training: documents.training,
        device: documents.device,
        classes: documents
            .classes
            .unwrap_or_else(|| Value::Array(Vec::new())),
    }))
}
