//! Which candidate the next trial trains.
//!
//! [`propose`] is a pure function of the search, the trial's number and the trials before it. The
//! seed trials come first, in the file's order. Then the search's sampler chooses points of the
//! space, and no candidate is ever chosen twice, whatever became of it.
//!
//! The rule this module keeps (promise P2): with a window of W (`budget.parallel`), trial n is
//! chosen from the outcomes of trials 0 to n-W, read in trial order, and from the points of all
//! trials before it, which are known when they are proposed. So up to W trials are open at once and
//! the number of workers, their speed and their accidents change nothing. Randomness comes from
//! `ChaCha8` keyed with a hash of the search's seed and the trial's number: the same question has the
//! same answer in every process.

mod draw;
mod evolution;
mod history;
mod random;
mod rank;

pub use history::{History, HistoryError, Outcome, PastTrial};

use crate::Search;
use crate::digest::hash_parts;
use crate::search::{Order, Sampler};
use crate::space::Point;
use bitfront_network::Candidate;
use draw::Draw;
use serde::{Deserialize, Serialize};

/// The answer to "what is trial n?".
#[derive(Clone, Debug, PartialEq)]
pub enum Proposal {
    /// Train this.
    Trial(Box<Proposed>),
    /// The window is not complete: ask again when this trial has its outcome.
    Wait {
        /// Lowest trial number whose outcome is missing.
        trial: u32,
    },
    /// There is no trial n, and none after it.
    Exhausted(Exhausted),
}

/// Why a search proposes no more trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exhausted {
    /// The budget's trials are all proposed.
    Budget,
    /// Every point of the space is tried.
    Space,
}

/// A candidate for a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposed {
    /// Trial number.
    pub number: u32,
    /// What to train.
    pub candidate: Candidate,
    /// [`Candidate::digest`]; with `repeat` unique in the search.
    pub digest: String,
    /// Its point; `None` for a seed trial outside the space.
    pub point: Option<Point>,
    /// Which training of this candidate in the search it is, from 0.
    pub repeat: u32,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a proposal came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "origin", rename_all = "snake_case", deny_unknown_fields)]
pub enum Origin {
    /// A seed trial of the file.
    Seed {
        /// Its label, `uniform-8`.
        label: String,
    },
    /// Drawn without looking at outcomes.
    Random,
    /// A child of one or two trials.
    Evolved {
        /// The parents' trial numbers.
        parents: Vec<u32>,
    },
    /// A run that learns bit widths from the float network.
    LearningRun,
    /// A candidate that such a run kept.
    LearnedBits {
        /// The run's trial number; its seed is the point's too.
        run: u32,
        /// Epoch that it was made after, from 1.
        epoch: u32,
        /// Nats of mean loss that an EBOP cost then.
        beta: f64,
    },
}

/// How many leading trials' outcomes trial `number` is chosen from, under a window of `parallel`.
///
/// ```
/// use bitfront_search::sampler::visible_trials;
/// assert_eq!(visible_trials(7, 8), 0);
/// assert_eq!(visible_trials(8, 8), 1); // trial 0
/// assert_eq!(visible_trials(5, 1), 5); // one after the other
/// ```
pub fn visible_trials(number: u32, parallel: u32) -> u32 {
    number.saturating_add(1).saturating_sub(parallel.max(1))
}

/// The seed of one training of a candidate: H(search seed, point digest, repeat index) (P2).
///
/// `digest` is the candidate's ([`Proposed::digest`]), so that a seed trial outside the space has a
/// seed too.
pub fn trial_seed(search_seed: u64, digest: &str, repeat: u32) -> u64 {
    let hash = hash_parts(&[
        b"trial",
        &search_seed.to_le_bytes(),
        digest.as_bytes(),
        &repeat.to_le_bytes(),
    ]);
    let (head, _) = hash.split_at(8);
    u64::from_le_bytes(head.try_into().expect("eight bytes"))
}

/// What trial `number` of `search` trains, given the trials before it.
///
/// # Errors
/// [`HistoryError`] if `history` lacks one of the trials `0..number` or holds a point of another
/// space. Trials from `number` on are ignored.
pub fn propose(search: &Search, number: u32, history: &History) -> Result<Proposal, HistoryError> {
    if number >= search.budget.trials {
        return Ok(Proposal::Exhausted(Exhausted::Budget));
    }
    if let Some(seed_trial) = search.seed_trials.get(number as usize) {
        let origin = Origin::Seed {
            label: seed_trial.label.clone(),
        };
        let candidate = seed_trial.candidate.clone();
        let point = search.locate(&candidate);
        return Ok(proposed(number, candidate, point, origin));
    }
    let before = history.before(search, number)?;
    if before.tried.len() as u128 >= search.space.size() {
        return Ok(Proposal::Exhausted(Exhausted::Space));
    }
    let mut draw = Draw::new(search.seed, "propose", number);
    let after_seeds = number - search.seed_trials.len() as u32;
    let (point, origin) = match search.sampler {
        Sampler::LearnedBits(_) => return Ok(learning_run(search, number)),
        Sampler::Random => (
            random::untried(&search.space, &before.tried, &mut draw),
            Origin::Random,
        ),
        Sampler::Evolution { warmup, .. } if after_seeds < warmup => {
            let rung = (after_seeds, warmup);
            let point = random::warm_up(&search.space, &before.tried, rung, &mut draw);
            (point, Origin::Random)
        }
        Sampler::Evolution {
            population,
            crossover,
            ..
        } => {
            let visible = match search.order {
                Order::Number => {
                    let visible = visible_trials(number, search.budget.parallel) as usize;
                    let window = &before.trials[..visible];
                    if let Some(open) = window.iter().find(|trial| trial.outcome.is_none()) {
                        return Ok(Proposal::Wait { trial: open.number });
                    }
                    window
                }
                Order::Arrival => before.trials,
            };
            let settings = evolution::Settings {
                population: population as usize,
                crossover,
            };
            match evolution::child(search, visible, &before.tried, settings, &mut draw) {
                Some(child) => (
                    child.point,
                    Origin::Evolved {
                        parents: child.parents,
                    },
                ),
                None => (
                    random::untried(&search.space, &before.tried, &mut draw),
                    Origin::Random,
                ),
            }
        }
    };
    let candidate = search.candidate(&point).expect("a point of this space");
    Ok(proposed(number, candidate, Some(point), origin))
}

/// The same float network again, each time with another seed.
fn learning_run(search: &Search, number: u32) -> Proposal {
    let candidate = search.network.float.clone();
    Proposal::Trial(Box::new(Proposed {
        number,
        digest: candidate.digest(),
        candidate,
        point: None,
        repeat: number,
        origin: Origin::LearningRun,
    }))
}

fn proposed(number: u32, candidate: Candidate, point: Option<Point>, origin: Origin) -> Proposal {
    let digest = candidate.digest();
    Proposal::Trial(Box::new(Proposed {
        number,
        candidate,
        digest,
        point,
        repeat: 0,
        origin,
    }))
}

#[cfg(test)]
mod tests;
