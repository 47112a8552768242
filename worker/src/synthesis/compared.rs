//! A circuit held against integer inference before anything is said of it.
//!
//! The rule this module keeps: the proof from the graph comes first, then every vector.

use super::vectors::Vectors;
use crate::error::Failure;
use bitfront_hardware::circuit::CircuitMismatch;
use bitfront_hardware::design::Design;
use bitfront_network::IntegerProgram;

/// Where a circuit and integer inference differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Coefficients or structure.
    #[error(transparent)]
    Proof(#[from] CircuitMismatch),
    /// The outputs of a vector.
    #[error("vector {row}: the circuit gives {found:?}, integer inference {expected:?}")]
    Vector {
        /// Its number.
        row: usize,
        /// Of the circuit.
        found: Vec<i64>,
        /// Of integer inference.
        expected: Vec<i64>,
    },
}

impl Mismatch {
    /// The failure that every further attempt would repeat.
    pub(crate) fn failure(&self) -> Failure {
        let kind = match self {
            Self::Proof(_) => "kernel-mismatch",
            Self::Vector { .. } => "circuit-mismatch",
        };
        Failure::lasting(kind, self.to_string())
    }
}

/// Proves a circuit and evaluates it on every vector. Ends early, without a verdict, when `stopped`.
///
/// # Errors
/// The first difference.
pub(crate) fn compare(
    circuit: &Design,
    program: &IntegerProgram,
    vectors: &Vectors,
    stopped: &dyn Fn() -> bool,
) -> Result<(), Mismatch> {
    circuit.check_against(program)?;
    let inputs = vectors.inputs.chunks_exact(program.inputs());
    let expected = vectors.expected.chunks_exact(circuit.output_words());
    for (row, (codes, logits)) in inputs.zip(expected).enumerate() {
        if row % 64 == 0 && stopped() {
            return Ok(());
        }
        let found = circuit.evaluate(codes);
        if found != logits {
            return Err(Mismatch::Vector {
                row,
                found,
                expected: logits.to_vec(),
            });
        }
    }
    Ok(())
}
