//! Float weights of a candidate and their file (safetensors).

/// Weights of one dense layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    /// `inputs x units`, row-major.
    pub kernel: Vec<f32>,
    /// `units`.
    pub bias: Vec<f32>,
}

/// Weights of a network, first to last layer, as trained (before quantization).
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// One entry a dense layer.
    pub layers: Vec<LayerWeights>,
}

/// Why a weights file was refused.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// Not a safetensors file.
    #[error("not a weights file: {0}")]
    Format(String),
    /// A tensor is missing or of another shape or type.
    #[error("tensor {name}: {problem}")]
    Tensor {
        /// `fc1.kernel`.
        name: String,
        /// What is wrong.
        problem: String,
    },
}
