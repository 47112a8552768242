//! Errors: what stops a worker, and what ends one attempt.

/// Why a worker process stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// A setting that cannot be honoured.
    #[error("setting {field} is {value}: accepted is {accepted}")]
    Config {
        /// Name of the setting.
        field: &'static str,
        /// What was given.
        value: String,
        /// What would be accepted.
        accepted: &'static str,
    },
    /// A file or folder of the worker's own.
    #[error("use {path}: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The coordinator refused the worker itself (token, protocol); no retry can help.
    #[error("{call}: the coordinator refused this worker: {message}")]
    Refused {
        /// The call that was refused.
        call: &'static str,
        /// What the coordinator said.
        message: String,
    },
}

/// How an attempt failed, as it is reported to the coordinator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Failure {
    /// Stable code, kebab-case.
    pub(crate) code: &'static str,
    /// What happened, for a person.
    pub(crate) message: String,
    /// Whether another attempt could succeed.
    pub(crate) retryable: bool,
}

impl Failure {
    /// A failure that every further attempt would repeat.
    pub(crate) fn lasting(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retryable: false,
        }
    }

    /// A failure of the machine or the moment.
    pub(crate) fn passing(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retryable: true,
        }
    }

    /// A defect or a broken machine: reported, tried again elsewhere.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::passing("internal", message)
    }
}

/// How the run of an attempt ends other than with a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It failed and says so.
    Failed(Failure),
    /// It was told to stop (lost, expired, cancelled, released): it reports nothing itself.
    Stopped,
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
