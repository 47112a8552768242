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
//! | values lie in `true_range`, whose ends are given | every fixed scale without `qnoise_factor` |
//! | values are among `levels` | the same, up to 65,536 levels |
//! | monotone | every fixed scale but `quantized_hswish` and `ap_fixed` that does not saturate; power-of-two families from epsilon (1e-7) outwards |
//! | idempotent | `quantized_bits` and `ternary` with scale 1; `quantized_linear` with powers of two; `binary` with -1 and +1; hard `quantized_tanh`; `ap_fixed`; `quantized_relu` without slope, with its bound on the grid, hard where it squashes; power-of-two families without slope and not quadratic, with `log2_rounding='floor'` where 2^-24 is no level or the smallest one |
//! | `code * 2^-fraction == quantize(x)` | whatever [`Quantizer::check_exact`] accepts |
//! | `code_of == code` of the same real number | whatever [`Quantizer::grid`] accepts |
//! | `value_of(code(x)) == quantize(x)` | the same, and `quantized_ulaw` |
//! | `step_function == code_of` on its interval | the same where monotone, up to 4096 levels |
//! | minus zero is treated as zero and never comes out | every quantizer but `float` |
//! | NaN and infinity are refused | whatever gives codes |
//! | training draws have the original's probabilities | every family that draws |
//!
//! Where a law does not hold, `tests/counter_examples.rs` asserts a case.
//!
//! # Where the original contradicts itself
//!
//! Its behaviour is followed, and the sane mode stands beside it:
//!
//! - `alpha` of `quantized_bits` multiplies values without dividing inputs: the result is neither
//!   idempotent nor near its input. `quantized_linear` (the later master's) divides.
//! - `quantized_bits(..., keep_negative=0, alpha='auto')` gives negative values all the same, and
//!   uses half its codes. `quantized_linear` with `keep_negative=0` does not.
//! - `alpha='auto'` cancels `integer` in `quantized_bits`: only the reported range knows it.
//! - Stochastic rounding of `quantized_relu`, `quantized_tanh` and `quantized_sigmoid` falls on half
//!   steps, which no code has; `use_stochastic_rounding='whole'` falls on codes.
//! - `min()` and `max()` are not the range: [`Quantizer::reported_range`] says theirs,
//!   [`Quantizer::true_range`] what comes out.
//! - Quantizers of kernels without `alpha` become `'auto_po2'` there, unasked. Here nothing is
//!   rewritten: write `alpha='auto_po2'` for it.
//! - `bernoulli` draws at inference too, so it is never exact; `binary(use_01=True)` is its likelier
//!   value.
//! - `stochastic_ternary` with a fixed scale fails in training; here it draws with that scale.
//! - Power-of-two families have no zero, and quadratic ones a hole around it.
//!
//! Only in the original's later master, and so without golden cases: `quantized_linear`,
//! `min_po2_exponent` and `max_po2_exponent`. `sigmoid='hard'|'smooth'|'real'` stands for its global
//! switch. `scale_axis` and `elements_per_scale` are refused but for their defaults: scales are found
//! along the last axis.

mod arguments;
mod exact;
mod family;
mod fixed;
mod frozen;
mod gradient;
mod grid;
mod hswish;
mod levels;
mod modes;
mod parse;
mod po2;
mod print;
mod quantize;
mod range;
mod scalar;
mod scale;
mod squash;
mod steps;
mod table;
mod training;
mod ulaw;
mod values;
mod vector;
mod workspace;
mod zero;

pub use exact::Codes;
pub use family::{
    Alpha, Binary, HardwareKind, Noise, QuantizedBits, QuantizedHswish, QuantizedLinear,
    QuantizedPo2, QuantizedRelu, QuantizedReluPo2, QuantizedSigmoid, QuantizedTanh, QuantizedUlaw,
    Quantizer, Role, Rounding, ScaleExponents, Sigmoid, Stochastic, StochasticTernary, Ternary,
};
pub use fixed::Fixed;
pub use frozen::{FrozenCodes, significant};
pub use grid::{Grid, NotExact};
pub use modes::{FixedRounding, Modes, Overflow};
pub use parse::ParseQuantizerError;
pub use steps::StepFunction;
pub use workspace::Workspace;
