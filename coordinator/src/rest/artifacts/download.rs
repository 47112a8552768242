//! Downloads bytes by their digest, streamed.

use crate::artifacts::Digest;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::Path;
use crate::state::State;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio_util::io::ReaderStream;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// Downloads an artifact or a data set by its SHA-256.
#[utoipa::path(get, path = "/artifacts/{digest}", tag = "artifacts", operation_id = "download_artifact", params(("digest" = String, Path, description = "SHA-256, lowercase hex")), responses((status = 200, description = "The bytes", body = Vec<u8>, content_type = "application/octet-stream"), (status = 304, description = "The client has them"), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn download(
    Shared(state): Shared<State>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (body, bytes) = body(&state, &digest).await?;
    let etag = format!("\"{digest}\"");
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known == etag.as_str());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = body.into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, bytes.into());
        response
    };
    let headers = response.headers_mut();
    // Never shown inside the page's origin: whatever the bytes are, a browser saves them.
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=31536000, immutable"),
    );
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    Ok(response)
}

/// The bytes with a digest as a streamed body, and how many.
///
/// # Errors
/// The text is not a digest, or nothing has it.
pub(crate) async fn body(state: &State, digest: &str) -> Result<(Body, u64), Problem> {
    let digest = Digest::parse(digest).map_err(|cause| Problem::invalid(cause.message()))?;
    let (file, bytes) = state.artifacts.read(&digest).await?;
    Ok((
        Body::from_stream(ReaderStream::with_capacity(file, CHUNK)),
        bytes,
    ))
}
