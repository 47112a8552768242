//! A data set as the API shows it, and what of it a search file is resolved with.

use crate::error::Result;
use crate::store::read::DatasetRow;
use bitfront_dataset::Dataset;
use bitfront_search::file::DatasetInfo;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A registered data set.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Dataset)]
pub struct DatasetView {
    /// Its id.
    pub id: Uuid,
    /// What a search file calls it: the file's name without its extension.
    #[schema(example = "jets_small")]
    pub name: String,
    /// File name.
    #[schema(example = "jets_small.npz")]
    pub file: String,
    /// SHA-256 of the file.
    pub digest: String,
    /// Size of the file.
    pub bytes: i64,
    /// What is in it.
    #[schema(value_type = DatasetContent)]
    pub content: Value,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// What a reader found in a data set.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DatasetContent {
    /// Number of features.
    pub inputs: usize,
    /// Names of the features.
    pub features: Vec<String>,
    /// Names of the classes; none where rows have values.
    pub classes: Vec<String>,
    /// Names of the values that rows have to predict, where they have some and no class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Rows to train and validate on.
    pub rows: usize,
    /// Rows of its own test table, if it has one.
    pub test_rows: Option<usize>,
}

impl From<&Dataset> for DatasetContent {
    fn from(dataset: &Dataset) -> Self {
        Self {
            inputs: dataset.train.columns,
            features: dataset.features.clone(),
            classes: dataset.classes.clone(),
            targets: dataset.targets.clone(),
            rows: dataset.train.rows,
            test_rows: dataset.test.as_ref().map(|table| table.rows),
        }
    }
}

impl From<DatasetRow> for DatasetView {
    fn from(row: DatasetRow) -> Self {
        let name = row
            .file
            .rsplit_once('.')
            .map_or(row.file.as_str(), |(stem, _)| stem);
        Self {
            id: row.id,
            name: name.to_owned(),
            digest: row.digest,
            bytes: row.bytes,
            content: row.info,
            created_at: row.created_at,
            file: row.file,
        }
    }
}

/// What a search file is resolved with.
///
/// # Errors
/// The stored description is not one that an upload wrote.
pub(crate) fn info_of(row: &DatasetRow) -> Result<DatasetInfo> {
    let content = DatasetContent::deserialize(&row.info)?;
    Ok(DatasetInfo {
        inputs: content.inputs,
        classes: content.classes.len(),
        digest: row.digest.clone(),
        features: content.features,
        targets: content.targets.len(),
        has_test_rows: content.test_rows.is_some(),
    })
}
