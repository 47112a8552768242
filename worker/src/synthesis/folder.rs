//! The temporary folder of one job.
//!
//! The rule this module keeps: no folder outlives its job for long. It is removed when dropped; one
//! whose worker was killed is removed by the next job on the machine, which sees that nobody holds
//! its lock any more.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

const PREFIX: &str = "job-";

/// A folder that only this job uses.
pub(super) struct JobFolder {
    folder: TempDir,
    /// Held while the job lives.
    _lock: File,
}

impl JobFolder {
    /// Makes a folder in `cache` and removes those that were left behind there.
    pub(super) fn new(cache: &Path) -> io::Result<Self> {
        // One at a time, so that nobody sees a folder whose lock is not taken yet.
        let turn = File::create(cache.join("jobs.lock"))?;
        turn.lock()?;
        sweep(cache);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(cache)?;
        let lock = File::create(folder.path().join("lock"))?;
        lock.lock()?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn sweep(cache: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let is_job = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if !is_job || !entry.path().is_dir() {
            continue;
        }
        let abandoned = match File::open(entry.path().join("lock")) {
            Ok(lock) => lock.try_lock().is_ok(),
            Err(e) => e.kind() == io::ErrorKind::NotFound,
        };
        if abandoned {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_living_jobs_stay_and_those_of_dead_ones_go() {
        let cache = tempfile::tempdir().unwrap();
        let dead = cache.path().join("job-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("lock"), "").unwrap();
        let unrelated = cache.path().join("simulator");
        fs::create_dir(&unrelated).unwrap();

        let living = JobFolder::new(cache.path()).unwrap();
        let second = JobFolder::new(cache.path()).unwrap();
        assert!(!dead.exists() && unrelated.exists());
        assert!(living.path().exists() && second.path().exists());
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }
}
