//! Artifacts in and out, in chunks.
//!
//! The rule this module keeps: bytes are acknowledged when they are safe on disk under the digest that was announced,
//! and an upload larger than announced or allowed is cut off as it arrives.

use std::pin::Pin;

use bitfront_proto::v1::{
    GetArtifactResponse, PutArtifactRequest, PutArtifactResponse, put_artifact_request::Part,
};
use futures_util::stream::{self, Stream};
use tokio::io::AsyncReadExt as _;
use tonic::{Status, Streaming};

use super::status;
use crate::{
    artifacts::Digest,
    error::{Error, Kind, Result},
    state::State,
};

/// Largest chunk sent and taken, in bytes.
const CHUNK: usize = 256 << 10;

/// The chunks of a download.
pub(super) type Chunks = Pin<Box<dyn Stream<Item = Result<GetArtifactResponse, Status>> + Send>>;

pub(super) async fn put(
    state: &State,
    mut stream: Streaming<PutArtifactRequest>,
) -> Result<PutArtifactResponse, Status> {
    let missing = || {
        Error::invalid(
            "invalid-request",
            "the first message of an upload is its header",
        )
    };
    let first = stream.message().await?.and_then(|message| message.part);
    let Some(Part::Header(header)) = first else {
        return Err(status(missing()));
    };
    let digest = Digest::parse(&header.digest).map_err(status)?;
    let limit = state.config.artifact_limit;
    if header.bytes > limit {
        return Err(status(Error::new(
            Kind::TooLarge,
            "payload-too-large",
            format!(
                "the artifact has {} bytes, accepted are {limit}",
                header.bytes
            ),
        )));
    }
    let mut upload = state.artifacts.upload(header.bytes).await.map_err(status)?;
    while let Some(message) = stream.message().await? {
        match message.part {
            Some(Part::Chunk(chunk)) if chunk.len() <= CHUNK => {
                upload.write(&chunk).await.map_err(status)?;
            }
            Some(Part::Chunk(chunk)) => {
                return Err(status(Error::invalid(
                    "invalid-request",
                    format!("a chunk has {} bytes, accepted are {CHUNK}", chunk.len()),
                )));
            }
            Some(Part::Header(_)) | None => {
                return Err(status(Error::invalid(
                    "invalid-request",
                    "after the header, an upload has chunks only",
                )));
            }
        }
    }
    let (digest, bytes) = upload.finish(Some(&digest)).await.map_err(status)?;
    state
        .store
        .record_artifact(&digest, bytes)
        .await
        .map_err(status)?;
    Ok(PutArtifactResponse {})
}

pub(super) async fn get(state: &State, digest: &str) -> Result<Chunks> {
    let (file, _) = state.artifacts.read(&Digest::parse(digest)?).await?;
    let chunks = stream::try_unfold(file, |mut file| async move {
        let mut chunk = Vec::with_capacity(CHUNK);
        (&mut file)
            .take(CHUNK as u64)
            .read_to_end(&mut chunk)
            .await
            .map_err(|error| status(Error::internal(error)))?;
        Ok((!chunk.is_empty()).then_some((GetArtifactResponse { chunk }, file)))
    });
    Ok(Box::pin(chunks))
}
