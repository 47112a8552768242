//! Registers a model: streamed to disk while it is hashed, imported, kept with its weights.

use super::view::ModelDetail;
use crate::error::Error;
use crate::models::Model;
use crate::problem::{Code, Problem, ProblemBody};
use crate::rest::extract::Query;
use crate::rest::incoming::{Incoming, UploadQuery};
use crate::state::State;
use axum::Json;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;

/// Registers a trained model (Keras 2 or 3, QKeras, ONNX, QONNX) that searches can start from.
///
/// The header `x-digest` (SHA-256, lowercase hex), if sent, must be that of the body. The same bytes again are the same
/// model. A model with unsupported layers is refused with all of them in `errors`, each as `/layers/NAME`.
#[utoipa::path(post, path = "/models", tag = "models", operation_id = "upload_model", params(UploadQuery, ("x-digest" = Option<String>, Header, description = "SHA-256 of the body")), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, description = "Registered", body = ModelDetail), (status = 200, description = "Registered before", body = ModelDetail), (status = 422, description = "All that stands in the way", body = ProblemBody, content_type = "application/problem+json"), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn upload(
    Shared(state): Shared<State>,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<ModelDetail>), Problem> {
    let file = query.file;
    let limit = state.config.model_limit;
    let incoming = Incoming::receive(&state, &file, &headers, body, limit).await?;
    let read = incoming.reader();
    let name = file.clone();
    // Importing is work for a processor, not for a thread that answers; a panic there ends this request alone.
    let model = tokio::task::spawn_blocking(move || -> Result<_, Problem> {
        Model::read(&read()?, &name).map_err(|refusal| {
            Problem::new(Code::InvalidModel, refusal.detail).with_errors(refusal.faults)
        })
    })
    .await
    .map_err(Error::from)??;
    // The files before the row that names them.
    let (digest, bytes) = incoming.upload.finish(None).await?;
    let weights = Bytes::from(model.weights.clone());
    let size = weights.len() as u64;
    let weights = state.artifacts.put(weights).await?;
    state.store.record_artifact(&weights, size).await?;
    let (id, is_new) = state
        .store
        .register_model(&digest, &file, bytes, &model)
        .await?;
    let row = state.store.find_model(id).await?;
    let row = row.ok_or_else(|| Problem::not_found("model", id))?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(ModelDetail::of(&row)?)))
}
