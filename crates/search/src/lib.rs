//! The search file, the space it opens, samplers, the front and the states of a search's work.
//!
//! A [`SearchFile`](file::SearchFile) is what a user writes; [`file::read`] turns it into a
//! [`Search`], in which every default is written out and every quantizer is parsed. Everything else
//! here is a pure function of a `Search`: [`propose`] names the next trial,
//! [`scores`] reads objectives, [`front`] keeps the trials that no other dominates,
//! [`synthesis_policy`] says which of them are owed a circuit, and [`life`] holds the state machines
//! that the coordinator's store obeys.
//!
//! The rule this crate keeps (promise P2): no clock, no entropy, no order of arrival. The same
//! search gives the same trials, whoever asks and how often.

mod candidates;
mod digest;
pub mod file;
pub mod front;
pub mod hypervolume;
pub mod learned;
pub mod life;
pub mod metric;
pub mod sampler;
pub mod scores;
pub mod search;
pub mod space;
pub mod synthesis_policy;
#[cfg(test)]
mod testing;

pub use metric::{Goal, Metric};
pub use sampler::{History, Outcome, PastTrial, Proposal, Proposed, propose, trial_seed};
pub use scores::{Measured, Objectives, Standing, TrialScores, Unseen, UnseenRows};
pub use search::Search;
pub use space::{Parameter, Point, Space, Variable};
