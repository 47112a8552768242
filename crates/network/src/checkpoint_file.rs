//! Checkpoint files: written whole or not at all, read up to a limit.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use crate::checkpoint::{Checkpoint, CheckpointError};

impl Checkpoint {
    /// Writes the file so that at every moment, also across a loss of power, `path` holds either
    /// the old checkpoint or this one: a new file in the same folder is written and synced, then
    /// takes the name, then the folder is synced. The file is readable by its owner alone.
    ///
    /// # Errors
    /// [`CheckpointError::Content`] and [`CheckpointError::File`]; an old file is still there then,
    /// unless only the last sync of the folder failed.
    pub fn write_atomic(&self, path: &Path) -> Result<(), CheckpointError> {
        let bytes = self.to_bytes()?;
        replace(path, |file| file.write_all(&bytes)).map_err(|source| CheckpointError::File {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads a file of at most `limit` bytes.
    ///
    /// # Errors
    /// [`CheckpointError::File`], [`CheckpointError::TooLarge`] before anything is allocated, and
    /// those of [`Checkpoint::from_bytes`].
    pub fn read(path: &Path, limit: u64) -> Result<Self, CheckpointError> {
        let file_error = |source| CheckpointError::File {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(file_error)?;
        let bytes = file.metadata().map_err(file_error)?.len();
        if bytes > limit {
            return Err(CheckpointError::TooLarge { bytes, limit });
        }
        // What is no regular file, or grows, has a length of its own.
        let mut content = Vec::new();
        file.take(limit.saturating_add(1))
            .read_to_end(&mut content)
            .map_err(file_error)?;
        let bytes = content.len() as u64;
        if bytes > limit {
            return Err(CheckpointError::TooLarge { bytes, limit });
        }
        Self::from_bytes(&content)
    }
}

/// Puts a new file in the place of `path`; on errors nothing of it stays.
fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    write(new.as_file_mut())?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|e| e.error)?;
    sync_folder(folder)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: io::Result<std::fs::DirEntry>| {
            entry.unwrap().file_name().to_string_lossy().into_owned()
        };
        std::fs::read_dir(folder).unwrap().map(name).collect()
    }

    #[test]
    fn a_write_that_fails_halfway_leaves_the_old_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.checkpoint");
        std::fs::write(&path, b"old").unwrap();
        let fault = replace(&path, |file| {
            file.write_all(b"half of the ")?;
            // While it is written, the new file is there, and the old one untouched.
            assert_eq!(std::fs::read(&path)?, b"old");
            Err(io::Error::other("no space left"))
        });
        assert_eq!(fault.unwrap_err().to_string(), "no space left");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["run.checkpoint"]);
        replace(&path, |file| file.write_all(b"new")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["run.checkpoint"]);
    }

    #[test]
    fn a_name_that_cannot_be_taken_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("inside"), b"kept").unwrap();
        assert!(replace(&path, |file| file.write_all(b"new")).is_err());
        assert_eq!(names(folder.path()), ["taken"]);
        assert_eq!(names(&path), ["inside"]);
    }
}
