//! The private cluster on a real Postgres, as whoever runs the tests; root also repeats them as `nobody`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection, Row};

use super::lock::PostmasterFile;
use super::{PrivatePostgres, PrivatePostgresError};

/// Set in the run that root starts as `nobody`.
const AS_NOBODY: &str = "BITFRONT_TEST_AS_NOBODY";

/// A data folder that an unprivileged server can reach.
fn data_folder() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("bfdata-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir_in("/tmp")
        .unwrap()
}

fn query(url: &str, statements: &[&'static str]) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let mut last = String::new();
        for statement in statements {
            if let Some(row) = sqlx::query(*statement)
                .fetch_optional(&mut connection)
                .await
                .unwrap()
            {
                last = row.get::<String, _>(0);
            }
        }
        connection.close().await.unwrap();
        last
    })
}

fn kill_and_wait(data: &Path) {
    let cluster = data.join("postgres");
    let file = PostmasterFile::read(&cluster).unwrap();
    kill_process(Pid::from_raw(file.pid).unwrap(), Signal::KILL).unwrap();
    while file.is_alive(&cluster) {
        std::thread::yield_now();
    }
}

#[test]
fn a_cluster_is_made_once_kept_private_and_reused() {
    let data = data_folder();
    let server = PrivatePostgres::start(data.path()).unwrap();
    let url = server.url().to_owned();
    let pid = server.pid();

    assert_eq!(query(&url, &["show listen_addresses"]), "", "no TCP port");
    assert_eq!(query(&url, &["select current_user::text"]), "bitfront");
    let stat = fs::metadata(format!("/proc/{pid}")).unwrap();
    assert_ne!(stat.uid(), 0, "Postgres must not run as root");
    let sockets = server.socket_folder().to_owned();
    assert_eq!(fs::metadata(&sockets).unwrap().mode() & 0o777, 0o700);
    let group = rustix::process::getpgid(Pid::from_raw(pid as i32)).unwrap();
    assert_ne!(
        group,
        rustix::process::getpgrp(),
        "Ctrl-C must not reach it"
    );

    query(
        &url,
        &[
            "create table kept (word text)",
            "insert into kept values ('committed')",
        ],
    );
    let made = fs::metadata(data.path().join("postgres/PG_VERSION"))
        .unwrap()
        .ino();
    server.stop();
    assert!(!sockets.exists());
    assert!(!Path::new(&format!("/proc/{pid}/stat")).exists());

    let server = PrivatePostgres::start(data.path()).unwrap();
    assert_eq!(query(server.url(), &["select word from kept"]), "committed");
    assert_eq!(
        fs::metadata(data.path().join("postgres/PG_VERSION"))
            .unwrap()
            .ino(),
        made
    );
}

#[test]
fn a_killed_server_is_recovered_and_an_abandoned_one_replaced() {
    let data = data_folder();
    let server = PrivatePostgres::start(data.path()).unwrap();
    query(
        server.url(),
        &[
            "create table kept (word text)",
            "insert into kept values ('acknowledged')",
        ],
    );
    kill_and_wait(data.path());
    server.abandon();

    let server = PrivatePostgres::start(data.path()).unwrap();
    assert_eq!(
        query(server.url(), &["select word from kept"]),
        "acknowledged"
    );
    let old = server.pid();
    server.abandon();

    let server = PrivatePostgres::start(data.path()).unwrap();
    assert_ne!(server.pid(), old);
    assert_eq!(
        query(server.url(), &["select word from kept"]),
        "acknowledged"
    );
}

#[test]
fn a_folder_in_use_is_a_named_error() {
    let data = data_folder();
    let server = PrivatePostgres::start(data.path()).unwrap();
    let error = PrivatePostgres::start(data.path()).unwrap_err();
    assert!(
        matches!(error, PrivatePostgresError::InUse { .. }),
        "{error}"
    );
    assert_eq!(query(server.url(), &["select 'unharmed'"]), "unharmed");
}

#[test]
fn another_version_is_a_named_error() {
    let data = data_folder();
    PrivatePostgres::start(data.path()).unwrap().stop();
    fs::write(data.path().join("postgres/PG_VERSION"), "9.4\n").unwrap();
    let error = PrivatePostgres::start(data.path()).unwrap_err().to_string();
    assert!(error.contains("Postgres 9.4 made it"), "{error}");
}

#[test]
fn a_cluster_cut_short_is_made_again() {
    let data = data_folder();
    fs::create_dir(data.path().join("postgres.partial")).unwrap();
    fs::write(data.path().join("postgres.partial/PG_VERSION"), "15\n").unwrap();
    let server = PrivatePostgres::start(data.path()).unwrap();
    assert_eq!(query(server.url(), &["select 'whole'"]), "whole");
}

#[test]
fn a_data_folder_below_a_closed_parent_is_a_named_error_for_root() {
    if !rustix::process::geteuid().is_root() {
        // Only root starts the server as somebody else; the case is covered by the run as root.
        return;
    }
    let closed = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in("/tmp")
        .unwrap();
    let error = PrivatePostgres::start(&closed.path().join("data")).unwrap_err();
    let PrivatePostgresError::Unreachable { ancestor, mode, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((ancestor.as_path(), *mode), (closed.path(), 0o700));
}

#[test]
fn an_ordinary_user_gets_the_same() {
    if !rustix::process::geteuid().is_root() || std::env::var_os(AS_NOBODY).is_some() {
        return;
    }
    // The test binary may stand where nobody cannot reach it.
    let folder = data_folder();
    let copy = folder.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&copy)
        .args(["private_postgres::tests", "--test-threads", "2"])
        .current_dir("/")
        .env(AS_NOBODY, "1")
        .env_remove("HOME")
        .env_remove("NEXTEST")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("test result: ok. 7 passed"), "{text}");
}
