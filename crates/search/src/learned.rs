//! Learned bit widths in a search: the settings of a run, and what it reports.
//!
//! A run is a trial of the float network, which it trains first. From there it learns bit widths with the weights; each
//! candidate on the front of its epochs becomes a trial of its own, a *point* of the run.
//!
//! The rule this module keeps (promise P2): the number of a point's trial is a function of the run and the epoch alone,
//! and lies behind those of all runs, so that it does not matter which run ends first.

use crate::TrialScores;
use crate::search::{Search, is_default};
use bitfront_network::Candidate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What has bit widths of its own when they are learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// Every weight and bias, and every channel that a layer reads.
    #[default]
    Weight,
    /// The weights of every unit, its bias, and every channel that a layer reads.
    Channel,
    /// A layer's kernel, its biases, and all that it reads.
    Layer,
}

/// How bit widths are learned once the float network is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedBits {
    /// Passes over the training split.
    pub epochs: u32,
    /// Rows in a step.
    pub batch_size: u32,
    /// Initial learning rate of the weights.
    pub learning_rate: f64,
    /// Initial rate of the bit widths, in bits.
    pub bits_rate: f64,
    /// Share of both rates that is left at the end.
    pub final_rate: f64,
    /// Nats of mean loss that an EBOP costs at first.
    pub first_beta: f64,
    /// The same at the end.
    pub last_beta: f64,
    /// Share of the epochs that the first beta is kept for.
    pub flat: f64,
    /// Fraction bits that every weight and value starts with.
    pub fraction_bits: f64,
    /// Share of the running averages that is kept at each step.
    pub averaging: f64,
    /// What has bit widths of its own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub granularity: Granularity,
}

impl Default for LearnedBits {
    fn default() -> Self {
        Self {
            epochs: 120,
            batch_size: 1024,
            learning_rate: 3e-3,
            bits_rate: 1e-2,
            final_rate: 0.1,
            first_beta: 1e-6,
            last_beta: 2e-4,
            flat: 0.1,
            fraction_bits: 5.0,
            averaging: 0.99,
            granularity: Granularity::Weight,
        }
    }
}

/// What a run reports: the float network's scores, and its points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// Of the float network that the run starts from.
    pub scores: TrialScores,
    /// By ascending epoch.
    pub points: Vec<RunPoint>,
}

/// A candidate that a run keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunPoint {
    /// Epoch that it was made after, from 1.
    pub epoch: u32,
    /// Nats of mean loss that an EBOP cost then.
    pub beta: f64,
    /// The candidate.
    pub candidate: Candidate,
    /// What became of it.
    pub outcome: PointOutcome,
}

/// What became of a run's point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PointOutcome {
    /// It was scored as every trial is.
    Scored {
        /// Its scores.
        scores: Box<TrialScores>,
        /// SHA-256 of its weights, lowercase hex.
        weights_digest: String,
    },
    /// It could not be scored.
    Failed {
        /// Stable code (`no-circuit`).
        code: String,
        /// For people.
        message: String,
    },
}

/// A report that no run of this search makes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunFault {
    /// Epochs out of range or order.
    #[error("point {index} is of epoch {epoch}; accepted are ascending epochs from 1 to {epochs}")]
    Epoch {
        /// Place in the list, from 0.
        index: usize,
        /// Its epoch.
        epoch: u32,
        /// Epochs of a run.
        epochs: u32,
    },
    /// A weight of the penalty that is none.
    #[error("point {index} has beta {beta}; accepted are finite numbers above 0")]
    Beta {
        /// Place in the list, from 0.
        index: usize,
        /// Its beta.
        beta: String,
    },
    /// A candidate that cannot be scored exactly, or of other data.
    #[error("point {index}: {problem}")]
    Candidate {
        /// Place in the list, from 0.
        index: usize,
        /// What is wrong.
        problem: String,
    },
}

impl RunResult {
    /// Checks that a run of `search` with these `settings` may report this.
    ///
    /// # Errors
    /// The first point with an epoch, beta or candidate that cannot be.
    pub fn check(&self, search: &Search, settings: &LearnedBits) -> Result<(), RunFault> {
        let mut before = 0;
        for (index, point) in self.points.iter().enumerate() {
            let (epoch, epochs) = (point.epoch, settings.epochs);
            if epoch <= before || epoch > epochs {
                return Err(RunFault::Epoch {
                    index,
                    epoch,
                    epochs,
                });
            }
            before = epoch;
            if !(point.beta > 0.0 && point.beta.is_finite()) {
                let beta = point.beta.to_string();
                return Err(RunFault::Beta { index, beta });
            }
            if let Err(problem) = self::candidate(&point.candidate, &search.network.float) {
                return Err(RunFault::Candidate { index, problem });
            }
        }
        Ok(())
    }
}

/// Checks that a candidate can be scored exactly, on the data of `float`.
fn candidate(candidate: &Candidate, float: &Candidate) -> Result<(), String> {
    if let Err(errors) = candidate.check() {
        return Err(errors.first().map_or_else(String::new, ToString::to_string));
    }
    let sizes = |of: &Candidate| (of.inputs(), of.outputs());
    let (own, wanted) = (sizes(candidate), sizes(float));
    if own == wanted {
        return Ok(());
    }
    Err(format!(
        "{} inputs and {} outputs; the network has {} and {}",
        own.0, own.1, wanted.0, wanted.1
    ))
}

/// Number of the trial that run `run` (its own trial number) leaves behind for `epoch`, from 1.
///
/// ```
/// use bitfront_search::learned::point_number;
/// // Three runs of ten epochs: 0 to 2 are the runs, 3 to 32 their points.
/// assert_eq!(point_number(3, 10, 0, 1), 3);
/// assert_eq!(point_number(3, 10, 2, 10), 32);
/// ```
pub fn point_number(runs: u32, epochs: u32, run: u32, epoch: u32) -> u32 {
    runs + run * epochs + epoch - 1
}
