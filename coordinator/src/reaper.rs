//! Background work that every coordinator does alike: ends leases that have run out, and finishes what a killed
//! coordinator left behind. All of it is idempotent, so no leader is needed.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::{error::Result, state::State};

/// Leases reaped in one statement at most.
const BATCH: u32 = 100;

/// Starts the background tasks of a coordinator; they end when it drains.
pub fn spawn_background(state: &State) -> JoinHandle<()> {
    let state = state.clone();
    tokio::spawn(async move {
        // Often enough that an expired lease waits only a fraction of its life.
        let pause =
            (state.config.lease_ttl / 3).clamp(Duration::from_millis(50), Duration::from_secs(5));
        let mut ticks = tokio::time::interval(pause);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = state.shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = sweep(&state).await {
                tracing::warn!(?error, "failed to sweep expired leases; trying again");
            }
        }
    })
}

/// One round: reaps every lease that has run out and settles what ended by it.
///
/// # Errors
/// The database fails; the next round does the rest.
pub async fn sweep(state: &State) -> Result<()> {
    loop {
        let let_go = state.store.reap(BATCH).await?;
        state.store.settle_ended(&let_go).await?;
        if !let_go.is_empty() {
            state.wake.ring();
        }
        if let_go.len() < BATCH as usize {
            break;
        }
    }
    if state.store.settle_sharable().await? + state.store.settle_idle().await? > 0 {
        state.wake.ring();
    }
    Ok(())
}
