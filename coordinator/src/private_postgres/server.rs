//! Starting and stopping the server.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::PrivatePostgresError;
use super::cluster::{self, NAME};
use super::installation::Installation;
use super::lock::{FolderLock, PostmasterFile, clear_leftovers, remove_socket_folder};
use super::user::{User, server_user};

/// Only names the socket file (`.s.PGSQL.58470`): no port is opened.
const PORT: u16 = 58470;
/// How long a start, with crash recovery, may take.
const START_SECONDS: u64 = 60;
/// How long a fast shutdown may take before it becomes an immediate one.
const STOP: Duration = Duration::from_secs(20);
/// Unix addresses hold 108 bytes on Linux, 104 elsewhere, the closing zero included.
const SOCKET_PATH_MAX: usize = 100;
/// A server log larger than this starts anew.
const LOG_MAX: u64 = 8 << 20;

/// A running private server. Dropping it stops it as [`PrivatePostgres::stop`] does.
#[derive(Debug)]
pub struct PrivatePostgres {
    child: Option<Child>,
    url: String,
    version: String,
    cluster: PathBuf,
    socket_folder: PathBuf,
    _lock: FolderLock,
}

impl PrivatePostgres {
    /// Starts the server on `<data>/postgres`, making the cluster if there is none, and waits until
    /// it takes connections. Blocks: call it off the async threads.
    ///
    /// # Errors
    /// Every [`PrivatePostgresError`]; nothing is left running.
    pub fn start(data: &Path) -> Result<Self, PrivatePostgresError> {
        let current = User::current()?;
        let data = cluster::make_data_folder(data, &current)?;
        let folder = data.join("postgres");
        let server = server_user(&current, cluster::owner(&folder))?;
        cluster::check_owner(&folder, &server)?;
        let made_by = cluster::version(&folder)?;
        let installation =
            Installation::choose(Installation::find_all(), &folder, made_by.as_deref())?;
        let lock = FolderLock::take(&data)?;
        // Somebody may have made it between the first look and the lock.
        if cluster::version(&folder)?.is_none() {
            cluster::initialise(&installation, &folder, &server)?;
        }
        clear_leftovers(&folder, STOP)?;
        cluster::write_access(&folder, &current, &server)?;

        let socket_folder = make_socket_folder(&server)?;
        let log_file = data.join("postgres.log");
        let mut running = Self {
            child: None,
            url: format!(
                "postgres://{NAME}@localhost:{PORT}/{NAME}?host={}&sslmode=disable",
                socket_folder.display()
            ),
            version: installation.version.clone(),
            cluster: folder,
            socket_folder,
            _lock: lock,
        };
        running.spawn(&installation, &server, &log_file)?;
        running.wait_until_ready(&log_file)?;
        Ok(running)
    }

    fn spawn(
        &mut self,
        installation: &Installation,
        server: &User,
        log_file: &Path,
    ) -> Result<(), PrivatePostgresError> {
        let log = open_log(log_file).map_err(PrivatePostgresError::file("open", log_file))?;
        let program = installation.program("postgres");
        let mut command = cluster::command(&program, server);
        command.arg("-D").arg(&self.cluster);
        for setting in [
            "listen_addresses=".to_owned(),
            format!("port={PORT}"),
            format!("unix_socket_directories={}", self.socket_folder.display()),
            "unix_socket_permissions=0700".to_owned(),
            "logging_collector=off".to_owned(),
            "log_destination=stderr".to_owned(),
            "max_connections=100".to_owned(),
        ] {
            command.arg("-c").arg(setting);
        }
        let errors = log
            .try_clone()
            .map_err(PrivatePostgresError::file("open", log_file))?;
        let child = command
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors))
            // A group of its own: the terminal's Ctrl-C must not reach it before the coordinator has drained.
            .process_group(0)
            .spawn()
            .map_err(|source| PrivatePostgresError::Program { program, source })?;
        self.child = Some(child);
        Ok(())
    }

    fn wait_until_ready(&mut self, log_file: &Path) -> Result<(), PrivatePostgresError> {
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS);
        let pid = self.child.as_ref().map_or(0, |child| child.id() as i32);
        loop {
            if PostmasterFile::read(&self.cluster).is_some_and(|file| file.pid == pid && file.ready)
            {
                return Ok(());
            }
            let ended = self
                .child
                .as_mut()
                .is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if ended {
                return Err(PrivatePostgresError::Start {
                    log_file: log_file.to_owned(),
                    log: tail(log_file),
                });
            }
            if Instant::now() > deadline {
                return Err(PrivatePostgresError::NotReady {
                    seconds: START_SECONDS,
                    log_file: log_file.to_owned(),
                    log: tail(log_file),
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The database's URL, without a secret in it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server's version, `15.13`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Process id of the server.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Stops the server: fast (open transactions roll back), after 20 s at once.
    pub fn stop(mut self) {
        self.shut_down();
    }

    /// Lets go of the server and the folder's lock as a killed process does: the server lives on.
    #[cfg(test)]
    pub(super) fn abandon(mut self) {
        self.child = None;
    }

    /// The socket's folder.
    #[cfg(test)]
    pub(super) fn socket_folder(&self) -> &Path {
        &self.socket_folder
    }

    fn shut_down(&mut self) {
        if let Some(mut child) = self.child.take() {
            for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
                if let Some(pid) = Pid::from_raw(child.id() as i32) {
                    let _ = kill_process(pid, signal);
                }
                if ended_within(&mut child, STOP) {
                    break;
                }
                tracing::warn!(
                    ?signal,
                    "the private Postgres does not end, using a stronger signal"
                );
            }
        }
        remove_socket_folder(&self.socket_folder);
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.shut_down();
    }
}

fn ended_within(child: &mut Child, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
            Ok(None) => return false,
            Ok(Some(_)) | Err(_) => return true,
        }
    }
}

/// Makes the 0700 socket folder in TMPDIR, or in /tmp when TMPDIR is too long for a socket's path or
/// closed to the server's user.
fn make_socket_folder(server: &User) -> Result<PathBuf, PrivatePostgresError> {
    let fits = |folder: &Path| {
        folder.as_os_str().len() + "/bitfront-XXXXXX/.s.PGSQL.58470".len() <= SOCKET_PATH_MAX
    };
    // It goes into a URL and a setting as it is.
    let plain = |folder: &Path| {
        folder.to_str().is_some_and(|text| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
        })
    };
    let mut parent = std::env::temp_dir();
    if !fits(&parent) || !plain(&parent) || super::access::check_reachable(&parent, server).is_err()
    {
        parent = PathBuf::from("/tmp");
    }
    let failed = |source| PrivatePostgresError::File {
        action: "make a socket folder in",
        path: parent.clone(),
        source,
    };
    // A random name, made new with mode 0700: nobody can have put one there first.
    let folder = tempfile::Builder::new()
        .prefix("bitfront-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(&parent)
        .map_err(failed)?;
    cluster::give(folder.path(), server).map_err(failed)?;
    let path = folder.keep();
    let length = path.as_os_str().len() + "/.s.PGSQL.58470".len();
    if length > SOCKET_PATH_MAX {
        let _ = fs::remove_dir(&path);
        return Err(PrivatePostgresError::SocketPath { path, length });
    }
    Ok(path)
}

fn open_log(path: &Path) -> std::io::Result<File> {
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_MAX) {
        fs::rename(path, path.with_extension("log.old"))?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

/// The last lines of the server's log.
fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(2000)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines[lines.len().saturating_sub(8)..].join("\n"))
    };
    read().unwrap_or_else(|error| format!("(the log cannot be read: {error})"))
}
