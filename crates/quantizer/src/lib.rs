//! Number formats and quantizer families: parse, print, quantize, gradient, integer code.
//!
//! A [`Quantizer`] maps real numbers to a finite set of representable ones. Its text form is the
//! `QKeras` string (`quantized_bits(6,0,alpha=1.0)`), and where `QKeras` 0.9.0 gives a value for a
//! case, that value is the definition.
//!
//! The rule this crate keeps: fake-quantization and integer codes come from one definition, so that
//! `code * 2^-fraction == quantize(x)` for every quantizer that calls itself exact.
//!
//! # Laws
//!
//! | law | holds for |
//! |---|---|
//! | `parse(print(q)) == q` | every quantizer |
//! | values lie in `true_range` | every fixed scale without `qnoise_factor` |
//! | monotone | every fixed scale; power-of-two families from epsilon (1e-7) outwards |
//! | idempotent | `quantized_bits` and `ternary` with scale 1; `binary` with -1 and +1; `quantized_relu` without slope, with its bound on the grid; power-of-two families without slope and not quadratic |
//! | `code * 2^-fraction == quantize(x)` | whatever [`Quantizer::check_exact`] accepts |
//! | `code_of == code` of the same real number | whatever [`Quantizer::grid`] accepts |
//! | `step_function == code_of` on its interval | the same, up to 4096 levels |
//! | minus zero is treated as zero and never comes out | every quantizer but `float` |
//!
//! `quantized_bits` with a constant scale other than 1 is not idempotent because the original
//! multiplies by the scale without dividing by it first. `binary(use_01=True)` maps 0 to 1.

mod arguments;
mod exact;
mod family;
mod fixed;
mod frozen;
mod gradient;
mod grid;
mod hswish;
mod levels;
mod parse;
mod po2;
mod print;
mod quantize;
mod range;
mod scalar;
mod scale;
mod squash;
mod steps;
mod ulaw;
mod vector;

pub use exact::Codes;
pub use family::{
    Alpha, Binary, HardwareKind, Noise, QuantizedBits, QuantizedHswish, QuantizedLinear,
    QuantizedPo2, QuantizedRelu, QuantizedReluPo2, QuantizedSigmoid, QuantizedTanh, QuantizedUlaw,
    Quantizer, Role, Rounding, ScaleExponents, Sigmoid, Stochastic, StochasticTernary, Ternary,
};
pub use fixed::{Fixed, FixedRounding, Overflow};
pub use frozen::{FrozenCodes, significant};
pub use grid::{Grid, NotExact};
pub use parse::ParseQuantizerError;
pub use steps::StepFunction;
