//! Why a training run could not start or did not end.

use bitfront_network::CandidateError;

use crate::recipe::RecipeFault;

/// Why there are no trained weights. Epochs and steps are counted from 1.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// The recipe has fields out of range.
    #[error("recipe: {}", join(.0))]
    Recipe(Vec<RecipeFault>),
    /// The candidate's graph has faults.
    #[error("candidate: {}", join(.0))]
    Graph(Vec<CandidateError>),
    /// Samples and candidate do not fit together.
    #[error("{place}: {problem}; accepted: {accepted}")]
    Samples {
        /// `train.x`, `validation.y`, ...
        place: String,
        /// What is wrong.
        problem: String,
        /// What would be right.
        accepted: String,
    },
    /// A candidate that cannot be trained.
    #[error("{place}: {problem}; accepted: {accepted}")]
    Candidate {
        /// Layer and parameter, `fc1.kernel`.
        place: String,
        /// What is wrong.
        problem: String,
        /// What would be right.
        accepted: String,
    },
    /// Starting weights that are not of the candidate.
    #[error("starting weights: {place}: {problem}; accepted: {accepted}")]
    Weights {
        /// Layer and tensor, `fc1.kernel`.
        place: String,
        /// What is wrong.
        problem: String,
        /// What would be right.
        accepted: String,
    },
    /// A teacher that is missing, not asked for, or of other rows.
    #[error("teacher: {problem}; accepted: {accepted}")]
    Teacher {
        /// What is wrong.
        problem: String,
        /// What would be right.
        accepted: String,
    },
    /// A value that is not finite.
    #[error(
        "training diverged in epoch {epoch}, step {step}: {place} is not finite; a smaller learning_rate may help"
    )]
    Diverged {
        /// Epoch.
        epoch: u32,
        /// Step in the epoch.
        step: u32,
        /// Layer and value, `fc1.kernel` or `fc1.output`.
        place: String,
    },
    /// The caller cancelled.
    #[error("cancelled in epoch {epoch}, before step {step}")]
    Cancelled {
        /// Epoch.
        epoch: u32,
        /// Step in the epoch.
        step: u32,
    },
}

fn join(faults: &[impl ToString]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    faults.join("; ")
}
