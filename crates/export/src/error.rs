//! Why a network has no export in a format.

use std::fmt;

use bitfront_network::FreezeError;

/// What a format cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Layer, or `input`.
    pub place: String,
    /// Why, and what is accepted, as a sentence's end.
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.reason)
    }
}

/// Why there is no export.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExportError {
    /// The network has no integer program.
    #[error("no integers: {0}")]
    Freeze(#[from] FreezeError),
    /// Layers that the format has no exact form for, all of them.
    #[error("{format} cannot say this network exactly: {}", listed(.refusals))]
    Refused {
        /// The format's name.
        format: &'static str,
        /// One entry a layer and reason.
        refusals: Vec<Refusal>,
    },
}

fn listed(refusals: &[Refusal]) -> String {
    let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

/// Collects refusals, so that all of them are told at once, and each once.
#[derive(Debug, Default)]
pub(crate) struct Refusals(pub(crate) Vec<Refusal>);

impl Refusals {
    pub(crate) fn add(&mut self, place: &str, reason: impl Into<String>) {
        let refusal = Refusal {
            place: place.to_owned(),
            reason: reason.into(),
        };
        if !self.0.contains(&refusal) {
            self.0.push(refusal);
        }
    }

    /// `value`, if nothing was refused.
    pub(crate) fn none<T>(self, format: &'static str, value: T) -> Result<T, ExportError> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(ExportError::Refused {
                format,
                refusals: self.0,
            })
        }
    }
}
