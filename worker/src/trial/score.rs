//! Scores of a trained candidate.
//!
//! The rule this module keeps (promise P1): a quantized candidate is scored by its integer program,
//! never by floats. A float reference has accuracy and nothing else: no figures of classes, no costs.

use bitfront_dataset::{Prepared, Table};
use bitfront_hardware::circuit::{BuildError, BuildOptions, Circuit};
use bitfront_hardware::circuit_costs;
use bitfront_network::{
    Candidate, ForwardOptions, ForwardPrecision, FreezeError, IntegerProgram,
    NormalisationConstants, Operation, Weights, forward, forward_precision, forward_with,
};
use bitfront_search::TrialScores;
use bitfront_training::metrics::{OneAgainstRest, confusion, one_against_rest};

use crate::error::Failure;
use crate::synthesis::{Mismatch, Vectors, compare, rtl_digest};

/// Measures everything that a trial stores: what a worker does with a trained candidate, and what
/// `bitfront train` shows without one. The test split is measured and shown, never used to choose
/// (promise P5). What the circuit is said to cost is said of a circuit that is proven against the
/// integer program, and equals it on two thousand vectors.
///
/// # Errors
/// The candidate has no exact integer form with these weights, no circuit, or one of another function.
pub fn score(
    candidate: &Candidate,
    weights: &Weights,
    data: &Prepared,
    options: &BuildOptions,
) -> Result<TrialScores, ScoreError> {
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
            background_efficiency_50_validation: None,
            background_efficiency_50_test: None,
            background_efficiency_80_validation: None,
            background_efficiency_80_test: None,
            confusion_test: None,
            accuracy_float_batch_norm: None,
            costs: None,
            circuit_digest: None,
            measured: None,
        });
    }
    let program = IntegerProgram::freeze(candidate, weights)?;
    let circuit = Circuit::build_with(&program, options)?;
    let vectors = Vectors::for_program(&program, &data.test.x, 0);
    compare(&circuit, &program, &vectors, &|| false)?;
    let validation = Split::measure(&program, &data.validation);
    let test = Split::measure(&program, &data.test);
    Ok(TrialScores {
        accuracy_validation: validation.accuracy,
        accuracy_test: Some(test.accuracy),
        auc_validation: Some(validation.each(|class| class.auc)),
        auc_test: Some(test.each(|class| class.auc)),
        background_efficiency_50_validation: Some(
            validation.each(|class| class.background_efficiency_50),
        ),
        background_efficiency_50_test: Some(test.each(|class| class.background_efficiency_50)),
        background_efficiency_80_validation: Some(
            validation.each(|class| class.background_efficiency_80),
        ),
        background_efficiency_80_test: Some(test.each(|class| class.background_efficiency_80)),
        confusion_test: Some(test.confusion),
        accuracy_float_batch_norm: float_batch_norm(candidate, weights, &data.validation),
        costs: Some(circuit_costs(&program, &circuit)),
        circuit_digest: Some(rtl_digest(&circuit)),
        measured: None,
    })
}

/// How a program classifies the rows of a split.
struct Split {
    accuracy: f64,
    /// Rows of each class, by the class they are taken for.
    confusion: Vec<Vec<u64>>,
    classes: Vec<OneAgainstRest>,
}

impl Split {
    fn measure(program: &IntegerProgram, table: &Table) -> Self {
        let codes = program.input_codes(&table.x);
        let logits = program.logits(&codes);
        let outputs = program.candidate.outputs();
        let counts = confusion(&logits, outputs, &table.y);
        let right: u64 = counts.iter().step_by(outputs + 1).sum();
        let classes = one_against_rest(&logits, outputs, &table.y, program.output_fraction);
        let blind = |figures: Option<OneAgainstRest>| figures.unwrap_or(OneAgainstRest::BLIND);
        Self {
            accuracy: right as f64 / table.y.len().max(1) as f64,
            confusion: counts.chunks_exact(outputs).map(<[u64]>::to_vec).collect(),
            classes: classes.into_iter().map(blind).collect(),
        }
    }

    /// A figure of every class.
    fn each(&self, figure: fn(&OneAgainstRest) -> f64) -> Vec<f64> {
        self.classes.iter().map(figure).collect()
    }
}

/// Why a trained candidate has no scores.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScoreError {
    /// No exact integer form.
    #[error(transparent)]
    NotExact(#[from] FreezeError),
    /// No circuit.
    #[error(transparent)]
    NoCircuit(#[from] BuildError),
    /// A circuit of another function.
    #[error(transparent)]
    Circuit(#[from] Mismatch),
}

/// Accuracy with real batch normalisations in place of the frozen ones, where there are any: what
/// freezing them costs is the difference to the score.
fn float_batch_norm(candidate: &Candidate, weights: &Weights, table: &Table) -> Option<f64> {
    let mut operations = candidate.layers.iter().map(|layer| &layer.operation);
    if !operations.any(|operation| matches!(operation, Operation::BatchNorm { .. })) {
        return None;
    }
    let options = ForwardOptions {
        precision: forward_precision(candidate, weights),
        normalisation: NormalisationConstants::Float,
    };
    let logits = forward_with(candidate, weights, &table.x, options);
    let classes = logits.chunks_exact(candidate.outputs()).map(largest);
    Some(share(classes, &table.y))
}

/// Freezes a candidate; what has no exact integer form fails as `not-exact`.
pub(crate) fn freeze(candidate: &Candidate, weights: &Weights) -> Result<IntegerProgram, Failure> {
    IntegerProgram::freeze(candidate, weights).map_err(|e| not_exact(&e))
}

/// The failure that every further attempt would repeat.
pub(crate) fn not_exact(error: &FreezeError) -> Failure {
    Failure::lasting("not-exact", error.to_string())
}

/// The failure of a candidate without a circuit, which every further attempt would repeat.
pub(crate) fn no_circuit(error: &BuildError) -> Failure {
    Failure::lasting("no-circuit", error.to_string())
}

/// The failure of a candidate without scores.
pub(crate) fn no_scores(error: &ScoreError) -> Failure {
    match error {
        ScoreError::NotExact(error) => not_exact(error),
        ScoreError::NoCircuit(error) => no_circuit(error),
        ScoreError::Circuit(error) => error.failure(),
    }
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
