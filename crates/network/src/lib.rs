//! Networks, candidates, exact integer inference and the weights file.
//!
//! A [`Candidate`] is a network with a quantizer on its input and on every layer's kernel, bias and
//! activation. With [`Weights`] it freezes to an [`IntegerProgram`], which is what is scored and
//! what becomes a circuit (promise P1: the fake-quantized forward pass, the integer program and the
//! simulated RTL give the same integers).
//!
//! ```
//! use bitfront_network::{Candidate, IntegerProgram, LayerWeights, Weights, forward, forward_precision};
//!
//! let candidate: Candidate = serde_json::from_str(r#"{
//!     "inputs": 2, "input_quantizer": "quantized_bits(4,1,alpha=1.0)",
//!     "layers": [{"name": "fc1", "units": 1, "kernel": "ternary(alpha=1.0)",
//!                 "bias": "quantized_bits(4,0,alpha=1.0)"}]}"#)?;
//! assert_eq!(candidate.check(), Ok(()));
//! let weights = Weights { layers: vec![LayerWeights { kernel: vec![0.7, -0.9], bias: vec![0.25] }] };
//!
//! let program = IntegerProgram::freeze(&candidate, &weights)?;
//! let rows = [1.5, 0.5];
//! let codes = program.logits(&program.input_codes(&rows));
//! assert_eq!((codes[0], program.layers[0].output.fraction), (10, 3));
//! let precision = forward_precision(&candidate, &weights);
//! assert_eq!(forward(&candidate, &weights, &rows, precision), [10.0 / 8.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
