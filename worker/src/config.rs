//! What a worker process is told when it starts.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bitfront_proto::v1::WorkKind;
use tokio_util::sync::CancellationToken;

use crate::WorkerError;
use crate::memory::available_memory;

/// Bytes of the files in a cache folder, where nothing else is said.
pub const DEFAULT_CACHE_LIMIT: u64 = 32 << 30;

/// Settings of one worker process.
#[derive(Clone)]
pub struct Config {
    /// Address of the coordinator, `http://host:port` or `https://host:port`.
    pub url: String,
    /// Bearer token of scope `worker`; needs `https` unless the host is loopback.
    pub token: Option<String>,
    /// PEM file of the authority that signed the coordinator's certificate; needed with `https`.
    pub ca: Option<PathBuf>,
    /// Name a person recognises, 1 to 128 characters.
    pub name: String,
    /// Units of work run at once, at least 1; each keeps about one core busy.
    pub slots: usize,
    /// Folder shared by the workers of a machine: data sets by digest, temporary folders.
    pub cache_dir: PathBuf,
    /// Bytes that the files in that folder may have together: beyond, those that nobody uses are removed, the least recently
    /// used first. 0: no limit.
    pub cache_limit: u64,
    /// Stop after this long without any work; `None`: wait for ever.
    pub max_idle: Option<Duration>,
    /// Kinds of work to take; empty: everything this machine can run. Naming
    /// [`Kind::Synthesis`] on a machine without its tools is an error.
    pub kinds: Vec<Kind>,
    /// How long running work may go on after a drain begins before it is released.
    pub grace: Duration,
    /// Limits of one synthesis tool's process. Others than the default ones hold for vendors' tools too.
    pub limits: Limits,
    /// Bytes that this process may take, shared evenly by its slots: a trial that needs more than its
    /// share is refused before it starts. 0: no limit.
    pub memory_limit: u64,
    /// Cancelled on the second signal: running work is released at once, whatever `grace` says.
    pub immediate: CancellationToken,
}

/// A kind of work a worker can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Train and score a candidate.
    Trial,
    /// Simulate and synthesise a trial's circuit.
    Synthesis,
}

/// Limits of one tool's process (each of Verilator, the compiler, the simulation, Yosys, placement).
///
/// CPU time and memory decide. Wall time is no measure of work: on a busy machine ten seconds of CPU
/// can take as many minutes. It only ends a tool that waits for something that never comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// CPU seconds of the process.
    pub cpu_s: u64,
    /// Address space in bytes.
    pub address_space: u64,
    /// Wall time, fifty times the CPU limit by default.
    pub wall: Duration,
}

/// Wall seconds a tool may take for each of its CPU seconds: a machine with fifty runnable processes a
/// core still ends every tool by its CPU limit first.
const WALL_PER_CPU: u64 = 50;

impl Limits {
    /// Limits with the wall time that belongs to so many CPU seconds.
    pub const fn new(cpu_s: u64, address_space: u64) -> Self {
        Self {
            cpu_s,
            address_space,
            wall: Duration::from_secs(cpu_s.saturating_mul(WALL_PER_CPU)),
        }
    }

    /// What holds for Vivado and Vitis: limits that were set, or wider ones than the default, since a large part alone takes
    /// tens of gigabytes to place.
    pub(crate) fn for_vendors(self) -> Self {
        if self == Self::default() {
            Self::new(4 * 3600, 64 << 30)
        } else {
            self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new(900, 4 << 30)
    }
}

impl Config {
    /// Settings with defaults: one slot, every kind the machine can run, 30 s of grace, the machine's memory.
    pub fn new(url: impl Into<String>, cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            url: url.into(),
            token: None,
            ca: None,
            name: format!("worker-{}", std::process::id()),
            slots: 1,
            cache_dir: cache_dir.into(),
            cache_limit: DEFAULT_CACHE_LIMIT,
            max_idle: None,
            kinds: Vec::new(),
            grace: Duration::from_secs(30),
            limits: Limits::default(),
            memory_limit: available_memory(),
            immediate: CancellationToken::new(),
        }
    }

    /// Bytes that one unit of work may take; 0: no limit.
    pub(crate) fn slot_memory(&self) -> u64 {
        self.memory_limit / self.slots.max(1) as u64
    }

    /// Checks what can be checked before anything is started.
    pub(crate) fn check(&self) -> Result<(), WorkerError> {
        let fault = |field: &'static str, value: String, accepted: &'static str| {
            Err(WorkerError::Config {
                field,
                value,
                accepted,
            })
        };
        if self.slots == 0 || self.slots > 1024 {
            return fault("slots", self.slots.to_string(), "1 to 1024");
        }
        if self.name.is_empty() || self.name.chars().count() > 128 {
            return fault("name", self.name.clone(), "1 to 128 characters");
        }
        if self.limits.cpu_s == 0 || self.limits.wall.is_zero() {
            return fault("limits", format!("{:?}", self.limits), "times above zero");
        }
        Ok(())
    }
}

/// Prints everything but the token.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("url", &self.url)
            .field("token", &self.token.as_ref().map(|_| "[hidden]"))
            .field("ca", &self.ca)
            .field("name", &self.name)
            .field("slots", &self.slots)
            .field("cache_dir", &self.cache_dir)
            .field("cache_limit", &self.cache_limit)
            .field("max_idle", &self.max_idle)
            .field("kinds", &self.kinds)
            .field("grace", &self.grace)
            .field("limits", &self.limits)
            .field("memory_limit", &self.memory_limit)
            .finish_non_exhaustive()
    }
}

impl Kind {
    /// The kind's number in the protocol.
    pub(crate) fn wire(self) -> WorkKind {
        match self {
            Self::Trial => WorkKind::Trial,
            Self::Synthesis => WorkKind::Synthesis,
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "trial" => Ok(Self::Trial),
            "synthesis" => Ok(Self::Synthesis),
            other => Err(format!(
                "kind {other:?}: accepted are \"trial\" and \"synthesis\""
            )),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trial => "trial",
            Self::Synthesis => "synthesis",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_field_value_and_what_is_accepted() {
        let mut config = Config::new("http://127.0.0.1:1", "/tmp");
        config.slots = 0;
        assert_eq!(
            config.check().unwrap_err().to_string(),
            "setting slots is 0: accepted is 1 to 1024"
        );
        config.slots = 2;
        config.check().unwrap();
        config.name = "x".repeat(129);
        assert!(config.check().is_err());
    }

    #[test]
    fn the_token_is_never_printed() {
        let mut config = Config::new("http://127.0.0.1:1", "/tmp");
        config.token = Some("bf_secret".into());
        assert!(!format!("{config:?}").contains("bf_secret"));
    }

    #[test]
    fn kinds_parse_as_they_print() {
        for kind in [Kind::Trial, Kind::Synthesis] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!(
            "training"
                .parse::<Kind>()
                .unwrap_err()
                .contains("\"trial\"")
        );
    }
}
