//! Bodies that are files: streamed to disk while they are hashed, within a limit, under a name that is none of a path.

use crate::artifacts::{Digest, Upload};
use crate::problem::{Code, Problem};
use crate::state::State;
use axum::body::Body;
use axum::http::{HeaderMap, header};
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
pub(crate) struct UploadQuery {
    /// File name: letters, digits, `.`, `_`, `-`, not a dot first, at most 128.
    #[param(example = "jets_small.npz")]
    pub(crate) file: String,
}

/// A body on disk, kept by nobody yet: dropping it removes the file.
pub(super) struct Incoming {
    /// The file.
    pub(super) upload: Upload,
    announced: Option<Digest>,
}

impl Incoming {
    /// Takes the whole body, of at most `limit` bytes.
    pub(super) async fn receive(
        state: &State,
        file: &str,
        headers: &HeaderMap,
        body: Body,
        limit: u64,
    ) -> Result<Self, Problem> {
        if !is_file_name(file) {
            let detail = format!(
                "{file:?} is not a file name of letters, digits, dots, _ and -, not starting with a dot, of at most 128"
            );
            return Err(Problem::parameter("file", detail));
        }
        let announced = announced(headers)?;
        let length = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > limit) {
            let detail = format!("the body exceeds {limit} bytes");
            return Err(Problem::new(Code::PayloadTooLarge, detail));
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
        Ok(Self { upload, announced })
    }

    /// What reads it back, on a thread that may wait: the bytes, checked against the digest that was announced. The
    /// digest comes before any reader: damaged bytes seldom open, and the damage is the reason.
    pub(super) fn reader(&self) -> impl FnOnce() -> Result<Vec<u8>, Problem> + Send + 'static {
        let path = self.upload.temporary_path().to_owned();
        let announced = self.announced.clone();
        move || {
            let bytes = std::fs::read(&path).map_err(crate::error::Error::internal)?;
            if let Some(announced) = announced {
                let arrived = Digest::of(&bytes);
                if arrived != announced {
                    let detail = format!("the body has digest {arrived}, not {announced}");
                    return Err(Problem::new(Code::DigestMismatch, detail));
                }
            }
            Ok(bytes)
        }
    }
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

/// What the tables accept: no path can be made of it.
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
