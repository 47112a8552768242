//! Why bit widths were not learned.

use bitfront_network::FreezeError;

/// Why bit widths were not learned.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LearnError {
    /// A setting out of range.
    #[error("settings: {0}")]
    Settings(String),
    /// A network that is no chain of convolutions and dense layers, rectified in between.
    #[error("network: {0}")]
    Network(String),
    /// Data that does not fit the network.
    #[error("samples: {0}")]
    Samples(String),
    /// A number that is not finite.
    #[error(
        "diverged in epoch {epoch}, step {step}, at `{layer}`; a smaller learning_rate may help"
    )]
    Diverged {
        /// Epoch, from 1.
        epoch: u32,
        /// Step within it, from 1.
        step: u64,
        /// Name of the layer.
        layer: String,
    },
    /// A point without an exact integer form.
    #[error(transparent)]
    Freeze(#[from] FreezeError),
    /// Cancelled from outside.
    #[error("cancelled")]
    Cancelled,
}
