//! Models as lists show them and as a search file names them.

use crate::error::Result;
use crate::ids::ModelId;
use crate::store::Store;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// A registered model.
#[derive(Clone, Debug)]
pub struct ModelRow {
    /// Its id.
    pub id: Uuid,
    /// SHA-256 of the uploaded file.
    pub digest: String,
    /// File name.
    pub file: String,
    /// Size of the uploaded file.
    pub bytes: i64,
    /// Format, version, writer.
    pub source: String,
    /// What a user should know of the import, a list of sentences.
    pub notes: Value,
    /// The network as imported.
    pub candidate: Value,
    /// SHA-256 of its weights file.
    pub weights_digest: String,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// A page of models, newest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_models(&self, before: Option<ModelId>, limit: i64) -> Result<Vec<ModelRow>> {
        self.models(before, limit, None).await
    }

    /// One model by its id.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn find_model(&self, id: ModelId) -> Result<Option<ModelRow>> {
        Ok(self.models(None, 1, Some(id)).await?.pop())
    }

    async fn models(
        &self,
        before: Option<ModelId>,
        limit: i64,
        id: Option<ModelId>,
    ) -> Result<Vec<ModelRow>> {
        Ok(sqlx::query_file_as!(
            ModelRow,
            "src/store/read/sql/model_list.sql",
            before.map(ModelId::get),
            limit,
            id.map(ModelId::get),
        )
        .fetch_all(self.pool())
        .await?)
    }

    /// The newest model that a search file's `model.import` names: by file name, with or without the
    /// extension, or by digest.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn find_model_by_name(&self, name: &str) -> Result<Option<ModelRow>> {
        Ok(
            sqlx::query_file_as!(ModelRow, "src/store/read/sql/model_by_name.sql", name)
                .fetch_optional(self.pool())
                .await?,
        )
    }
}
