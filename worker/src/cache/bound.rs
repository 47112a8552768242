//! A bound on the bytes of the files in a cache folder, which the workers of a machine share.
//!
//! The rule this module keeps: a file goes only when nobody uses it, the least recently used first. Whoever uses one holds a
//! shared lock on it, which the kernel drops when its process dies; whoever fetches one, or is about to take that lock, holds the
//! lock file beside it. Files are unlinked, never written to or cut.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What the name of a file begins with while it is not whole.
const PARTIAL: &str = ".partial-";

/// A file that is in use while this lives.
#[derive(Debug)]
pub(crate) struct InUse {
    _file: File,
}

impl InUse {
    /// Marks a file as used, now and until it is dropped. The caller holds the lock file beside it.
    pub(super) fn mark(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        file.lock_shared()?;
        file.set_modified(SystemTime::now())?;
        Ok(Self { _file: file })
    }
}

/// The lock file beside a file of the cache.
pub(super) fn lock_beside(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

struct Entry {
    used: SystemTime,
    path: PathBuf,
    bytes: u64,
}

/// Removes files that nobody uses until those of the cache have `limit` bytes at most; returns what was removed, and how many
/// bytes are left.
pub(super) fn keep_within(folder: &Path, limit: u64) -> io::Result<(Vec<PathBuf>, u64)> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Another worker may have removed it by now.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.is_file() && is_of_digest(&entry.path()) {
            entries.push(Entry {
                used: metadata.modified()?,
                path: entry.path(),
                bytes: metadata.len(),
            });
        }
    }
    let mut left: u64 = entries.iter().map(|entry| entry.bytes).sum();
    entries.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
    let mut removed = Vec::new();
    for entry in entries {
        if left <= limit {
            break;
        }
        if remove_unused(&entry)? {
            left -= entry.bytes;
            removed.push(entry.path);
        }
    }
    Ok((removed, left))
}

/// Where a file of the cache is written before it gets its name; whoever writes holds the lock beside that.
pub(super) fn partial_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{PARTIAL}{name}"))
}

/// Removes what killed workers left half written.
pub(super) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(whole) = name.to_str().and_then(|name| name.strip_prefix(PARTIAL)) else {
            continue;
        };
        let whole = folder.join(whole);
        if is_of_digest(&whole) && is_free(File::create(lock_beside(&whole))?.try_lock())? {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Removes a file unless it is used, was used since it was looked at, or is being fetched.
fn remove_unused(entry: &Entry) -> io::Result<bool> {
    let beside = File::create(lock_beside(&entry.path))?;
    if !is_free(beside.try_lock())? {
        return Ok(false);
    }
    let file = match File::open(&entry.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        file => file?,
    };
    if !is_free(file.try_lock())? || file.metadata()?.modified()? != entry.used {
        return Ok(false);
    }
    fs::remove_file(&entry.path)?;
    Ok(true)
}

fn is_free(lock: Result<(), TryLockError>) -> io::Result<bool> {
    match lock {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether a file is one of the cache: its name is a digest and what it holds. Lock files, folders of jobs and what is being
/// fetched are not.
fn is_of_digest(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is_digest = |stem: &str| stem.len() == 64 && stem.bytes().all(|b| b.is_ascii_hexdigit());
    stem.is_some_and(is_digest) && extension.is_some_and(|extension| extension != "lock")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Files of 100 bytes, the first used longest ago.
    fn cache(names: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        for (at, name) in (0..).zip(names) {
            let path = folder.path().join(name);
            fs::write(&path, [0; 100]).unwrap();
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
            let file = File::options().append(true).open(&path).unwrap();
            file.set_modified(used).unwrap();
            paths.push(path);
        }
        (folder, paths)
    }

    fn name(digit: char, extension: &str) -> String {
        format!("{}.{extension}", digit.to_string().repeat(64))
    }

    #[test]
    fn the_least_recently_used_goes_first_and_what_is_used_stays() {
        let names = [
            name('a', "npz"),
            name('b', "prepared"),
            name('c', "csv"),
            name('d', "prepared"),
        ];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (folder, paths) = cache(&names);
        let nothing: Vec<PathBuf> = Vec::new();
        assert_eq!(keep_within(folder.path(), 400).unwrap(), (nothing, 400));
        // Used again, and used still.
        drop(InUse::mark(&paths[0]).unwrap());
        let used = InUse::mark(&paths[1]).unwrap();
        let removed = keep_within(folder.path(), 250).unwrap();
        assert_eq!(removed, (vec![paths[2].clone(), paths[3].clone()], 200));
        // All that is left to remove is in use, or being fetched.
        let fetched = File::create(lock_beside(&paths[0])).unwrap();
        fetched.lock().unwrap();
        assert_eq!(keep_within(folder.path(), 0).unwrap(), (Vec::new(), 200));
        drop((used, fetched));
        let removed = keep_within(folder.path(), 0).unwrap();
        assert_eq!(removed, (vec![paths[0].clone(), paths[1].clone()], 0));
    }

    #[test]
    fn what_was_left_half_written_goes_and_what_is_being_written_stays() {
        let (left, written) = (name('a', "npz"), name('b', "prepared"));
        let [left, written] = [left, written].map(|name| format!("{PARTIAL}{name}"));
        let (folder, paths) = cache(&[&left, &written, ".partial-1", &name('c', "npz")]);
        let lock = File::create(lock_beside(&folder.path().join(name('b', "prepared")))).unwrap();
        lock.lock().unwrap();
        sweep(folder.path()).unwrap();
        let there: Vec<bool> = paths.iter().map(|path| path.exists()).collect();
        assert_eq!(there, [false, true, true, true]);
        assert_eq!(partial_of(&folder.path().join(name('a', "npz"))), paths[0]);
    }

    #[test]
    fn what_is_not_the_caches_is_left_alone() {
        let (folder, paths) = cache(&["jobs.lock", ".partial-1", "notes.npz", &name('a', "lock")]);
        assert_eq!(keep_within(folder.path(), 0).unwrap(), (Vec::new(), 0));
        assert!(paths.iter().all(|path| path.exists()));
    }
}
