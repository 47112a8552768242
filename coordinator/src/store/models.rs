//! Models that searches start from: registration.

use super::Store;
use crate::{
    artifacts::Digest,
    error::{Error, Result},
    ids::ModelId,
    models::Model,
};

impl Store {
    /// Registers a model whose two files, the upload and its weights, are safe on disk and the latter recorded as an
    /// artifact. The same bytes again are the same model; the flag is false then.
    ///
    /// # Errors
    /// The database fails.
    pub async fn register_model(
        &self,
        digest: &Digest,
        file: &str,
        bytes: u64,
        model: &Model,
    ) -> Result<(ModelId, bool)> {
        let notes = serde_json::to_value(&model.notes)?;
        let weights = Digest::of(&model.weights);
        let candidate = serde_json::to_value(&model.candidate)?;
        // The second round finds the row of another that inserted the same bytes in between.
        for _ in 0..2 {
            let row = sqlx::query_file!(
                "src/store/sql/model/insert.sql",
                ModelId::new().get(),
                digest.as_str(),
                file,
                bytes as i64,
                model.source,
                notes,
                candidate,
                weights.as_str()
            )
            .fetch_optional(self.pool())
            .await?;
            if let Some(row) = row {
                return Ok((ModelId(row.id), row.is_new));
            }
        }
        Err(Error::internal(format!(
            "model {digest} was neither inserted nor found"
        )))
    }
}
