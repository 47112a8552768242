//! What can go wrong with the private cluster, each message with the next step in it.

use std::io;
use std::path::PathBuf;

/// Why the private Postgres did not start or stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivatePostgresError {
    /// No server binaries on this machine.
    #[error(
        "find a Postgres server on PATH, through pg_config or in /usr/lib/postgresql/*/bin: install one \
         (Debian, Ubuntu: `apt-get install postgresql`) or name a database with --database-url"
    )]
    NotInstalled,
    /// Root started it and the machine has neither a `postgres` nor a `nobody` user.
    #[error(
        "find an unprivileged user to run Postgres as (Postgres refuses root): no `postgres` or `nobody` in /etc/passwd"
    )]
    NoUnprivilegedUser,
    /// The user who starts it has no name, and peer authentication needs one.
    #[error("name the user with id {uid}: no entry in /etc/passwd and none from `id -un`")]
    NamelessUser {
        /// The effective user id.
        uid: u32,
    },
    /// Neither `--data` nor a home to put a default folder in.
    #[error("choose a data folder: HOME is not set, name one with --data")]
    NoHome,
    /// A folder above the data folder lets the server's user not through.
    #[error(
        "reach {folder} as user {user}: {ancestor} has mode {mode:04o} and does not let that user through; choose a \
         folder with --data that every parent of is passable, such as /var/lib/bitfront", folder = .folder.display(),
         ancestor = .ancestor.display()
    )]
    Unreachable {
        /// The data folder.
        folder: PathBuf,
        /// The closed folder above it.
        ancestor: PathBuf,
        /// The closed folder's permission bits.
        mode: u32,
        /// Who would run Postgres.
        user: String,
    },
    /// The cluster belongs to somebody else.
    #[error(
        "use {folder}: it belongs to the user with id {owner}, this would run as {user} (id {uid}); choose another \
         folder with --data", folder = .folder.display()
    )]
    Owner {
        /// The cluster folder.
        folder: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who would run Postgres.
        user: String,
        /// That user's id.
        uid: u32,
    },
    /// Another live process owns the folder.
    #[error(
        "use {folder}: {holder} uses it now; stop that process or choose another folder with --data",
        folder = .folder.display()
    )]
    InUse {
        /// The data or cluster folder.
        folder: PathBuf,
        /// The process, as a person would look for it.
        holder: String,
    },
    /// The cluster was made by another major version.
    #[error(
        "use {folder}: Postgres {cluster} made it, this machine has {installed}; install Postgres {cluster} or choose \
         another folder with --data", folder = .folder.display()
    )]
    Version {
        /// The cluster folder.
        folder: PathBuf,
        /// What its `PG_VERSION` says.
        cluster: String,
        /// Every version found.
        installed: String,
    },
    /// The folder has something in it that is no cluster.
    #[error(
        "use {folder}: it is not empty and has no PG_VERSION, so it is no Postgres cluster; choose another folder \
         with --data", folder = .folder.display()
    )]
    NotACluster {
        /// The folder.
        folder: PathBuf,
    },
    /// The socket's path does not fit into a unix address.
    #[error(
        "make a unix socket at {path}: {length} bytes, at most 100 are accepted; set TMPDIR to a shorter folder",
        path = .path.display()
    )]
    SocketPath {
        /// The socket's path.
        path: PathBuf,
        /// Its length, bytes.
        length: usize,
    },
    /// `initdb` failed.
    #[error("make a cluster with initdb:\n{log}")]
    Initialise {
        /// What it said.
        log: String,
    },
    /// The server ended while starting.
    #[error("start Postgres; the end of {log_file}:\n{log}", log_file = .log_file.display())]
    Start {
        /// The server's log.
        log_file: PathBuf,
        /// Its last lines.
        log: String,
    },
    /// The server did not become ready.
    #[error("start Postgres within {seconds} s; the end of {log_file}:\n{log}", log_file = .log_file.display())]
    NotReady {
        /// How long was waited.
        seconds: u64,
        /// The server's log.
        log_file: PathBuf,
        /// Its last lines.
        log: String,
    },
    /// A file or folder could not be read or written.
    #[error("{action} {path}: {source}", path = .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A program could not be run.
    #[error("run {program}: {source}", program = .program.display())]
    Program {
        /// Its path.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl PrivatePostgresError {
    /// A closure that turns an [`io::Error`] into [`PrivatePostgresError::File`].
    pub(super) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
