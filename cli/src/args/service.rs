//! Commands that run or look after the service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bitfront_worker::{Kind, Limits};
use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Search the bundled jets (generated data) and show the front.
    #[arg(long)]
    pub(crate) demo: bool,
    /// End when the demo's search and its synthesis jobs are done.
    #[arg(long, requires = "demo")]
    pub(crate) once: bool,
    /// Worker processes; default one a core.
    #[arg(long, value_name = "N", env = "BITFRONT_WORKERS", value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub(crate) workers: Option<u16>,
    /// Data folder; default /var/lib/bitfront for root, else ~/.local/share/bitfront.
    #[arg(long, value_name = "DIR", env = "BITFRONT_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Address of the page and the API, loopback; port 0 takes a free one.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "BITFRONT_BIND",
        default_value = "127.0.0.1:8470"
    )]
    pub(crate) bind: SocketAddr,
    /// Use this database instead of a private Postgres.
    #[arg(
        long,
        value_name = "URL",
        env = "BITFRONT_DATABASE_URL",
        hide_env_values = true
    )]
    pub(crate) database_url: Option<String>,
    /// More devices that search files may name: a table like the one that comes with the program.
    #[arg(long, value_name = "FILE", env = "BITFRONT_DEVICES")]
    pub(crate) devices: Option<PathBuf>,
    /// Write what the demo found to this file, JSON.
    #[arg(long, value_name = "FILE", requires = "demo")]
    pub(crate) report: Option<PathBuf>,
    /// How long a lease lasts without a heartbeat.
    #[arg(long, value_parser = duration, default_value = "15s", hide = true)]
    pub(crate) lease_ttl: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Coordinator {
    /// Postgres.
    #[arg(
        long,
        value_name = "URL",
        env = "BITFRONT_DATABASE_URL",
        hide_env_values = true
    )]
    pub(crate) database_url: String,
    /// Folder of the artifacts; several coordinators share one.
    #[arg(long, value_name = "DIR", env = "BITFRONT_DATA")]
    pub(crate) data: PathBuf,
    /// Address to serve; off loopback only with TLS and tokens.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "BITFRONT_BIND",
        default_value = "127.0.0.1:8470"
    )]
    pub(crate) bind: SocketAddr,
    /// Certificate chain, PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "BITFRONT_TLS_CERTIFICATE",
        requires = "tls_key"
    )]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Private key, PEM.
    #[arg(
        long,
        value_name = "FILE",
        env = "BITFRONT_TLS_KEY",
        requires = "tls_certificate"
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Ask every call for a token.
    #[arg(long, env = "BITFRONT_TOKENS_REQUIRED")]
    pub(crate) tokens_required: bool,
    /// More devices that search files may name: a table like the one that comes with the program.
    #[arg(long, value_name = "FILE", env = "BITFRONT_DEVICES")]
    pub(crate) devices: Option<PathBuf>,
    /// How long a lease lasts without a heartbeat.
    #[arg(long, value_parser = duration, env = "BITFRONT_LEASE_TTL", default_value = "15s")]
    pub(crate) lease_ttl: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// Name a person recognises; default host and process id.
    #[arg(long, env = "BITFRONT_WORKER_NAME")]
    pub(crate) name: Option<String>,
    /// Units of work at once: a number, or `auto` for one a core.
    #[arg(long, env = "BITFRONT_SLOTS", default_value = "auto", value_parser = slots)]
    pub(crate) slots: usize,
    /// Stop after this long without work.
    #[arg(long, value_parser = duration, env = "BITFRONT_MAX_IDLE")]
    pub(crate) max_idle: Option<Duration>,
    /// Kinds of work to take (`trial`, `synthesis`); default what this machine can run.
    #[arg(long, value_delimiter = ',', value_name = "KIND")]
    pub(crate) kinds: Vec<Kind>,
    /// Folder for data sets, shared by the workers of a machine.
    #[arg(long, value_name = "DIR", env = "BITFRONT_CACHE")]
    pub(crate) cache: Option<PathBuf>,
    /// What data sets and models in that folder may take together (`32GiB`, or `unlimited`): beyond, those that no worker uses
    /// are removed, the least recently used first.
    #[arg(long, value_name = "SIZE", env = "BITFRONT_CACHE_LIMIT", default_value = "32GiB", value_parser = cache_limit)]
    pub(crate) cache_limit: u64,
    /// How long running work may go on after SIGTERM before it is handed back.
    #[arg(long, value_parser = duration, env = "BITFRONT_GRACE", default_value = "30s")]
    pub(crate) grace: Duration,
    /// Memory of all slots together (`8GiB`, `512MiB`): a trial that needs more than its slot's share is refused before it
    /// starts. `auto` is what the control group and the machine allow.
    #[arg(long, value_name = "SIZE", env = "BITFRONT_MEMORY_LIMIT", default_value = "auto", value_parser = memory)]
    pub(crate) memory_limit: u64,
    /// CPU seconds that each process of a synthesis job's tools may use; 900, of Vivado and Vitis 14400, if neither this nor
    /// `--tool-memory` is given.
    #[arg(long, value_name = "SECONDS", env = "BITFRONT_TOOL_CPU_S", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub(crate) tool_cpu_s: Option<u64>,
    /// Memory that each such process may take (`512MiB`, `16GiB`); 4GiB, of Vivado and Vitis 64GiB, if neither is given.
    #[arg(long, value_name = "SIZE", env = "BITFRONT_TOOL_MEMORY", value_parser = tool_memory)]
    pub(crate) tool_memory: Option<u64>,
    /// Drain when standard input closes: how `bitfront up` takes its workers with it.
    #[arg(long, hide = true)]
    pub(crate) until_stdin_closes: bool,
}

impl Worker {
    /// Limits of a tool's process: what is left out of them is the default's.
    pub(crate) fn limits(&self) -> Limits {
        let usual = Limits::default();
        Limits::new(
            self.tool_cpu_s.unwrap_or(usual.cpu_s),
            self.tool_memory.unwrap_or(usual.address_space),
        )
    }
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Postgres.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "BITFRONT_DATABASE_URL",
        hide_env_values = true
    )]
    pub(crate) database_url: Option<String>,
    #[command(subcommand)]
    pub(crate) action: TokenAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenAction {
    /// Make a token; its text is shown once, on stdout.
    Create {
        /// What it may do.
        #[arg(long)]
        scope: TokenScope,
        /// What it is for.
        #[arg(long)]
        name: String,
        /// Ends by itself after this long; default never.
        #[arg(long, value_parser = duration)]
        lifetime: Option<Duration>,
        /// Write it to this new file (mode 0600) instead of stdout.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List tokens, without their texts.
    Ls,
    /// End a token at once.
    Revoke {
        /// Its id.
        id: uuid::Uuid,
    },
}

/// What a token may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TokenScope {
    /// Submit, steer and read searches.
    User,
    /// Lease and report work.
    Worker,
}

#[derive(Debug, Args)]
pub(crate) struct Certificate {
    /// Name or address that clients use; may be repeated.
    #[arg(long = "host", value_name = "HOST", required = true)]
    pub(crate) hosts: Vec<String>,
    /// Existing folder for `ca.pem`, `coordinator.pem` and `coordinator.key`.
    #[arg(long, value_name = "DIR")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Data folder to check for `bitfront up`.
    #[arg(long, value_name = "DIR", env = "BITFRONT_DATA")]
    pub(crate) data: Option<PathBuf>,
}

/// `90`, `90s`, `500ms`, `10m` or `2h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().map_err(|_| wrong(text))?;
    let seconds = match &text[digits.len()..] {
        "ms" => number / 1000.0,
        "" | "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(wrong(text)),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong(text))
}

fn wrong(text: &str) -> String {
    format!("`{text}` is no duration; write 30s, 10m or 2h")
}

fn slots(text: &str) -> Result<usize, String> {
    if text == "auto" {
        return Ok(cores());
    }
    match text.parse() {
        Ok(slots @ 1..=1024) => Ok(slots),
        _ => Err(format!(
            "`{text}` is no number of slots; write auto or 1 to 1024"
        )),
    }
}

fn memory(text: &str) -> Result<u64, String> {
    if text == "auto" {
        return Ok(bitfront_worker::available_memory());
    }
    bytes(text).ok_or_else(|| format!("`{text}` is no size of memory; write auto, 512MiB or 8GiB"))
}

/// `unlimited` is 0.
fn cache_limit(text: &str) -> Result<u64, String> {
    if text == "unlimited" {
        return Ok(0);
    }
    bytes(text).ok_or_else(|| format!("`{text}` is no size; write unlimited, 512MiB or 32GiB"))
}

fn tool_memory(text: &str) -> Result<u64, String> {
    bytes(text).ok_or_else(|| format!("`{text}` is no size of memory; write 512MiB or 16GiB"))
}

/// Bytes of a whole number above 0 with a unit.
fn bytes(text: &str) -> Option<u64> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let shift = match unit {
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => u32::MAX,
    };
    let bytes = number.parse::<u64>().ok().zip(1_u64.checked_shl(shift));
    bytes
        .and_then(|(number, unit)| number.checked_mul(unit))
        .filter(|bytes| *bytes > 0)
}

/// Cores this process may use (the scheduler's and the container's limits counted).
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, Command};
    use clap::Parser;

    #[test]
    fn durations_have_units_and_nonsense_is_told() {
        for (text, seconds) in [
            ("90", 90.0),
            ("1.5s", 1.5),
            ("500ms", 0.5),
            ("10m", 600.0),
            ("2h", 7200.0),
        ] {
            assert_eq!(
                duration(text),
                Ok(Duration::from_secs_f64(seconds)),
                "{text}"
            );
        }
        for text in ["", "s", "5d", "-1s", "1e400"] {
            assert!(
                duration(text).unwrap_err().contains("write 30s, 10m or 2h"),
                "{text}"
            );
        }
    }

    #[test]
    fn memory_has_a_unit() {
        assert_eq!(memory("auto"), Ok(bitfront_worker::available_memory()));
        assert_eq!(memory("3GiB"), Ok(3 << 30));
        assert_eq!(memory("512MiB"), Ok(512 << 20));
        for text in ["", "0GiB", "5", "5GB", "MiB", "-1GiB", "99999999999TiB"] {
            assert!(
                memory(text)
                    .unwrap_err()
                    .contains("write auto, 512MiB or 8GiB"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_cache_has_a_limit_or_none() {
        assert_eq!(
            cache_limit("32GiB"),
            Ok(bitfront_worker::DEFAULT_CACHE_LIMIT)
        );
        assert_eq!(cache_limit("unlimited"), Ok(0));
        for text in ["auto", "0GiB", "5", ""] {
            assert!(cache_limit(text).unwrap_err().contains("write unlimited"));
        }
    }

    #[test]
    fn tools_have_the_limits_that_are_given_and_the_usual_ones_otherwise() {
        let limits = |more: &[&str]| {
            let line = ["bitfront", "worker"].iter().chain(more);
            let Command::Worker(worker) = Arguments::try_parse_from(line).unwrap().command else {
                panic!("a worker")
            };
            worker.limits()
        };
        assert_eq!(limits(&[]), Limits::default());
        assert_eq!(limits(&["--tool-cpu-s", "60"]), Limits::new(60, 4 << 30));
        let both = ["--tool-cpu-s", "7200", "--tool-memory", "16GiB"];
        assert_eq!(limits(&both), Limits::new(7200, 16 << 30));
        for wrong in [["--tool-cpu-s", "0"], ["--tool-memory", "5"]] {
            let line = ["bitfront", "worker"].iter().chain(&wrong);
            assert!(Arguments::try_parse_from(line).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn slots_are_a_number_or_auto() {
        assert_eq!(slots("auto"), Ok(cores()));
        assert_eq!(slots("3"), Ok(3));
        assert!(slots("0").unwrap_err().contains("1 to 1024"));
    }
}
