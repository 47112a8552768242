//! Registers a data set: streamed to disk while it is hashed, opened by its reader, kept under its digest.

use super::view::{DatasetContent, DatasetView};
use crate::artifacts::Digest;
use crate::error::Error;
use crate::problem::{Code, Problem, ProblemBody};
use crate::rest::extract::Query;
use crate::state::State;
use axum::Json;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, header};
use bitfront_dataset::Dataset;
use futures_util::StreamExt as _;
use serde::Deserialize;
use std::time::Duration;
use utoipa::IntoParams;

/// Longest silence between two pieces of a body.
const SILENCE: Duration = Duration::from_secs(30);

/// What is uploaded.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UploadQuery {
    /// File name: letters, digits, `.`, `_`, `-`, not a dot first, at most 128.
    #[param(example = "jets_small.npz")]
    pub file: String,
}

/// Registers a data set (npz or csv). The header `x-digest` (SHA-256, lowercase hex), if sent, must be that of the
/// body. The same bytes again are the same data set.
#[utoipa::path(post, path = "/datasets", tag = "datasets", operation_id = "upload_dataset", params(UploadQuery, ("x-digest" = Option<String>, Header, description = "SHA-256 of the body")), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, description = "Registered", body = DatasetView), (status = 200, description = "Registered before", body = DatasetView), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn upload(
    Shared(state): Shared<State>,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<DatasetView>), Problem> {
    let file = query.file;
    if !is_file_name(&file) {
        let detail = format!(
            "{file:?} is not a file name of letters, digits, dots, _ and -, not starting with a dot, of at most 128"
        );
        return Err(Problem::parameter("file", detail));
    }
    let announced = announced(&headers)?;
    let limit = state.config.dataset_limit;
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let mut upload = state.artifacts.upload(limit).await?;
    let mut pieces = body.into_data_stream();
    loop {
        let piece = tokio::time::timeout(SILENCE, pieces.next())
            .await
            .map_err(|_| Problem::new(Code::Timeout, "the body stopped coming"))?;
        match piece {
            None => break,
            Some(Ok(piece)) => upload.write(&piece).await?,
            Some(Err(cause)) => {
                return Err(Problem::invalid(format!("the body broke off: {cause}")));
            }
        }
    }
    upload.flush().await?;
    let path = upload.temporary_path().to_owned();
    let name = file.clone();
    // Reading and checking a table is work for a processor, not for a thread that answers.
    let content = tokio::task::spawn_blocking(move || -> Result<_, Problem> {
        let bytes = std::fs::read(&path).map_err(Error::internal)?;
        // The digest first: damaged bytes seldom open, and the damage is the reason.
        if let Some(announced) = announced {
            let arrived = Digest::of(&bytes);
            if arrived != announced {
                let detail = format!("the body has digest {arrived}, not {announced}");
                return Err(Problem::new(Code::DigestMismatch, detail));
            }
        }
        let dataset = Dataset::parse(&bytes, &name)
            .map_err(|refusal| Problem::new(Code::InvalidDataset, refusal.to_string()))?;
        Ok(DatasetContent::from(&dataset))
    })
    .await
    .map_err(Error::from)??;
    let (digest, bytes) = upload.finish(None).await?;
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

fn announced(headers: &HeaderMap) -> Result<Option<Digest>, Problem> {
    let Some(value) = headers.get("x-digest") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    Digest::parse(text)
        .map(Some)
        .map_err(|cause| Problem::invalid(format!("header x-digest: {}", cause.message())))
}

fn too_large(limit: u64) -> Problem {
    Problem::new(
        Code::PayloadTooLarge,
        format!("the body exceeds {limit} bytes"),
    )
}

/// What the `datasets` table accepts: no path can be made of it.
fn is_file_name(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|b| b.is_ascii_alphanumeric())
        && name.len() <= 128
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::is_file_name;

    #[test]
    fn file_names_are_names_and_never_paths() {
        for name in ["jets_small.npz", "a", "A-1.csv", &"x".repeat(128)] {
            assert!(is_file_name(name), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            ".hidden",
            "../etc",
            "a/b",
            "a\\b",
            "c:d",
            "a b",
            "a\0",
            "ä.npz",
            "-x",
            "%2e%2e",
            &"x".repeat(129),
        ] {
            assert!(!is_file_name(name), "{name}");
        }
    }
}
