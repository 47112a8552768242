//! Networks, candidates, exact integer inference and the weights file.
//!
//! A [`Candidate`] is a layer graph with a quantizer on its input, on every kernel and bias and in
//! every activation layer. With [`Weights`] it freezes to an [`IntegerProgram`], which is what is
//! scored and what becomes a circuit (promise P1: the fake-quantized forward pass, the integer
//! program and the simulated RTL give the same integers).
//!
//! ```
//! use bitfront_network::{
//!     Candidate, IntegerProgram, LayerWeights, Weights, forward, forward_precision,
//! };
//!
//! let candidate: Candidate = serde_json::from_str(r#"{
//!     "input_shape": [2], "input_quantizer": "quantized_bits(4,1,alpha=1.0)",
//!     "layers": [{"name": "fc1", "operation": {
//!         "kind": "dense", "units": 2, "kernel": "ternary(alpha=1.0)",
//!         "bias": "quantized_bits(4,0,alpha=1.0)", "fold": null}}],
//!     "head": {"kind": "softmax"}}"#)?;
//! assert_eq!(candidate.check(), Ok(()));
//! let fc1 = LayerWeights::dense(vec![0.7, 0.1, -0.9, 0.8], vec![0.25, -0.5]);
//! let weights = Weights { layers: vec![fc1] };
//!
//! let program = IntegerProgram::freeze(&candidate, &weights)?;
//! let rows = [1.5, 0.5];
//! let codes = program.input_codes(&rows);
//! // Inputs have 2 fraction bits, the bias 3: 1.5 - 0.5 + 0.25 and 0.5 - 0.5 in eighths.
//! assert_eq!((program.logits(&codes), program.output_fraction), (vec![10, 0], 3));
//! assert_eq!(program.classify(&codes), Some(vec![0]));
//! let precision = forward_precision(&candidate, &weights);
//! assert_eq!(forward(&candidate, &weights, &rows, precision), [1.25, 0.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod candidate;
mod chain;
mod check;
mod checkpoint;
mod checkpoint_bytes;
mod checkpoint_file;
mod dense_stack;
mod fake_quantized;
mod fake_quantized_head;
mod fake_quantized_layers;
mod fake_quantized_precision;
mod fake_quantized_prepare;
mod freeze;
mod freeze_activation;
mod freeze_affine;
mod freeze_layer;
mod freeze_linear;
mod freeze_sum;
#[cfg(test)]
mod freeze_tests;
mod geometry;
mod head;
mod infer;
mod infer_chain;
mod infer_layer;
#[cfg(test)]
mod infer_tests;
mod integer;
mod normalisation;
mod operation;
mod softmax;
mod weights;

pub use candidate::{Candidate, Layer, LayerSummary, SCALE_BITS, Source, TensorSpec};
pub use chain::Link;
pub use check::CandidateError;
pub use checkpoint::{BestEpoch, Checkpoint, CheckpointError, Tensor, TensorValues};
pub use dense_stack::{DenseStack, StackLayer};
pub use fake_quantized::{
    ForwardOptions, ForwardPrecision, NormalisationConstants, forward, forward_trace, forward_with,
};
pub use fake_quantized_head::probabilities;
pub use fake_quantized_precision::{first_beyond_f32, forward_precision};
pub use geometry::{Axis, Geometry, Padding, Window};
pub use head::{Head, SoftmaxTables};
pub use integer::{
    ActivationRule, FreezeError, IntegerLayer, IntegerOperation, IntegerProgram, Interval, Linear,
    Taps, TensorFormat,
};
pub use normalisation::{Constant, FrozenNormalisation, Normalisation, reciprocal};
pub use operation::{Fold, Operation, Part, Place};
pub use softmax::SoftmaxProgram;
pub use weights::{LayerWeights, Weights, WeightsError};
