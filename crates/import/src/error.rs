//! Why a model file was refused.

use std::fmt;

use bitfront_network::CandidateError;

/// Why a model file was refused.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Nothing that is read here.
    #[error("not a model file that can be read: {problem}; accepted are {ACCEPTED}")]
    Unknown {
        /// What the bytes look like.
        problem: String,
    },
    /// A file or something in it is larger than accepted.
    #[error("{what} has {size} {unit}; accepted are at most {most}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// How large it is.
        size: u64,
        /// Unit of `size` and `most`.
        unit: &'static str,
        /// The largest accepted.
        most: u64,
    },
    /// The file is damaged or not written as its format says.
    #[error("damaged {what}: {problem}")]
    Damaged {
        /// Kind of file, or the part of it.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// Layers that have no place in a network here: all of them.
    #[error("the model has {}", list(.0, "unsupported layer"))]
    Unsupported(Vec<Unsupported>),
    /// The layers are supported, the network they make is not: every fault.
    #[error("the model makes a network with {}", list(.0, "fault"))]
    Network(Vec<CandidateError>),
}

/// Formats that are read, for messages.
const ACCEPTED: &str = "Keras 2 and 3 (`.h5`, `.keras`, or a zip of a model's JSON and its weights \
                        `.h5`), ONNX and QONNX";

/// A layer that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Its name in the file.
    pub name: String,
    /// Its type in the file (`LSTM`).
    pub kind: String,
    /// Why, and what is accepted, as a sentence's end.
    pub reason: String,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, reason } = self;
        write!(f, "{name} ({kind}): {reason}")
    }
}

/// `2 faults: a; b`.
fn list<T: fmt::Display>(items: &[T], noun: &str) -> String {
    let plural = if items.len() == 1 { "" } else { "s" };
    let items: Vec<String> = items.iter().map(T::to_string).collect();
    format!("{} {noun}{plural}: {}", items.len(), items.join("; "))
}

impl ImportError {
    pub(crate) fn damaged(what: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self::Damaged {
            what: what.into(),
            problem: problem.to_string(),
        }
    }

    pub(crate) fn check_size(
        what: &str,
        size: u64,
        most: u64,
        unit: &'static str,
    ) -> Result<(), Self> {
        if size <= most {
            return Ok(());
        }
        Err(Self::TooLarge {
            what: what.to_owned(),
            size,
            unit,
            most,
        })
    }
}
