//! Content-addressed files: bytes named by their SHA-256, in `data_dir/<first two hex digits>/<digest>`.
//!
//! The rule this module keeps: under a digest's name lies either nothing or exactly the bytes with that digest, whatever
//! is killed when. Bytes go to a temporary file while they are hashed, are flushed to disk, renamed, and then the folder
//! is flushed. Names come from digests only, so no path can leave the folder.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::{
    fs::{self, File},
    io::AsyncWriteExt as _,
};

use crate::error::{Error, Kind, Result};

/// A SHA-256 digest as 64 lowercase hex digits: the only thing that names a file here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest(String);

impl Digest {
    /// Reads a digest.
    ///
    /// # Errors
    /// The text is not 64 lowercase hex digits.
    pub fn parse(text: &str) -> Result<Self> {
        let hex = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hex {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid(
                "invalid-request",
                "a digest is 64 lowercase hexadecimal digits (SHA-256)",
            ))
        }
    }

    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex(&Sha256::digest(bytes)))
    }

    /// The 64 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lowercase hex of some bytes.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The folder of artifacts; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Artifacts {
    root: Arc<Path>,
}

impl Artifacts {
    /// Opens the folder, creating it where missing. Uploads that a killed process left behind a day ago are removed.
    ///
    /// # Errors
    /// It cannot be created.
    pub async fn open(root: PathBuf) -> Result<Self> {
        let failed = |error: io::Error| {
            Error::new(
                Kind::Internal,
                "internal",
                format!("the data folder {} cannot be used: {error}", root.display()),
            )
        };
        let incoming = root.join("incoming");
        fs::create_dir_all(&incoming).await.map_err(failed)?;
        // Another coordinator may be writing there: only what no upload can still be writing goes.
        tokio::task::spawn_blocking(move || remove_abandoned(&incoming)).await?;
        Ok(Self { root: root.into() })
    }

    fn folder(&self, digest: &Digest) -> PathBuf {
        self.root.join(&digest.0[..2])
    }

    /// Where the bytes of a digest lie once they are there.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder(digest).join(&digest.0)
    }

    /// The size of an artifact, or `None` if it is not there.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn size(&self, digest: &Digest) -> Result<Option<u64>> {
        match fs::metadata(self.path(digest)).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::internal(error)),
        }
    }

    /// Opens an artifact for reading, with its size.
    ///
    /// # Errors
    /// It is not there.
    pub async fn read(&self, digest: &Digest) -> Result<(File, u64)> {
        match File::open(self.path(digest)).await {
            Ok(file) => {
                let bytes = file.metadata().await.map_err(Error::internal)?.len();
                Ok((file, bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::not_found(format_args!("artifact {digest}")))
            }
            Err(error) => Err(Error::internal(error)),
        }
    }

    /// Starts an upload of at most `limit` bytes. Dropping it before [`Upload::finish`] leaves nothing behind.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub async fn upload(&self, limit: u64) -> Result<Upload> {
        let path = self
            .root
            .join("incoming")
            .join(uuid::Uuid::now_v7().to_string());
        let file = File::create_new(&path).await.map_err(Error::internal)?;
        Ok(Upload {
            artifacts: self.clone(),
            temporary: Temporary(path),
            file,
            hash: Sha256::new(),
            bytes: 0,
            limit,
        })
    }

    /// Stores bytes at hand.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub async fn put(&self, bytes: Bytes) -> Result<Digest> {
        let mut upload = self.upload(bytes.len() as u64).await?;
        upload.write(&bytes).await?;
        Ok(upload.finish(None).await?.0)
    }
}

/// How long an upload may take at most.
const ABANDONED: Duration = Duration::from_hours(24);

/// Removes temporary files whose last byte came long ago.
fn remove_abandoned(incoming: &Path) {
    let Ok(entries) = std::fs::read_dir(incoming) else {
        return;
    };
    for entry in entries.flatten() {
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|modified| modified.elapsed().ok());
        if age.is_some_and(|age| age > ABANDONED)
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            tracing::warn!(%error, path = %entry.path().display(), "failed to remove an abandoned upload");
        }
    }
}

/// A file that is removed when it was not renamed away.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename nothing is there any more.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// An upload under way.
#[derive(Debug)]
pub struct Upload {
    artifacts: Artifacts,
    temporary: Temporary,
    file: File,
    hash: Sha256,
    bytes: u64,
    limit: u64,
}

impl Upload {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// The limit is exceeded, or the disk is full.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<()> {
        self.bytes += chunk.len() as u64;
        if self.bytes > self.limit {
            return Err(Error::new(
                Kind::TooLarge,
                "payload-too-large",
                format!("the upload exceeds {} bytes", self.limit),
            ));
        }
        self.hash.update(chunk);
        self.file.write_all(chunk).await.map_err(Error::internal)
    }

    /// Bytes taken so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Path of the file as it stands, for a reader that judges the content before it is kept (a data set). Call
    /// [`Upload::flush`] first.
    pub fn temporary_path(&self) -> &Path {
        &self.temporary.0
    }

    /// Hands all bytes taken so far to the operating system.
    ///
    /// # Errors
    /// The disk is full.
    pub async fn flush(&mut self) -> Result<()> {
        self.file.flush().await.map_err(Error::internal)
    }

    /// Keeps the bytes under their digest and returns it with the size. Bytes that are there already stay as they are.
    ///
    /// # Errors
    /// `expected` is another digest than what arrived, or the disk is full.
    pub async fn finish(mut self, expected: Option<&Digest>) -> Result<(Digest, u64)> {
        let digest = Digest(hex(&self.hash.finalize_reset()));
        if let Some(expected) = expected
            && *expected != digest
        {
            return Err(Error::invalid(
                "digest-mismatch",
                format!("the bytes have digest {digest}, not {expected}"),
            ));
        }
        self.file.flush().await.map_err(Error::internal)?;
        self.file.sync_all().await.map_err(Error::internal)?;
        let folder = self.artifacts.folder(&digest);
        fs::create_dir_all(&folder).await.map_err(Error::internal)?;
        fs::rename(&self.temporary.0, self.artifacts.path(&digest))
            .await
            .map_err(Error::internal)?;
        for folder in [folder.as_path(), &*self.artifacts.root] {
            let folder = File::open(folder).await.map_err(Error::internal)?;
            folder.sync_all().await.map_err(Error::internal)?;
        }
        Ok((digest, self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn folder() -> (tempfile::TempDir, Artifacts) {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(folder.path().join("data")).await.unwrap();
        (folder, artifacts)
    }

    fn left_behind(artifacts: &Artifacts) -> usize {
        std::fs::read_dir(artifacts.root.join("incoming"))
            .unwrap()
            .count()
    }

    #[tokio::test]
    async fn bytes_come_back_under_their_digest() {
        let (_folder, artifacts) = folder().await;
        let digest = artifacts.put(Bytes::from_static(b"weights")).await.unwrap();
        assert_eq!(digest, Digest::of(b"weights"));
        assert_eq!(std::fs::read(artifacts.path(&digest)).unwrap(), b"weights");
        assert_eq!(artifacts.size(&digest).await.unwrap(), Some(7));
        // Storing them again is harmless.
        assert_eq!(
            artifacts.put(Bytes::from_static(b"weights")).await.unwrap(),
            digest
        );
        assert_eq!(left_behind(&artifacts), 0);
    }

    #[tokio::test]
    async fn other_bytes_than_announced_are_not_kept() {
        let (_folder, artifacts) = folder().await;
        let announced = Digest::of(b"one");
        let mut upload = artifacts.upload(100).await.unwrap();
        upload.write(b"two").await.unwrap();
        let error = upload.finish(Some(&announced)).await.unwrap_err();
        assert_eq!(error.code(), "digest-mismatch");
        assert_eq!(artifacts.size(&announced).await.unwrap(), None);
        assert_eq!(artifacts.size(&Digest::of(b"two")).await.unwrap(), None);
        assert_eq!(left_behind(&artifacts), 0);
    }

    #[tokio::test]
    async fn the_limit_holds_and_a_dropped_upload_leaves_nothing() {
        let (_folder, artifacts) = folder().await;
        let mut upload = artifacts.upload(5).await.unwrap();
        upload.write(b"12345").await.unwrap();
        assert_eq!(upload.write(b"6").await.unwrap_err().kind(), Kind::TooLarge);
        assert_eq!(left_behind(&artifacts), 1);
        drop(upload);
        assert_eq!(left_behind(&artifacts), 0);
    }

    #[tokio::test]
    async fn an_upload_that_a_killed_process_left_is_removed_a_day_later() {
        let (folder, artifacts) = folder().await;
        let (old, new) = (
            artifacts.root.join("incoming/old"),
            artifacts.root.join("incoming/new"),
        );
        for path in [&old, &new] {
            std::fs::write(path, b"part").unwrap();
        }
        let yesterday = std::time::SystemTime::now() - ABANDONED - Duration::from_secs(1);
        let file = std::fs::File::options().write(true).open(&old).unwrap();
        file.set_modified(yesterday).unwrap();
        Artifacts::open(folder.path().join("data")).await.unwrap();
        assert!(!old.exists());
        assert!(new.exists());
    }

    #[test]
    fn only_digests_name_files() {
        for text in [
            "",
            "../../etc/passwd",
            &"A".repeat(64),
            &"0".repeat(63),
            &"/".repeat(64),
        ] {
            assert!(Digest::parse(text).is_err(), "{text}");
        }
        assert!(Digest::parse(&"0a".repeat(32)).is_ok());
    }
}
