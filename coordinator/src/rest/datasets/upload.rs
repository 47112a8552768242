//! Registers a data set: streamed to disk while it is hashed, opened by its reader, kept under its digest.

use super::view::{DatasetContent, DatasetView};
use crate::error::Error;
use crate::problem::{Code, Problem, ProblemBody};
use crate::rest::extract::Query;
use crate::rest::incoming::{Incoming, UploadQuery};
use crate::state::State;
use axum::Json;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use bitfront_dataset::Dataset;

/// Registers a data set (npz, csv, ARFF, HDF5 or Parquet; a zip of idx files). The header `x-digest` (SHA-256, lowercase hex),
/// if sent, must be that of the body. The same bytes again are the same data set.
#[utoipa::path(post, path = "/datasets", tag = "datasets", operation_id = "upload_dataset", params(UploadQuery, ("x-digest" = Option<String>, Header, description = "SHA-256 of the body")), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, description = "Registered", body = DatasetView), (status = 200, description = "Registered before", body = DatasetView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn upload(
    Shared(state): Shared<State>,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<DatasetView>), Problem> {
    let file = query.file;
    let limit = state.config.dataset_limit;
    let incoming = Incoming::receive(&state, &file, &headers, body, limit).await?;
    let read = incoming.reader();
    let name = file.clone();
    // Reading and checking a table is work for a processor, not for a thread that answers.
    let content = tokio::task::spawn_blocking(move || -> Result<_, Problem> {
        let dataset = Dataset::parse(&read()?, &name)
            .map_err(|refusal| Problem::new(Code::InvalidDataset, refusal.to_string()))?;
        Ok(DatasetContent::from(&dataset))
    })
    .await
    .map_err(Error::from)??;
    let (digest, bytes) = incoming.upload.finish(None).await?;
    let known = state.store.find_dataset_by_digest(digest.as_str()).await?;
    let is_new = known.is_none();
    let info = serde_json::to_value(&content).map_err(Error::internal)?;
    let id = state
        .store
        .register_dataset(&digest, &file, bytes, &info)
        .await?;
    let row = state.store.find_dataset(id).await?;
    let row = row.ok_or_else(|| Problem::not_found("data set", id))?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(row.into())))
}
