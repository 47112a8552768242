//! The cluster folder: made once with initdb, checked before every start.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::PrivatePostgresError;
use super::access::check_reachable;
use super::installation::Installation;
use super::user::User;

/// Database role and database name.
pub(super) const NAME: &str = "bitfront";

/// Makes the data folder (for root one that others may pass, else a private one).
pub(super) fn make_data_folder(
    data: &Path,
    current: &User,
) -> Result<PathBuf, PrivatePostgresError> {
    if !data.exists() {
        let mode = if current.is_root() { 0o755 } else { 0o700 };
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(data)
            .and_then(|()| fs::set_permissions(data, Permissions::from_mode(mode)))
            .map_err(PrivatePostgresError::file("make the data folder", data))?;
    }
    fs::canonicalize(data).map_err(PrivatePostgresError::file("open the data folder", data))
}

/// Who owns the cluster folder, if it is there.
pub(super) fn owner(folder: &Path) -> Option<u32> {
    fs::metadata(folder).ok().map(|metadata| metadata.uid())
}

/// The major version that made the cluster; `None` when there is no cluster yet.
///
/// # Errors
/// [`PrivatePostgresError::NotACluster`] when the folder holds something else.
pub(super) fn version(folder: &Path) -> Result<Option<String>, PrivatePostgresError> {
    let file = folder.join("PG_VERSION");
    match fs::read_to_string(&file) {
        Ok(text) => return Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(PrivatePostgresError::file("read", file)(error)),
    }
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(PrivatePostgresError::NotACluster {
                folder: folder.to_owned(),
            }),
            None => Ok(None),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PrivatePostgresError::file("read", folder)(error)),
    }
}

/// Checks that the server's user owns the cluster and can get there.
pub(super) fn check_owner(folder: &Path, user: &User) -> Result<(), PrivatePostgresError> {
    match owner(folder) {
        Some(owner) if owner != user.uid => Err(PrivatePostgresError::Owner {
            folder: folder.to_owned(),
            owner,
            user: user.name.clone(),
            uid: user.uid,
        }),
        _ => check_reachable(folder, user),
    }
}

/// Makes the cluster in a folder beside its place and moves it there when it is whole: a run killed
/// in the middle leaves a folder that the next run throws away.
pub(super) fn initialise(
    installation: &Installation,
    folder: &Path,
    user: &User,
) -> Result<(), PrivatePostgresError> {
    let partial = folder.with_extension("partial");
    match fs::remove_dir_all(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(PrivatePostgresError::file("remove", &partial)(error));
        }
        _ => {}
    }
    DirBuilder::new()
        .mode(0o700)
        .create(&partial)
        .and_then(|()| give(&partial, user))
        .map_err(PrivatePostgresError::file("make", &partial))?;
    check_reachable(&partial, user)?;

    let mut initdb = command(&installation.program("initdb"), user);
    initdb.arg("-D").arg(&partial).args([
        "-U",
        NAME,
        "--auth-local=peer",
        "--auth-host=reject",
        "--encoding=UTF8",
        "--locale=C",
    ]);
    run(initdb, "")?;
    let mut single = command(&installation.program("postgres"), user);
    single
        .args(["--single", "-D"])
        .arg(&partial)
        .arg("postgres");
    run(single, &format!("create database {NAME}\n"))?;

    // An empty folder may stand there already; rename replaces it.
    fs::rename(&partial, folder).map_err(PrivatePostgresError::file(
        "move the new cluster to",
        folder,
    ))
}

/// Writes who may connect: over the socket alone, the user who started it and the server's own user.
pub(super) fn write_access(
    folder: &Path,
    current: &User,
    server: &User,
) -> Result<(), PrivatePostgresError> {
    let mut map = String::new();
    for user in [current, server] {
        let _ = writeln!(map, "bitfront \"{}\" {NAME}", user.name);
    }
    for (name, text) in [
        (
            "pg_hba.conf",
            "# Written by bitfront at every start.\nlocal all all peer map=bitfront\n".to_owned(),
        ),
        (
            "pg_ident.conf",
            format!("# Written by bitfront at every start.\n{map}"),
        ),
    ] {
        let path = folder.join(name);
        let partial = folder.join(format!("{name}.partial"));
        fs::write(&partial, text)
            .and_then(|()| fs::set_permissions(&partial, Permissions::from_mode(0o600)))
            .and_then(|()| give(&partial, server))
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(PrivatePostgresError::file("write", &path))?;
    }
    Ok(())
}

/// Makes `path` the server user's when this process may do so and it is not already.
pub(super) fn give(path: &Path, user: &User) -> std::io::Result<()> {
    if fs::metadata(path)?.uid() == user.uid {
        Ok(())
    } else {
        chown(path, Some(user.uid), Some(user.gid))
    }
}

/// A Postgres program run as `user`, free of the caller's PG* variables.
pub(super) fn command(program: &Path, user: &User) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir("/")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    if rustix::process::geteuid().is_root() {
        // The standard library drops the supplementary groups with the user id.
        command.uid(user.uid).gid(user.gid);
    }
    command
}

fn run(mut command: Command, input: &str) -> Result<(), PrivatePostgresError> {
    let program = PathBuf::from(command.get_program());
    let failed = |source| PrivatePostgresError::Program {
        program: program.clone(),
        source,
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends early says why on its stderr.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(failed)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    // Single-user mode exits 0 after a failed statement and writes ERROR.
    if output.status.success() && !errors.contains("ERROR:") {
        return Ok(());
    }
    let log = format!("{}{errors}", String::from_utf8_lossy(&output.stdout));
    Err(PrivatePostgresError::Initialise {
        log: log.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_else_in_it_is_no_cluster() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(version(&root.path().join("none")).unwrap(), None);
        assert_eq!(version(root.path()).unwrap(), None);
        fs::write(root.path().join("notes.txt"), "x").unwrap();
        assert!(matches!(
            version(root.path()),
            Err(PrivatePostgresError::NotACluster { .. })
        ));
        fs::write(root.path().join("PG_VERSION"), "15\n").unwrap();
        assert_eq!(version(root.path()).unwrap().as_deref(), Some("15"));
    }
}
