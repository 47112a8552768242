//! The fake-quantized forward pass at evaluation: the float twin of the integer program.

use crate::{Candidate, Weights};

/// Which float carries the sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardPrecision {
    /// f32: exact while no partial sum passes 2^24 units of its finest grid.
    F32,
    /// f64: exact to 2^53.
    F64,
}

/// Logits of standardised rows (`rows x inputs`), row-major `rows x outputs`, as real numbers.
pub fn forward(
    candidate: &Candidate,
    weights: &Weights,
    rows: &[f32],
    precision: ForwardPrecision,
) -> Vec<f64> {
    let _ = (candidate, weights, rows, precision);
    unimplemented!()
}
