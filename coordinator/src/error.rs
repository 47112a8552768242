//! The coordinator's one error type: what the caller is told, and apart from it what only the log sees.
//!
//! It knows no transport. `problem.rs` projects it to problem+json and `grpc::status` to a gRPC status; both carry
//! the same stable `code`, each of which has a page `docs/errors/<code>.md`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What went wrong, as far as a transport must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request can never succeed as it stands.
    Invalid,
    /// No credentials, or none that are known.
    Unauthenticated,
    /// Credentials of the wrong scope.
    Forbidden,
    /// The thing named does not exist.
    NotFound,
    /// The thing is in a state that does not allow this.
    Conflict,
    /// The attempt no longer holds the lease: drop the work, report nothing.
    LeaseLost,
    /// The body or an artifact exceeds a limit.
    TooLarge,
    /// It may succeed later.
    Unavailable,
    /// A defect or a broken part of ours; the cause is logged, not sent.
    Internal,
}

/// One fault of a request's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Fault {
    /// JSON pointer to the place (RFC 6901); empty for the whole document.
    pub pointer: String,
    /// What is wrong there and what would be accepted.
    pub detail: String,
    /// The nearest accepted word, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

/// An error with its two sides: `code`, `message` and `faults` are for the caller; `context` is for the log.
pub struct Error {
    kind: Kind,
    code: &'static str,
    message: String,
    faults: Vec<Fault>,
    context: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What most functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of a kind, with its stable kebab-case code and a message for the caller.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            faults: Vec::new(),
            context: None,
        }
    }

    /// A request that can never succeed as it stands.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, code, message)
    }

    /// A body with faults, all of them at once.
    pub fn faults(code: &'static str, message: impl Into<String>, faults: Vec<Fault>) -> Self {
        Self {
            faults,
            ..Self::new(Kind::Invalid, code, message)
        }
    }

    /// `what` (a noun phrase with its id) does not exist.
    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::new(
            Kind::NotFound,
            "not-found",
            format!("{what} does not exist"),
        )
    }

    /// The state does not allow this.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, code, message)
    }

    /// The attempt does not hold the lease (promise P3).
    pub fn lease_lost(unit: impl fmt::Display, attempt: u32) -> Self {
        Self::new(
            Kind::LeaseLost,
            "lease-lost",
            format!(
                "attempt {attempt} does not hold the lease of unit {unit}: drop the work and report nothing"
            ),
        )
    }

    /// A defect of ours; the caller learns only that there was one.
    pub fn internal(context: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            context: Some(context.into()),
            ..Self::new(
                Kind::Internal,
                "internal",
                "the coordinator failed to answer; its log has the cause",
            )
        }
    }

    /// The same error with a cause that only the log sees.
    #[must_use]
    pub fn with_context(
        mut self,
        context: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.context = Some(context.into());
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stable code, kebab-case.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The message for the caller.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The faults of the body, if that is what went wrong.
    pub fn fault_list(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.kind, self.code, self.message)?;
        for fault in &self.faults {
            write!(f, "; {}: {}", fault.pointer, fault.detail)?;
        }
        let mut cause: Option<&dyn std::error::Error> = self.context.as_deref().map(|c| c as _);
        while let Some(error) = cause {
            write!(f, " <- {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.context.as_deref().map(|c| c as _)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => Self::new(
                Kind::Unavailable,
                "unavailable",
                "the database did not answer in time: try again",
            )
            .with_context(error),
            // Deadlock, serialization failure, lock or statement time-out, shutdown of the server.
            sqlx::Error::Database(database)
                if matches!(
                    database.code().as_deref(),
                    Some("40P01" | "40001" | "55P03" | "57014" | "57P01" | "57P02" | "57P03")
                ) =>
            {
                Self::new(
                    Kind::Unavailable,
                    "unavailable",
                    "the database was busy: try again",
                )
                .with_context(error)
            }
            _ => Self::internal(error),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        Self::internal(error)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal(error)
    }
}
