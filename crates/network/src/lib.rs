//! Networks, candidates, exact integer inference and the weights file.
//!
//! A [`Candidate`] is a network with a quantizer on its input and on every layer's kernel, bias and
//! activation. With [`Weights`] it freezes to an [`IntegerProgram`], which is what is scored and
//! what becomes a circuit (promise P1: the fake-quantized forward pass, the integer program and the
//! simulated RTL give the same integers).

mod candidate;
mod fake_quantized;
mod freeze;
mod infer;
mod integer;
mod weights;

pub use candidate::{Activation, Candidate, CandidateError, Layer};
pub use fake_quantized::{ForwardPrecision, forward, forward_precision, forward_trace};
pub use integer::{
    ActivationRule, FreezeError, IntegerLayer, IntegerProgram, Interval, TensorFormat,
};
pub use weights::{LayerWeights, Weights, WeightsError};
