//! Scores of a trained candidate.
//!
//! The rule this module keeps (promise P1): a quantized candidate is scored by its integer program,
//! never by floats. A float reference has accuracy, or the mean squared error, and nothing else: no figures of
//! classes, no costs.

use bitfront_dataset::{Prepared, Table};
use bitfront_hardware::circuit::BuildError;
use bitfront_hardware::design::{Design, DesignOptions};
use bitfront_network::{
    Candidate, ForwardOptions, ForwardPrecision, FreezeError, IntegerProgram,
    NormalisationConstants, Operation, Weights, forward, forward_precision, forward_with,
};
use bitfront_search::TrialScores;

use super::split::{Measured, of_reals};
use crate::error::{Ended, Failure};
use crate::synthesis::{Evidence, Mismatch, compare, rtl_digest};

/// Measures everything that a trial stores: what a worker does with a trained candidate, and what
/// `bitfront train` shows without one. The test split is measured and shown, never used to choose
/// (promise P5). What the circuit is said to cost is said of a circuit that is proven against the
/// integer program, and equals it on two thousand vectors: of train rows alone where its ranges are theirs.
///
/// # Errors
/// The candidate has no exact integer form with these weights, no circuit, or one of another function; or `stopped`
/// ended the comparison.
pub fn score(
    candidate: &Candidate,
    weights: &Weights,
    data: &Prepared,
    options: &DesignOptions,
    stopped: &dyn Fn() -> bool,
) -> Result<TrialScores, ScoreError> {
    if candidate.is_float() {
        let measure = |table: &Table| {
            let outputs = forward(candidate, weights, &table.x, ForwardPrecision::F32);
            of_reals(candidate, &outputs, table)
        };
        let (accuracy_validation, mean_squared_error_validation) = measure(&data.validation);
        let (accuracy_test, mean_squared_error_test) = measure(&data.test);
        return Ok(TrialScores {
            accuracy_validation,
            accuracy_test,
            mean_squared_error_validation,
            mean_squared_error_test,
            ..TrialScores::default()
        });
    }
    let program = IntegerProgram::freeze(candidate, weights)?;
    let evidence = Evidence::new(&program, options, data, 0, stopped).ok_or(ScoreError::Stopped)?;
    let circuit = Design::build_within(&program, options, evidence.observed())?;
    compare(&circuit, &program, &evidence.vectors, stopped)?;
    if stopped() {
        return Err(ScoreError::Stopped);
    }
    let unseen = match &evidence.within {
        Some(within) => Some(
            within
                .unseen(&program, &circuit, options.circuit.output, stopped)
                .ok_or(ScoreError::Stopped)?,
        ),
        None => None,
    };
    let validation = Measured::of_program(&program, &data.validation);
    let test = Measured::of_program(&program, &data.test);
    Ok(TrialScores {
        accuracy_validation: validation.accuracy(),
        accuracy_test: test.accuracy(),
        auc_validation: validation.each(|class| class.auc),
        auc_test: test.each(|class| class.auc),
        background_efficiency_50_validation: validation
            .each(|class| class.background_efficiency_50),
        background_efficiency_50_test: test.each(|class| class.background_efficiency_50),
        background_efficiency_80_validation: validation
            .each(|class| class.background_efficiency_80),
        background_efficiency_80_test: test.each(|class| class.background_efficiency_80),
        mean_squared_error_validation: validation.mean_squared_error(),
        mean_squared_error_test: test.mean_squared_error(),
        confusion_test: test.confusion(),
        accuracy_float_batch_norm: float_batch_norm(candidate, weights, &data.validation),
        costs: Some(circuit.costs(&program)),
        circuit_digest: Some(rtl_digest(&circuit)),
        unseen,
        measured: None,
    })
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
    /// Whoever asked no longer waits.
    #[error("stopped before every vector was compared")]
    Stopped,
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
    let outputs = forward_with(candidate, weights, &table.x, options);
    of_reals(candidate, &outputs, table).0
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

/// How a trial without scores ends.
pub(crate) fn no_scores(error: &ScoreError) -> Ended {
    match error {
        ScoreError::NotExact(error) => not_exact(error).into(),
        ScoreError::NoCircuit(error) => no_circuit(error).into(),
        ScoreError::Circuit(error) => error.failure().into(),
        ScoreError::Stopped => Ended::Stopped,
    }
}
