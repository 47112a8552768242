//! Wakes long polls of this process when work may have appeared.
//!
//! Other coordinators learn of it by polling every second ([`POLL`]): correctness never depends on a wake-up, and no
//! `NOTIFY` is sent (it takes a lock that all commits share).

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, futures::OwnedNotified};

/// How often a waiting call looks again by itself.
pub const POLL: Duration = Duration::from_secs(1);

/// A bell that wakes everyone who listens.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Tells everyone who listens that something may have changed.
    pub fn ring(&self) {
        self.0.notify_waiters();
    }

    /// Registers interest: a ring after this call is not missed, even if it comes before the future is awaited.
    /// Take it *before* looking at the database.
    pub fn listen(&self) -> OwnedNotified {
        Arc::clone(&self.0).notified_owned()
    }
}
