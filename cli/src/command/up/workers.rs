//! The worker processes of `bitfront up`: started, restarted when they die, drained.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;

use crate::exit::{Failure, Outcome};

/// A worker that lives this long has started well.
const HEALTHY: Duration = Duration::from_secs(10);
/// Restarts in a row, each without a healthy life before it, after which it is given up.
const ATTEMPTS: u32 = 10;
/// How long workers may take to drain before they are killed; their own grace is shorter.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long running work may go on after a drain begins.
const GRACE: &str = "3s";

/// Running worker processes.
pub(super) struct Workers {
    slots: Vec<Slot>,
}

/// One worker and its restarts.
struct Slot {
    plan: Plan,
    child: Child,
    /// Closes with this process, however it ends; waiting for a child would close it if it were left there.
    lifeline: Option<ChildStdin>,
    started: Instant,
    failures: u32,
}

/// How to start a worker.
#[derive(Clone)]
struct Plan {
    url: String,
    name: String,
    cache: PathBuf,
    log: PathBuf,
    /// Its share of the machine's memory, in bytes.
    memory: u64,
}

impl Workers {
    /// Starts `count` worker processes of one slot each, which share the machine's memory evenly. Processes,
    /// not slots: one that dies takes one unit of work with it, and the prepared data is one mapped file for all.
    pub(super) fn start(url: &str, data: &Path, count: usize) -> Outcome<Self> {
        // At least a MiB, which refuses all work but says why.
        let memory = (bitfront_worker::available_memory() / count.max(1) as u64).max(1 << 20);
        let slots = (1..=count)
            .map(|number| {
                let plan = Plan {
                    url: url.to_owned(),
                    name: format!("up-{number}"),
                    cache: data.join("cache"),
                    log: data.join(format!("worker-{number}.log")),
                    memory,
                };
                let mut child = plan.spawn()?;
                let lifeline = child.stdin.take();
                Ok(Slot {
                    plan,
                    child,
                    lifeline,
                    started: Instant::now(),
                    failures: 0,
                })
            })
            .collect::<Outcome<_>>()?;
        Ok(Self { slots })
    }

    /// Restarts what dies; returns when one cannot be kept running. Without workers it waits for ever.
    pub(super) async fn supervise(&mut self) {
        if self.slots.is_empty() {
            return std::future::pending().await;
        }
        let watched = self
            .slots
            .iter_mut()
            .map(|slot| Box::pin(slot.keep_running()));
        futures_util::future::select_all(watched).await;
    }

    /// Asks every worker to drain and waits; when `hurry` resolves, asks again, which ends them at once.
    pub(super) async fn drain(self, hurry: impl Future<Output = ()>) {
        let mut waiting = JoinSet::new();
        let pids: Vec<Pid> = self
            .slots
            .iter()
            .filter_map(|slot| pid(&slot.child))
            .collect();
        let tell = |signal| {
            for pid in &pids {
                // One that has ended needs no telling.
                let _ = kill_process(*pid, signal);
            }
        };
        tell(Signal::TERM);
        for mut slot in self.slots {
            waiting.spawn(async move {
                if tokio::time::timeout(PATIENCE, slot.child.wait())
                    .await
                    .is_err()
                {
                    tracing::warn!(worker = slot.plan.name, "does not drain, killing it");
                    let _ = slot.child.kill().await;
                }
            });
        }
        let mut all = std::pin::pin!(async { while waiting.join_next().await.is_some() {} });
        tokio::select! {
            () = &mut all => {}
            () = hurry => {
                tell(Signal::TERM);
                all.await;
            }
        }
    }
}

impl Slot {
    async fn keep_running(&mut self) {
        loop {
            let status = self.child.wait().await;
            if self.started.elapsed() >= HEALTHY {
                self.failures = 0;
            }
            self.failures += 1;
            tracing::warn!(
                worker = self.plan.name,
                status = status.map_or_else(|error| error.to_string(), |status| status.to_string()),
                log = %self.plan.log.display(),
                "a worker process ended, starting another"
            );
            if self.failures > ATTEMPTS {
                return;
            }
            // At once after a healthy life, then ever later.
            tokio::time::sleep(Duration::from_millis(50) * (1 << self.failures.min(7)) / 2).await;
            match self.plan.spawn() {
                Ok(mut child) => {
                    self.lifeline = child.stdin.take();
                    self.child = child;
                }
                Err(failure) => {
                    tracing::error!(worker = self.plan.name, "{}", failure.message);
                    return;
                }
            }
            self.started = Instant::now();
        }
    }
}

impl Plan {
    fn spawn(&self) -> Outcome<Child> {
        let failed = |error: std::io::Error| {
            Failure::general(format!("failed to start worker {}: {error}", self.name))
        };
        let program = std::env::current_exe().map_err(failed)?;
        let log = open_log(&self.log).map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        Command::new(program)
            .args([
                "worker", "--url", &self.url, "--name", &self.name, "--slots", "1", "--grace",
                GRACE,
            ])
            .arg("--memory-limit")
            .arg(format!("{}KiB", self.memory >> 10))
            .arg("--until-stdin-closes")
            .arg("--cache")
            .arg(&self.cache)
            // The service's own settings are not the worker's.
            .env_remove("BITFRONT_DATABASE_URL")
            .env_remove("BITFRONT_TOKEN")
            .env_remove("BITFRONT_TOKEN_FILE")
            .env_remove("BITFRONT_MAX_IDLE")
            .env_remove("BITFRONT_CA")
            .stdin(Stdio::piped())
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors))
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)
    }
}

fn open_log(path: &Path) -> std::io::Result<File> {
    const MOST: u64 = 4 << 20;
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > MOST) {
        std::fs::rename(path, path.with_extension("log.old"))?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|pid| Pid::from_raw(pid as i32))
}
