//! Real processes for tests: the binary under test, a private Postgres, small data.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

mod data;
mod process;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bitfront_coordinator::private_postgres::PrivatePostgres;
use serde_json::Value;

pub use data::{search_file, write_data};
pub use process::{Process, bitfront, run};

/// How long anything may take before a test gives up; generous, because machines are busy.
pub const DEADLINE: Duration = Duration::from_mins(3);

/// Leases short enough that the work of a killed worker is soon given to another, and long enough
/// that a live worker keeps its own on a machine with more to run than cores.
pub const LEASE_TTL: &str = "3s";

/// Asks `condition` again and again until it gives something.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {DEADLINE:?} in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A folder that a Postgres of another user can reach, removed at the end.
pub fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("bftest-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir_in("/tmp")
        .expect("a folder in /tmp")
}

/// A database, a coordinator process and its workers.
///
/// Dropped in the order of its fields: the coordinator before its database, the folder last.
pub struct Service {
    pub coordinator: Process,
    postgres: PrivatePostgres,
    pub folder: tempfile::TempDir,
    pub url: String,
}

impl Service {
    /// Starts Postgres and a coordinator with leases of [`LEASE_TTL`], and registers the small data.
    pub fn start() -> Self {
        let folder = scratch();
        let postgres =
            PrivatePostgres::start(&folder.path().join("database")).expect("a private Postgres");
        let coordinator = coordinator(folder.path(), postgres.url(), "127.0.0.1:0");
        let url = served(&coordinator);
        let service = Self {
            coordinator,
            postgres,
            folder,
            url,
        };
        write_data(&service.folder.path().join("points.csv"));
        service.json(&[
            "dataset",
            "add",
            service.path("points.csv").to_str().expect("a plain path"),
        ]);
        service
    }

    pub fn database_url(&self) -> &str {
        self.postgres.url()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Kills the coordinator as a crash does and starts another at the same address.
    pub fn crash_coordinator(&mut self) {
        self.coordinator.kill();
        let address = self.url.trim_start_matches("http://").to_owned();
        self.coordinator = coordinator(self.folder.path(), self.postgres.url(), &address);
        assert_eq!(served(&self.coordinator), self.url);
    }

    /// Starts a worker process of one slot.
    pub fn worker(&self, name: &str) -> Process {
        let mut command = bitfront();
        command
            .args([
                "worker", "--slots", "1", "--grace", "1s", "--url", &self.url, "--name", name,
                "--cache",
            ])
            .arg(self.path("cache"));
        Process::start(command, &self.path(&format!("{name}.log")))
    }

    /// A command's JSON answer.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut command = bitfront();
        command.args(arguments).args(["--json", "--url", &self.url]);
        let (code, stdout, stderr) = run(command);
        assert_eq!(code, 0, "bitfront {}: {stderr}", arguments.join(" "));
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
    }

    /// Submits a search file; returns the id.
    pub fn submit(&self, file: &Value) -> String {
        let path = self.path("search.json");
        fs::write(&path, file.to_string()).expect("the search file");
        let answer = self.json(&["submit", path.to_str().expect("a plain path")]);
        answer["id"].as_str().expect("an id").to_owned()
    }

    pub fn search(&self, id: &str) -> Value {
        self.json(&["show", id])
    }

    /// Every trial, by number.
    pub fn trials(&self, id: &str) -> Vec<Value> {
        let trials = self.json(&["trials", id, "--limit", "10000"]);
        trials.as_array().expect("a list").clone()
    }

    pub fn trial(&self, id: &str) -> Value {
        self.json(&["trial", "show", id])
    }

    /// Waits until a search has finished.
    pub fn wait_until_finished(&self, id: &str) -> Value {
        wait_for("the search to finish", || {
            let search = self.search(id);
            assert_ne!(search["state"], "cancelled");
            (search["state"] == "finished").then_some(search)
        })
    }
}

fn coordinator(folder: &Path, database_url: &str, bind: &str) -> Process {
    let mut command = bitfront();
    command
        .args([
            "coordinator",
            "--bind",
            bind,
            "--lease-ttl",
            LEASE_TTL,
            "--data",
        ])
        .arg(folder.join("artifacts"))
        .env("BITFRONT_DATABASE_URL", database_url);
    Process::start(command, &folder.join("coordinator.log"))
}

/// The address a coordinator or `up` says it serves at.
pub fn served(process: &Process) -> String {
    wait_for("the address", || {
        process.assert_runs();
        let log = process.log();
        let at = log.lines().rev().find(|line| {
            line.starts_with("serving at ") || line.starts_with("bitfront is up at ")
        })?;
        at.split_whitespace()
            .find(|word| word.starts_with("http"))
            .map(str::to_owned)
    })
}
