//! Quantizers from `QKeras` strings.

/// Why a quantizer string was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("quantizer `{text}`: {problem}")]
pub struct ParseQuantizerError {
    /// The text as given.
    pub text: String,
    /// What is wrong and what is accepted.
    pub problem: String,
}
