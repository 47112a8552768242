//! Data sets and starting weights: files by digest in a folder that the workers of a machine share; and
//! prepared splits, stored there once and mapped by every process that needs them.
//!
//! The rule this module keeps: a file under its digest is whole and has that digest. It is fetched
//! under a lock into a temporary file, checked, flushed and renamed; what is found is checked again
//! before it is first used. What nobody uses may go ([`bound`]) when there is too much.

mod bound;

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bitfront_dataset::{Aim, Dataset, Prepared, SplitSpec, StoredError};
use bitfront_network::{Candidate, Weights};
use bitfront_search::search::Start;
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::sync::OnceCell;
use tracing::{info, warn};

use crate::WorkerError;
use crate::error::Failure;
use crate::executor::on_thread;
use crate::link::{Link, download, hex, retry};

use bound::{InUse, keep_within, lock_beside, partial_of, sweep};

/// Prepared data sets kept in memory.
const KEPT: usize = 2;

type Slot = Arc<OnceCell<Arc<Held>>>;

/// Prepared splits, whose file stays in the cache while this lives.
#[derive(Debug)]
pub(crate) struct Held {
    prepared: Prepared,
    /// `None` where they stay in this process.
    _in_use: Option<InUse>,
}

impl Deref for Held {
    type Target = Prepared;

    fn deref(&self) -> &Prepared {
        &self.prepared
    }
}

/// The machine's data sets and starting weights.
pub(crate) struct FileCache {
    folder: PathBuf,
    /// Bytes that its files may have together; 0: no limit.
    limit: u64,
    /// Most recently used last.
    prepared: Mutex<Vec<(String, Slot)>>,
}

impl FileCache {
    /// Makes the folder, in which nothing is left half written; its files may have `limit` bytes together, 0: no limit.
    pub(crate) fn new(folder: &Path, limit: u64) -> Result<Self, WorkerError> {
        let made = fs::create_dir_all(folder).and_then(|()| sweep(folder));
        made.map_err(|source| WorkerError::Io {
            path: folder.display().to_string(),
            source,
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            limit,
            prepared: Mutex::default(),
        })
    }

    /// Folder for temporary folders of jobs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data set's splits, fetched and prepared if nobody did so before.
    pub(crate) async fn prepared(
        &self,
        link: &Link,
        digest: &str,
        file_name: &str,
        aim: &Aim,
        split: &SplitSpec,
    ) -> Result<Arc<Held>, Failure> {
        let name = file_for(digest, file_name)?;
        let key = Prepared::key(digest, aim, split);
        let slot = self.slot(key.clone());
        slot.get_or_try_init(|| async {
            let stored = self.folder.join(format!("{}.prepared", digest_of(&key)));
            let broken = |e: io::Error| Failure::internal(format!("file cache: {e}"));
            let (lock, found) = on_thread("prepared-check", {
                let (stored, key) = (stored.clone(), key.clone());
                move || -> io::Result<_> {
                    let lock = File::create(lock_beside(&stored))?;
                    lock.lock()?;
                    Ok((lock, find(&stored, &key)))
                }
            })
            .await?
            .map_err(broken)?;
            if let Some(found) = found {
                return Ok(found);
            }
            let (path, in_use) = self.fetch(link, digest, &name).await?;
            let (aim, split) = (aim.clone(), *split);
            let prepared = on_thread("dataset", move || {
                let prepared = prepare(&path, &aim, &split, &stored, &key);
                drop((lock, in_use));
                prepared
            })
            .await??;
            self.make_room().await?;
            Ok(prepared)
        })
        .await
        .cloned()
    }

    /// Weights of a registered model, under the network `float` that they belong to.
    pub(crate) async fn weights(
        &self,
        link: &Link,
        start: &Start,
        float: &Candidate,
    ) -> Result<Weights, Failure> {
        let digest = &start.weights_digest;
        let invalid = |message: String| Failure::lasting("model-invalid", message);
        let name = file_for(digest, "weights.safetensors").map_err(|e| invalid(e.message))?;
        let (path, in_use) = self.fetch(link, digest, &name).await?;
        let (model, float) = (start.model.clone(), float.clone());
        on_thread("weights", move || {
            let bytes = fs::read(&path)
                .map_err(|e| Failure::internal(format!("read {}: {e}", path.display())))?;
            drop(in_use);
            Weights::from_bytes(&float, &bytes).map_err(|e| invalid(format!("model {model}: {e}")))
        })
        .await?
    }

    fn slot(&self, key: String) -> Slot {
        let mut slots = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match slots.iter().position(|(known, _)| *known == key) {
            Some(at) => slots.remove(at).1,
            None => Slot::default(),
        };
        slots.push((key, Arc::clone(&slot)));
        let surplus = slots.len().saturating_sub(KEPT);
        slots.drain(..surplus);
        slot
    }

    /// Removes what nobody uses where the files of the cache have more than its limit.
    async fn make_room(&self) -> Result<(), Failure> {
        if self.limit == 0 {
            return Ok(());
        }
        let (folder, limit) = (self.folder.clone(), self.limit);
        let found = on_thread("cache-room", move || keep_within(&folder, limit)).await?;
        match found {
            Ok((removed, left)) => {
                for path in removed {
                    info!(file = %path.display(), "removed from the cache: least recently used");
                }
                if left > limit {
                    warn!(
                        left,
                        limit, "the files in use are larger than the cache's limit"
                    );
                }
            }
            // A cache that is too large is no reason to fail a trial.
            Err(error) => warn!(%error, "failed to make room in the cache"),
        }
        Ok(())
    }

    /// Path of the checked file, which stays there while the second value lives.
    async fn fetch(
        &self,
        link: &Link,
        digest: &str,
        name: &str,
    ) -> Result<(PathBuf, InUse), Failure> {
        let target = self.folder.join(name);
        let lock_path = lock_beside(&target);
        let broken = |e: io::Error| Failure::internal(format!("file cache: {e}"));
        let (lock, found) = on_thread("file-check", {
            let (target, digest) = (target.clone(), digest.to_owned());
            move || -> io::Result<(File, bool)> {
                let lock = File::create(lock_path)?;
                lock.lock()?;
                let found = match digest_of_file(&target) {
                    Ok(found) => found == digest,
                    Err(e) if e.kind() == io::ErrorKind::NotFound => false,
                    Err(e) => return Err(e),
                };
                Ok((lock, found))
            }
        })
        .await?
        .map_err(broken)?;
        if !found {
            info!(name, "fetching a file");
            let partial = TempPath::try_from_path(partial_of(&target)).map_err(broken)?;
            retry("get_artifact", || download(link, digest, &partial))
                .await
                .map_err(|status| {
                    Failure::internal(format!("fetch {name}: {}", status.message()))
                })?;
            partial.persist(&target).map_err(|e| broken(e.error))?;
            // The rename itself must survive a power cut as well.
            File::open(&self.folder)
                .and_then(|folder| folder.sync_all())
                .map_err(broken)?;
        }
        let in_use = InUse::mark(&target).map_err(broken)?;
        drop(lock);
        if !found {
            self.make_room().await?;
        }
        Ok((target, in_use))
    }
}

/// The stored splits, if they are there and whole.
fn find(stored: &Path, key: &str) -> Option<Arc<Held>> {
    match map(stored, key) {
        Ok(found) => Some(Arc::new(found)),
        Err(StoredError::Io(e)) if e.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            warn!(file = %stored.display(), %error, "stored splits are made again");
            None
        }
    }
}

/// The stored splits as memory; the caller holds the lock file beside them.
#[expect(unsafe_code, reason = "the rule of this folder is what a map asks for")]
fn map(stored: &Path, key: &str) -> Result<Held, StoredError> {
    let in_use = InUse::mark(stored)?;
    // SAFETY: a file of the cache gets its name when it is whole, and is then renamed over or removed, never written to or cut:
    // `prepare` and `bound` are all that touch it. The folder is the workers' own.
    let prepared = unsafe { Prepared::map(stored, key) }?;
    Ok(Held {
        prepared,
        _in_use: Some(in_use),
    })
}

/// Reads a data set, splits it, stores the splits, and maps what was stored: the memory that reading took is
/// free again, and all workers of the machine share one copy.
fn prepare(
    path: &Path,
    aim: &Aim,
    split: &SplitSpec,
    stored: &Path,
    key: &str,
) -> Result<Arc<Held>, Failure> {
    let invalid =
        |e: bitfront_dataset::DatasetError| Failure::lasting("dataset-invalid", e.to_string());
    let prepared = Dataset::open(path)
        .map_err(invalid)?
        .prepare_for(aim, split)
        .map_err(invalid)?;
    let folder = stored.parent().unwrap_or(Path::new("."));
    let written = || -> io::Result<u64> {
        let partial = TempPath::try_from_path(partial_of(stored))?;
        let file = File::create(&partial)?;
        prepared.store(key, &file)?;
        let bytes = file.metadata()?.len();
        partial.persist(stored).map_err(|e| e.error)?;
        File::open(folder)?.sync_all()?;
        Ok(bytes)
    };
    match written() {
        Ok(bytes) => info!(file = %stored.display(), bytes, "stored prepared splits"),
        // A full disk is no reason to fail a trial.
        Err(error) => {
            warn!(file = %stored.display(), %error, "prepared splits stay in this process");
            return Ok(Arc::new(Held {
                prepared,
                _in_use: None,
            }));
        }
    }
    drop(prepared);
    map(stored, key)
        .map(Arc::new)
        .map_err(|e| Failure::internal(format!("map {}: {e}", stored.display())))
}

fn digest_of(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// File name in the cache: the digest, and the extension that names the format.
fn file_for(digest: &str, file_name: &str) -> Result<String, Failure> {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if digest.len() != 64 || !digest.bytes().all(hex) {
        return Err(Failure::lasting(
            "dataset-invalid",
            format!("digest {digest:?} is not 64 lowercase hex digits"),
        ));
    }
    let extension = Path::new(file_name)
        .extension()
        .and_then(|extension| extension.to_str())
        .filter(|text| text.len() <= 16 && text.bytes().all(|b| b.is_ascii_alphanumeric()));
    match extension {
        Some(extension) => Ok(format!("{digest}.{}", extension.to_ascii_lowercase())),
        None => Err(Failure::lasting(
            "dataset-invalid",
            format!("data set file {file_name:?} has no extension that names its format"),
        )),
    }
}

fn digest_of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_cache_cannot_leave_it() {
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(
            file_for(&digest, "Jets.NPZ").unwrap(),
            format!("{digest}.npz")
        );
        assert!(file_for("../../etc/passwd", "a.npz").is_err());
        assert!(file_for(&digest.to_uppercase(), "a.npz").is_err());
        assert!(file_for(&digest, "a.n/../z").is_err());
        assert!(file_for(&digest, "noextension").is_err());
    }

    #[test]
    fn damaged_splits_are_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("d.csv");
        let rows: Vec<String> = (0..40).map(|row| format!("{row},{}", row % 2)).collect();
        fs::write(&data, format!("a,label\n{}\n", rows.join("\n"))).unwrap();
        let (split, stored) = (SplitSpec::default(), folder.path().join("s.prepared"));
        assert!(find(&stored, "key").is_none());
        let first = prepare(&data, &Aim::default(), &split, &stored, "key").unwrap();
        let bytes = fs::read(&stored).unwrap();
        assert_eq!(**find(&stored, "key").unwrap(), **first);
        assert!(find(&stored, "another key").is_none());

        let damaged = folder.path().join("damaged");
        fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
        fs::rename(&damaged, &stored).unwrap();
        assert!(find(&stored, "key").is_none());
        let again = prepare(&data, &Aim::default(), &split, &stored, "key").unwrap();
        assert_eq!(**again, **first);
        assert_eq!(fs::read(&stored).unwrap(), bytes);
    }

    #[test]
    fn splits_that_are_held_stay_in_the_cache_and_others_go() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("d.csv");
        let rows: Vec<String> = (0..40).map(|row| format!("{row},{}", row % 2)).collect();
        fs::write(&data, format!("a,label\n{}\n", rows.join("\n"))).unwrap();
        let (aim, split) = (Aim::default(), SplitSpec::default());
        let stored = ["one", "two"].map(|key| folder.path().join(digest_of(key) + ".prepared"));
        let held = prepare(&data, &aim, &split, &stored[0], "one").unwrap();
        drop(prepare(&data, &aim, &split, &stored[1], "two").unwrap());
        let (removed, left) = keep_within(folder.path(), 1).unwrap();
        assert_eq!(removed, [stored[1].clone()]);
        assert!(left > 0 && stored[0].exists());
        drop(held);
        assert_eq!(keep_within(folder.path(), 1).unwrap().1, 0);
        assert!(find(&stored[0], "one").is_none());
    }

    #[test]
    fn few_prepared_sets_stay_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let cache = FileCache::new(folder.path(), 0).unwrap();
        let first = cache.slot("a".into());
        cache.slot("b".into());
        assert!(Arc::ptr_eq(&first, &cache.slot("a".into())));
        cache.slot("c".into());
        assert!(Arc::ptr_eq(&first, &cache.slot("a".into())));
        cache.slot("d".into());
        cache.slot("e".into());
        assert!(!Arc::ptr_eq(&first, &cache.slot("a".into())));
    }
}
