//! Networks, candidates, exact integer inference and the weights file.
//!
//! A [`Candidate`] is a layer graph with a quantizer on its input, on every kernel and bias and in
//! every activation layer. With [`Weights`] it freezes to an [`IntegerProgram`], which is what is
//! scored and what becomes a circuit (promise P1: the fake-quantized forward pass, the integer
//! program and the simulated RTL give the same integers).

mod candidate;
mod check;
mod checkpoint;
mod checkpoint_bytes;
mod checkpoint_file;
mod dense_stack;
mod fake_quantized;
mod fake_quantized_layers;
mod fake_quantized_precision;
mod freeze;
mod freeze_activation;
mod freeze_linear;
mod freeze_sum;
mod geometry;
mod head;
mod infer;
mod infer_layer;
mod integer;
mod normalisation;
mod operation;
mod softmax;
mod weights;

pub use candidate::{Candidate, Layer, LayerSummary, SCALE_BITS, Source, TensorSpec};
pub use check::CandidateError;
pub use checkpoint::{BestEpoch, Checkpoint, CheckpointError, Tensor, TensorValues};
pub use dense_stack::{DenseStack, StackLayer};
pub use fake_quantized::{
    ForwardOptions, ForwardPrecision, NormalisationConstants, forward, forward_trace, forward_with,
};
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
