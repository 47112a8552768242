//! Artifacts over the wire: bytes named by their digest, in chunks.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use bitfront_proto::v1::put_artifact_request::Part;
use bitfront_proto::v1::{ArtifactRef, GetArtifactRequest, PutArtifactRequest};
use sha2::{Digest, Sha256};
use tonic::Status;

use super::Link;
use super::client::within;

/// Largest chunk of a stream, bytes.
const CHUNK: usize = 256 << 10;
/// Longest silence within a stream.
const SILENCE: Duration = Duration::from_secs(30);

/// Bytes that a unit of work leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// `weights`, `point-weights` (of a run's points), `log`; of a synthesis job `rtl`, `testbench`, `vectors`,
    /// `constraints`, `script`, `pads`, `settings`, `report` or `netlist`.
    pub(crate) kind: &'static str,
    /// The content.
    pub(crate) bytes: Vec<u8>,
}

impl Artifact {
    /// The name under which it is stored.
    pub(crate) fn reference(&self) -> ArtifactRef {
        ArtifactRef {
            kind: self.kind.to_owned(),
            digest: digest_of(&self.bytes),
            bytes: self.bytes.len() as u64,
        }
    }
}

/// SHA-256 in lowercase hex.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Uploads an artifact. Repeating it is harmless: the digest is its name.
pub(crate) async fn upload(link: &Link, artifact: &Artifact) -> Result<(), Status> {
    let header = PutArtifactRequest {
        part: Some(Part::Header(artifact.reference())),
    };
    let chunks: Vec<PutArtifactRequest> = std::iter::once(header)
        .chain(
            artifact
                .bytes
                .chunks(CHUNK)
                .map(|chunk| PutArtifactRequest {
                    part: Some(Part::Chunk(chunk.to_vec())),
                }),
        )
        .collect();
    let deadline = SILENCE + Duration::from_micros(artifact.bytes.len() as u64);
    let stream = tokio_stream::iter(chunks);
    within(deadline, link.client().put_artifact(stream))
        .await
        .map(drop)
}

/// Downloads an artifact into a new file and checks its digest; the file is flushed to disk.
pub(crate) async fn download(link: &Link, digest: &str, path: &Path) -> Result<(), Status> {
    let request = GetArtifactRequest {
        digest: digest.to_owned(),
    };
    let mut stream = within(SILENCE, link.client().get_artifact(request)).await?;
    let broken = |what: &str, e: std::io::Error| {
        Status::failed_precondition(format!("{what} {}: {e}", path.display()))
    };
    let mut file = std::fs::File::create(path).map_err(|e| broken("create", e))?;
    let mut hash = Sha256::new();
    loop {
        let message = tokio::time::timeout(SILENCE, stream.message())
            .await
            .map_err(|_| Status::deadline_exceeded("the download stopped"))??;
        let Some(message) = message else { break };
        hash.update(&message.chunk);
        file.write_all(&message.chunk)
            .map_err(|e| broken("write", e))?;
    }
    file.sync_all().map_err(|e| broken("flush", e))?;
    let found = hex(&hash.finalize());
    if found == digest {
        Ok(())
    } else {
        // Cut short or damaged on the way: a fresh download may be whole.
        Err(Status::unavailable(format!(
            "downloaded bytes have digest {found}, not {digest}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_lowercase_sha_256() {
        assert_eq!(
            digest_of(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
