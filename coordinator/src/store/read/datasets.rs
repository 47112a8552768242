//! Data sets as lists show them and as a search file names them.

use crate::error::Result;
use crate::ids::DatasetId;
use crate::store::Store;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// A registered data set.
#[derive(Clone, Debug)]
pub struct DatasetRow {
    /// Its id.
    pub id: Uuid,
    /// SHA-256 of the file.
    pub digest: String,
    /// File name; its extension names the format.
    pub file: String,
    /// Size.
    pub bytes: i64,
    /// What the reader found: inputs, classes, rows.
    pub info: Value,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// A page of data sets, newest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn list_datasets(
        &self,
        before: Option<DatasetId>,
        limit: i64,
    ) -> Result<Vec<DatasetRow>> {
        self.datasets(before, limit, None, None).await
    }

    /// One data set by its id.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn find_dataset(&self, id: DatasetId) -> Result<Option<DatasetRow>> {
        Ok(self.datasets(None, 1, Some(id), None).await?.pop())
    }

    /// One data set by its digest.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn find_dataset_by_digest(&self, digest: &str) -> Result<Option<DatasetRow>> {
        Ok(self.datasets(None, 1, None, Some(digest)).await?.pop())
    }

    async fn datasets(
        &self,
        before: Option<DatasetId>,
        limit: i64,
        id: Option<DatasetId>,
        digest: Option<&str>,
    ) -> Result<Vec<DatasetRow>> {
        Ok(sqlx::query_file_as!(
            DatasetRow,
            "src/store/read/sql/dataset_list.sql",
            before.map(DatasetId::get),
            limit,
            id.map(DatasetId::get),
            digest,
        )
        .fetch_all(self.pool())
        .await?)
    }

    /// The newest data set that a search file's `dataset` names: by file name, with or without the
    /// extension, or by digest.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn find_dataset_by_name(&self, name: &str) -> Result<Option<DatasetRow>> {
        Ok(
            sqlx::query_file_as!(DatasetRow, "src/store/read/sql/dataset_by_name.sql", name)
                .fetch_optional(self.pool())
                .await?,
        )
    }
}
