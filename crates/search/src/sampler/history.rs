//! What a sampler may know of the trials before.

use crate::space::{Point, PointError};
use crate::{Search, TrialScores};
use std::collections::HashSet;

/// A trial that has been proposed.
#[derive(Clone, Debug, PartialEq)]
pub struct PastTrial {
    /// Trial number.
    pub number: u32,
    /// Its point; `None` for a seed trial outside the space.
    pub point: Option<Point>,
    /// Its outcome; `None` while it is open.
    pub outcome: Option<Outcome>,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// With scores.
    Completed(Box<TrialScores>),
    /// Without, after its last attempt.
    Failed,
    /// Stopped for the sake of better ones.
    Pruned,
    /// Stopped by a user.
    Cancelled,
}

/// The trials of a search so far, by number, without gaps.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct History {
    trials: Vec<PastTrial>,
}

/// A history that does not fit the question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// A trial is missing or out of order.
    #[error("history has trial {actual} where trial {expected} belongs")]
    Gap {
        /// Number expected at this place.
        expected: u32,
        /// Number found.
        actual: u32,
    },
    /// Too few trials.
    #[error("trial {number} needs the {number} trials before it, history has {known}")]
    Short {
        /// Trial asked for.
        number: u32,
        /// Trials known.
        known: usize,
    },
    /// A point of another space.
    #[error("trial {number}: {source}")]
    Point {
        /// Trial number.
        number: u32,
        /// What is wrong.
        source: PointError,
    },
}

/// The part of a history that a proposal may look at.
pub(super) struct Before<'a> {
    /// Trials `0..number`.
    pub(super) trials: &'a [PastTrial],
    /// Their points.
    pub(super) tried: HashSet<&'a Point>,
}

impl History {
    /// A history of trials 0, 1, 2 and so on, in this order.
    ///
    /// # Errors
    /// [`HistoryError::Gap`] if a number is missing, doubled or out of order.
    pub fn new(trials: Vec<PastTrial>) -> Result<Self, HistoryError> {
        for (expected, trial) in (0..).zip(&trials) {
            if trial.number != expected {
                return Err(HistoryError::Gap {
                    expected,
                    actual: trial.number,
                });
            }
        }
        Ok(Self { trials })
    }

    /// The trials, by number.
    pub fn trials(&self) -> &[PastTrial] {
        &self.trials
    }

    pub(super) fn before(&self, search: &Search, number: u32) -> Result<Before<'_>, HistoryError> {
        let Some(trials) = self.trials.get(..number as usize) else {
            return Err(HistoryError::Short {
                number,
                known: self.trials.len(),
            });
        };
        let mut tried = HashSet::with_capacity(trials.len());
        for trial in trials {
            if let Some(point) = &trial.point {
                search
                    .space
                    .check(point)
                    .map_err(|source| HistoryError::Point {
                        number: trial.number,
                        source,
                    })?;
                tried.insert(point);
            }
        }
        Ok(Before { trials, tried })
    }
}
