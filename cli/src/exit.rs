//! How a command ends: documented exit codes, and failures that say what to do next.

use std::fmt::Display;
use std::process::ExitCode;

/// Exit codes, as `bitfront --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    General = 1,
    Usage = 2,
    NotFound = 3,
    Auth = 4,
    Conflict = 5,
    Unreachable = 6,
    Timeout = 7,
    SearchFailed = 8,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table in `bitfront --help`.
pub(crate) const EXIT_CODES: &str = "Exit codes:
  0    ok
  1    general failure
  2    wrong usage, or a search file with faults
  3    not found
  4    not authenticated, or not allowed
  5    conflict with the present state
  6    coordinator or database unreachable
  7    timeout of a wait
  8    the search ended without a front, was cancelled, or a synthesis job failed
  130  interrupted";

/// Why a command failed: its exit code, what happened, and lines that help.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    /// Faults or hints, one a line.
    pub(crate) details: Vec<String>,
    /// The faults among them, where they are known by their pointers.
    pub(crate) faults: Vec<bitfront_search::file::Fault>,
}

/// What a command returns.
pub(crate) type Outcome<T = Exit> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            details: Vec::new(),
            faults: Vec::new(),
        }
    }

    pub(crate) fn general(message: impl Display) -> Self {
        Self::new(Exit::General, message)
    }

    pub(crate) fn usage(message: impl Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    #[must_use]
    pub(crate) fn detail(mut self, line: impl Display) -> Self {
        self.details.push(line.to_string());
        self
    }

    /// Prints it to stderr.
    pub(crate) fn report(&self) {
        eprintln!("error: {}", self.message);
        for line in &self.details {
            eprintln!("  {line}");
        }
    }
}

/// Adds what was tried to an error: `failed to {action}: {error}`.
pub(crate) trait Context<T> {
    fn failed_to(self, action: impl Display) -> Outcome<T>;
}

impl<T, E: Display> Context<T> for Result<T, E> {
    fn failed_to(self, action: impl Display) -> Outcome<T> {
        self.map_err(|error| Failure::general(format!("failed to {action}: {error}")))
    }
}
