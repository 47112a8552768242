//! Hands out work: a long poll that answers as soon as there is something to do.
//!
//! The rules this module keeps: the same request id gets the same leases while they live; units that wait go out before
//! new trials are proposed; and a call that waits registers for a wake-up *before* it looks, so that nothing is missed.

use std::time::Duration;

use bitfront_search::life::UnitKind;
use tokio::time::Instant;

use crate::{
    error::{Kind, Result},
    state::State,
    store::leases::{Ask, Leased},
    wake::POLL,
};

/// The longest a lease call may wait.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The most units a call may lease.
pub const LARGEST_CAPACITY: u32 = 64;

/// Leases work for `ask`, waiting up to `wait` for some to appear. Empty: there was none, or the coordinator or the
/// worker drains.
///
/// # Errors
/// The worker is not registered, or the database fails.
pub async fn lease(state: &State, ask: Ask, wait: Duration) -> Result<Vec<Leased>> {
    let deadline = Instant::now() + wait.min(LONGEST_WAIT);
    loop {
        let bell = state.wake.listen();
        if state.shutdown.is_cancelled() {
            return Ok(Vec::new());
        }
        // A task of its own: a client that hangs up leaves no statement half sent.
        let (here, asked) = (state.clone(), ask.clone());
        let leases = tokio::spawn(async move { once(&here, &asked).await }).await??;
        let now = Instant::now();
        if now >= deadline || leases.as_ref().is_none_or(|leases| !leases.is_empty()) {
            return Ok(leases.unwrap_or_default());
        }
        tokio::select! {
            () = bell => {}
            () = tokio::time::sleep_until(deadline.min(now + POLL)) => {}
            () = state.shutdown.cancelled() => {}
        }
    }
}

/// One look. `None`: the worker shall stop, so there is no point in waiting.
async fn once(state: &State, ask: &Ask) -> Result<Option<Vec<Leased>>> {
    let store = &state.store;
    let stop = store.worker_seen(ask.worker, None).await?;
    let held = store.held(ask).await?;
    if !held.is_empty() {
        return Ok(Some(held));
    }
    if stop {
        return Ok(None);
    }
    match fresh(state, ask).await {
        // Another call answers the same request: its leases are this call's answer.
        Err(error) if error.kind() == Kind::Conflict => Ok(Some(store.held(ask).await?)),
        other => other.map(Some),
    }
}

async fn fresh(state: &State, ask: &Ask) -> Result<Vec<Leased>> {
    let mut leases = state.store.claim(ask, 0).await?;
    if ask.kinds.contains(&UnitKind::Trial) {
        let taken = leases.len() as u32;
        leases.extend(state.proposer.lease_new(&state.store, ask, taken).await?);
    }
    Ok(leases)
}
