//! Who owns a data folder: our own lock file, and the `postmaster.pid` a server leaves.
//!
//! The lock is flock(2) on `<data>/postgres.lock`: the kernel drops it when its holder dies, however
//! it dies, so a lock that cannot be taken always has a live holder. With the lock in hand, whatever
//! `postmaster.pid` says is a leftover: either its process is gone (or its number was reused by
//! something else), or it is a server whose `bitfront` was killed, which is stopped first.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::PrivatePostgresError;

/// The right to use a data folder, until dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of `data`.
    ///
    /// # Errors
    /// [`PrivatePostgresError::InUse`] naming the live holder.
    pub(super) fn take(data: &Path) -> Result<Self, PrivatePostgresError> {
        let path = data.join("postgres.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(PrivatePostgresError::file("open", &path))?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(PrivatePostgresError::file("lock", &path)(error.into()));
            }
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(PrivatePostgresError::InUse {
                folder: data.to_owned(),
                holder: format!("bitfront (process {})", holder.trim()),
            });
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(PrivatePostgresError::file("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// What `postmaster.pid` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PostmasterFile {
    pub(super) pid: i32,
    pub(super) socket_folder: Option<PathBuf>,
    pub(super) ready: bool,
}

impl PostmasterFile {
    /// Reads `<cluster>/postmaster.pid`; `None` when there is none or it is cut short.
    pub(super) fn read(cluster: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(cluster.join("postmaster.pid")).ok()?)
    }

    /// Lines: pid, data folder, start time, port, socket folder, listen address, shared memory, status.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        Some(Self {
            pid: lines.first()?.parse().ok().filter(|pid| *pid > 0)?,
            socket_folder: lines
                .get(4)
                .filter(|line| !line.is_empty())
                .map(PathBuf::from),
            ready: lines.get(7) == Some(&"ready"),
        })
    }

    /// Whether its process lives and is a server on this cluster (a server's working folder is its
    /// cluster; where /proc does not say, a live process is taken for one).
    pub(super) fn is_alive(&self, cluster: &Path) -> bool {
        let Some(pid) = Pid::from_raw(self.pid) else {
            return false;
        };
        if test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            return false;
        }
        if is_zombie(self.pid) {
            return false;
        }
        match fs::read_link(format!("/proc/{}/cwd", self.pid)) {
            Ok(folder) => fs::canonicalize(cluster).is_ok_and(|cluster| cluster == folder),
            Err(_) => true,
        }
    }
}

fn is_zombie(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| {
            stat.rsplit_once(") ")
                .map(|(_, rest)| rest.starts_with('Z'))
        })
        .unwrap_or(false)
}

/// Makes room for a new server on `cluster`: stops one that outlived its `bitfront`, removes the
/// lock file and socket folder of one that died. The caller holds the [`FolderLock`].
///
/// # Errors
/// [`PrivatePostgresError::InUse`] when the old server does not end within `patience`.
pub(super) fn clear_leftovers(
    cluster: &Path,
    patience: Duration,
) -> Result<(), PrivatePostgresError> {
    let file = cluster.join("postmaster.pid");
    let Some(old) = PostmasterFile::read(cluster) else {
        return match fs::remove_file(&file) {
            Ok(()) => {
                tracing::warn!(file = %file.display(), "removed an unreadable postmaster.pid");
                Ok(())
            }
            Err(_) => Ok(()),
        };
    };
    if old.is_alive(cluster) {
        tracing::warn!(
            pid = old.pid,
            "a Postgres of a killed run still lives on this folder: stopping it"
        );
        let deadline = Instant::now() + patience;
        if let Some(pid) = Pid::from_raw(old.pid) {
            // SIGINT is a fast shutdown: open transactions roll back, nothing committed is lost.
            let _ = kill_process(pid, Signal::INT);
        }
        while old.is_alive(cluster) {
            if Instant::now() > deadline {
                return Err(PrivatePostgresError::InUse {
                    folder: cluster.to_owned(),
                    holder: format!(
                        "a Postgres server (process {}) of a killed run that does not end",
                        old.pid
                    ),
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    } else {
        tracing::warn!(
            pid = old.pid,
            "the last Postgres on this folder died: removing its stale lock, it recovers now"
        );
    }
    match fs::remove_file(&file) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(PrivatePostgresError::file("remove", &file)(error)),
    }
    if let Some(folder) = old.socket_folder {
        remove_socket_folder(&folder);
    }
    Ok(())
}

/// Removes a socket folder of ours with its sockets; anything else is left alone.
pub(super) fn remove_socket_folder(folder: &Path) {
    let ours = folder
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("bitfront-"));
    if !ours {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(".s.PGSQL.") {
            let _ = fs::remove_file(entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postmaster_pid_is_read_and_nonsense_is_not() {
        let text =
            "1234\n/data/postgres\n1700000000\n58470\n/tmp/bitfront-abc\n\n  1 2\nready   \n";
        let file = PostmasterFile::parse(text).unwrap();
        assert_eq!(
            file,
            PostmasterFile {
                pid: 1234,
                socket_folder: Some("/tmp/bitfront-abc".into()),
                ready: true
            }
        );
        assert!(
            !PostmasterFile::parse(&text.replace("ready", "starting"))
                .unwrap()
                .ready
        );
        assert_eq!(PostmasterFile::parse(""), None);
        assert_eq!(PostmasterFile::parse("-1\n"), None);
        assert_eq!(PostmasterFile::parse("x\n"), None);
    }

    #[test]
    fn a_process_that_is_no_server_of_this_cluster_is_not_taken_for_one() {
        let cluster = tempfile::tempdir().unwrap();
        let own = PostmasterFile {
            pid: std::process::id() as i32,
            socket_folder: None,
            ready: true,
        };
        assert!(
            !own.is_alive(cluster.path()),
            "this test runs in another folder"
        );
        assert!(own.is_alive(&std::env::current_dir().unwrap()));
    }

    #[test]
    fn a_stale_lock_goes_with_its_sockets_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let cluster = root.path().join("postgres");
        let sockets = root.path().join("bitfront-x");
        fs::create_dir(&cluster).unwrap();
        fs::create_dir(&sockets).unwrap();
        fs::write(sockets.join(".s.PGSQL.1"), "").unwrap();
        let pid = {
            let mut child = std::process::Command::new("true").spawn().unwrap();
            child.wait().unwrap();
            child.id()
        };
        let text = format!(
            "{pid}\n{}\n1\n1\n{}\n\n1 1\nready\n",
            cluster.display(),
            sockets.display()
        );
        fs::write(cluster.join("postmaster.pid"), text).unwrap();
        clear_leftovers(&cluster, Duration::from_secs(1)).unwrap();
        assert!(!cluster.join("postmaster.pid").exists());
        assert!(!sockets.exists());

        let foreign = root.path().join("run");
        fs::create_dir(&foreign).unwrap();
        remove_socket_folder(&foreign);
        assert!(foreign.exists());
    }

    #[test]
    fn a_second_lock_names_the_live_holder() {
        let data = tempfile::tempdir().unwrap();
        let first = FolderLock::take(data.path()).unwrap();
        let error = FolderLock::take(data.path()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("bitfront (process {})", std::process::id())),
            "{error}"
        );
        drop(first);
        FolderLock::take(data.path()).unwrap();
    }
}
