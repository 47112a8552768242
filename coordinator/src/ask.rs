//! Asks searches for their next trials when a worker wants work.
//!
//! The rule this module keeps (promise P2): trial n is a pure function of the search, of the points of the trials before
//! it, and of the outcomes that its window shows, read in trial order from rows. So it does not matter which coordinator
//! asks, how often, or how many workers there are. Trials are created when they are leased, not ahead of it: whoever
//! loses the race for a number has created nothing and asks for the next one.
//!
//! What is kept in memory is a cache of rows that never change: the resolved search, and the leading trials that have
//! ended.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as SyncMutex, PoisonError},
};

use bitfront_hardware::pruned_candidate_costs;
use bitfront_search::{History, PastTrial, Proposal, Search, propose, trial_seed};
use tokio::sync::Mutex;

use crate::{
    error::{Error, Result},
    ids::SearchId,
    store::{
        Store,
        leases::{Ask, Leased},
        trials::NewTrial,
    },
};

/// Searches remembered at once; beyond it, all are forgotten and read again.
const REMEMBERED: usize = 256;

/// What this process remembers of searches that propose; cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Proposer {
    searches: Arc<SyncMutex<HashMap<SearchId, Arc<Mutex<Memory>>>>>,
}

/// What is remembered of one search. Its lock also lets one call of this process propose for the search at a time;
/// others would only lose the race for the same number.
#[derive(Debug, Default)]
struct Memory {
    search: Option<Arc<Search>>,
    /// The leading trials that have their outcome.
    ended: Vec<PastTrial>,
}

/// How a call for one search's trials ended.
enum Next {
    Leased(Leased),
    /// The window is not complete, or another coordinator ended the search's proposals.
    Nothing,
    /// Another coordinator took the number: look again.
    Raced,
}

impl Proposer {
    /// Creates and leases new trials of running searches until the request is full; `taken` leases of it were given.
    ///
    /// # Errors
    /// The worker is unknown, the same request is being answered by another call (conflict), a row cannot be read, or
    /// the database fails. Leases given before the error stand, and are found again by the request's id.
    pub async fn lease_new(&self, store: &Store, ask: &Ask, mut taken: u32) -> Result<Vec<Leased>> {
        let mut leases = Vec::new();
        if taken >= ask.capacity {
            return Ok(leases);
        }
        for candidate in store.proposing(ask.worker).await? {
            let memory = self.memory(candidate.search);
            let mut memory = memory.lock().await;
            while taken < ask.capacity {
                match memory.next(store, candidate.search, ask, taken).await? {
                    Next::Leased(lease) => {
                        leases.push(lease);
                        taken += 1;
                    }
                    Next::Raced => {}
                    Next::Nothing => break,
                }
            }
        }
        Ok(leases)
    }

    fn memory(&self, search: SearchId) -> Arc<Mutex<Memory>> {
        let mut searches = self.searches.lock().unwrap_or_else(PoisonError::into_inner);
        if searches.len() >= REMEMBERED && !searches.contains_key(&search) {
            searches.clear();
        }
        Arc::clone(searches.entry(search).or_default())
    }
}

impl Memory {
    async fn next(&mut self, store: &Store, id: SearchId, ask: &Ask, slot: u32) -> Result<Next> {
        let search = match &self.search {
            Some(search) => Arc::clone(search),
            None => Arc::clone(self.search.insert(Arc::new(store.resolved(id).await?))),
        };
        let open = store.history(id, self.ended.len() as u32).await?;
        let leading = open
            .iter()
            .take_while(|trial| trial.outcome.is_some())
            .count();
        let mut trials = self.ended.clone();
        self.ended.extend(open[..leading].iter().cloned());
        trials.extend(open);
        // Numbers have no gaps, so their count is the next one.
        let number = trials.len() as u32;
        let asked = Arc::clone(&search);
        let answer = tokio::task::spawn_blocking(move || answer(&asked, number, trials)).await??;
        match answer {
            Answer::Trial(trial) => Ok(match store.start_trial(id, &trial, ask, slot).await? {
                Some(lease) => Next::Leased(lease),
                None if store
                    .proposing(ask.worker)
                    .await?
                    .iter()
                    .any(|other| other.search == id && other.next_number != number) =>
                {
                    Next::Raced
                }
                None => Next::Nothing,
            }),
            Answer::Wait => Ok(Next::Nothing),
            Answer::Exhausted => {
                if store.exhaust(id, number).await? {
                    store.settle(id).await?;
                }
                Ok(Next::Nothing)
            }
        }
    }
}

enum Answer {
    Trial(Box<NewTrial>),
    Wait,
    Exhausted,
}

/// Runs on the blocking pool: the sampler, and the costs that need no training.
fn answer(search: &Search, number: u32, trials: Vec<PastTrial>) -> Result<Answer> {
    let history = History::new(trials).map_err(Error::internal)?;
    match propose(search, number, &history).map_err(Error::internal)? {
        Proposal::Trial(proposed) => {
            let pruning = search.training.pruning;
            let sparsity = pruning.map_or(0.0, |pruning| pruning.schedule.final_sparsity());
            let costs = || pruned_candidate_costs(&proposed.candidate, sparsity);
            let tier0 = (!proposed.candidate.is_float())
                .then(|| serde_json::to_value(costs()))
                .transpose()?;
            Ok(Answer::Trial(Box::new(NewTrial {
                seed: trial_seed(search.seed, &proposed.digest, proposed.repeat),
                proposed: *proposed,
                tier0,
            })))
        }
        Proposal::Wait { .. } => Ok(Answer::Wait),
        Proposal::Exhausted(_) => Ok(Answer::Exhausted),
    }
}
