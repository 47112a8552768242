//! Scores of a trained candidate.
//!
//! The rule this module keeps (promise P1): a quantized candidate is scored by its integer program,
//! never by floats. A float reference has accuracy and nothing else: no AUC, no costs.

use bitfront_dataset::{Prepared, Table};
use bitfront_hardware::program_costs;
use bitfront_network::{
    Candidate, ForwardPrecision, FreezeError, IntegerProgram, Weights, forward,
};
use bitfront_search::TrialScores;

use super::auc::one_against_rest;
use crate::error::Failure;

/// Measures everything that a trial stores: what a worker does with a trained candidate, and what
/// `bitfront train` shows without one. The test split is measured and shown, never used to choose
/// (promise P5).
///
/// # Errors
/// The candidate has no exact integer form with these weights.
pub fn score(
    candidate: &Candidate,
    weights: &Weights,
    data: &Prepared,
) -> Result<TrialScores, FreezeError> {
    if candidate.is_float() {
        let accuracy = |table: &Table| {
            let logits = forward(candidate, weights, &table.x, ForwardPrecision::F32);
            let classes = logits.chunks_exact(candidate.outputs()).map(largest);
            share(classes, &table.y)
        };
        return Ok(TrialScores {
            accuracy_validation: accuracy(&data.validation),
            accuracy_test: Some(accuracy(&data.test)),
            auc_validation: None,
            auc_test: None,
            costs: None,
        });
    }
    let program = IntegerProgram::freeze(candidate, weights)?;
    let measure = |table: &Table| {
        let codes = program.input_codes(&table.x);
        let logits = program.logits(&codes);
        let outputs = candidate.outputs();
        let classes = logits.chunks_exact(outputs).map(largest);
        let accuracy = share(classes, &table.y);
        let fraction = program.layers.last().map_or(0, |last| last.output.fraction);
        (
            accuracy,
            one_against_rest(&logits, fraction, &table.y, outputs),
        )
    };
    let (accuracy_validation, auc_validation) = measure(&data.validation);
    let (accuracy_test, auc_test) = measure(&data.test);
    Ok(TrialScores {
        accuracy_validation,
        accuracy_test: Some(accuracy_test),
        auc_validation: Some(auc_validation),
        auc_test: Some(auc_test),
        costs: Some(program_costs(&program)),
    })
}

/// Freezes a candidate; what has no exact integer form fails as `not-exact`.
pub(crate) fn freeze(candidate: &Candidate, weights: &Weights) -> Result<IntegerProgram, Failure> {
    IntegerProgram::freeze(candidate, weights).map_err(|e| not_exact(&e))
}

/// The failure that every further attempt would repeat.
pub(crate) fn not_exact(error: &FreezeError) -> Failure {
    Failure::lasting("not-exact", error.to_string())
}

/// Index of the largest logit, the lowest on a tie.
fn largest<T: PartialOrd>(row: &[T]) -> usize {
    let mut best = 0;
    for (at, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = at;
        }
    }
    best
}

/// Share of rows whose class is their label; 0 of no rows.
fn share(classes: impl Iterator<Item = usize>, y: &[u8]) -> f64 {
    let right = classes
        .zip(y)
        .filter(|(class, label)| *class == usize::from(**label))
        .count();
    if y.is_empty() {
        0.0
    } else {
        right as f64 / y.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lowest_class() {
        assert_eq!(largest(&[3, 5, 5]), 1);
        assert_eq!(largest(&[-1, -1]), 0);
        assert_eq!(largest(&[0.5, 1.5, 1.0]), 1);
    }

    #[test]
    fn accuracy_is_a_share_of_all_rows() {
        assert_eq!(share([0, 1, 2, 2].into_iter(), &[0, 1, 1, 2]), 0.75);
        assert_eq!(share(std::iter::empty(), &[]), 0.0);
    }
}
