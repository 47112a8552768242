//! A model as the API shows it, and what of it a search file is resolved with.

use crate::error::Result;
use crate::models;
use crate::rest::trials::view::{LayerView, layers};
use crate::store::read::ModelRow;
use bitfront_network::Candidate;
use bitfront_search::file::ModelInfo;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A registered model.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Model)]
pub struct ModelView {
    /// Its id.
    pub id: Uuid,
    /// What a search file calls it: the file's name without its extension.
    #[schema(example = "jet_tagger")]
    pub name: String,
    /// File name.
    #[schema(example = "jet_tagger.keras")]
    pub file: String,
    /// SHA-256 of the file.
    pub digest: String,
    /// Size of the file.
    pub bytes: i64,
    /// Format, version, writer.
    #[schema(example = "Keras 2.15.0 .h5")]
    pub source: String,
    /// Shape of what it reads, channels last.
    pub input_shape: Vec<usize>,
    /// Number of its outputs.
    pub outputs: usize,
    /// Number of its weights, running statistics included.
    pub parameters: u64,
    /// SHA-256 of its weights (safetensors), an artifact.
    pub weights_digest: String,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// A registered model with its layers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ModelDetail {
    /// The model.
    #[serde(flatten)]
    pub model: ModelView,
    /// What a user should know of the import: renamed layers, what the file does not say.
    pub notes: Vec<String>,
    /// Quantizer of its input.
    pub input_quantizer: String,
    /// Its layers, each behind the ones it reads.
    pub layers: Vec<LayerView>,
}

impl ModelView {
    /// # Errors
    /// The row is not one that an upload wrote.
    pub(super) fn of(row: &ModelRow) -> Result<Self> {
        Ok(Self::with(row, &Candidate::deserialize(&row.candidate)?))
    }

    fn with(row: &ModelRow, candidate: &Candidate) -> Self {
        let summary = candidate.summary();
        Self {
            id: row.id,
            name: models::name(&row.file).to_owned(),
            file: row.file.clone(),
            digest: row.digest.clone(),
            bytes: row.bytes,
            source: row.source.clone(),
            input_shape: candidate.input_shape.clone(),
            outputs: candidate.outputs(),
            parameters: summary.iter().map(|layer| layer.parameters).sum(),
            weights_digest: row.weights_digest.clone(),
            created_at: row.created_at,
        }
    }
}

impl ModelDetail {
    /// # Errors
    /// The row is not one that an upload wrote.
    pub(super) fn of(row: &ModelRow) -> Result<Self> {
        let candidate = Candidate::deserialize(&row.candidate)?;
        Ok(Self {
            model: ModelView::with(row, &candidate),
            notes: Vec::deserialize(&row.notes)?,
            input_quantizer: candidate.input_quantizer.to_string(),
            layers: layers(&candidate),
        })
    }
}

/// What a search file is resolved with.
///
/// # Errors
/// The row is not one that an upload wrote.
pub(crate) fn info_of(row: &ModelRow) -> Result<ModelInfo> {
    Ok(ModelInfo {
        name: models::name(&row.file).to_owned(),
        candidate: Candidate::deserialize(&row.candidate)?,
        weights_digest: row.weights_digest.clone(),
    })
}
