//! Number formats and quantizer families: parse, print, quantize, gradient, integer code.
//!
//! A [`Quantizer`] maps real numbers to a finite set of representable ones. Its text form is the
//! `QKeras` string (`quantized_bits(6,0,alpha=1.0)`), and where `QKeras` 0.9.0 gives a value for a
//! case, that value is the definition.
//!
//! The rule this crate keeps: fake-quantization and integer codes come from one definition, so that
//! `code * 2^-fraction == quantize(x)` for every quantizer that calls itself exact.

mod exact;
mod family;
mod parse;
mod print;
mod quantize;

pub use exact::{Codes, Grid, NotExact, StepFunction};
pub use family::{
    Alpha, Binary, HardwareKind, QuantizedBits, QuantizedPo2, QuantizedRelu, QuantizedReluPo2,
    Quantizer, Role, Ternary,
};
pub use parse::ParseQuantizerError;
