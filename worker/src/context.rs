//! What the parts of a worker process share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::attempt::Attempt;
use crate::cache::FileCache;
use crate::link::Link;
use crate::tools::Tools;
use crate::trial::Teachers;
use crate::{Config, Kind};

/// Times the coordinator sets when the worker registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// How long a lease lasts.
    pub(crate) lease_ttl: Duration,
    /// How often leases are renewed.
    pub(crate) heartbeat: Duration,
}

/// Everything the dispatcher, the heartbeat and the executors share.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) worker_id: String,
    pub(crate) link: Link,
    pub(crate) cache: FileCache,
    pub(crate) tools: Tools,
    /// Teachers that trials of several slots learn from.
    pub(crate) teachers: Arc<Teachers>,
    /// Kinds of work this worker takes.
    pub(crate) kinds: Vec<Kind>,
    /// Stop leasing: a signal or the coordinator's wish.
    pub(crate) drain: CancellationToken,
    /// Something needs a heartbeat before the interval is over.
    pub(crate) hurry: Notify,
    times: Mutex<Times>,
    attempts: Mutex<HashMap<String, Arc<Attempt>>>,
}

impl Context {
    pub(crate) fn new(
        config: Config,
        link: Link,
        cache: FileCache,
        tools: Tools,
        kinds: Vec<Kind>,
        drain: CancellationToken,
    ) -> Self {
        Self {
            config,
            worker_id: uuid::Uuid::now_v7().to_string(),
            link,
            cache,
            tools,
            teachers: Arc::default(),
            kinds,
            drain,
            hurry: Notify::new(),
            times: Mutex::new(Times {
                lease_ttl: Duration::from_secs(30),
                heartbeat: Duration::from_secs(10),
            }),
            attempts: Mutex::default(),
        }
    }

    pub(crate) fn times(&self) -> Times {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_times(&self, times: Times) {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner) = times;
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<String, Arc<Attempt>>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an attempt in; false when this very attempt is already running (a repeated lease).
    pub(crate) fn enter(&self, attempt: &Arc<Attempt>) -> bool {
        use std::collections::hash_map::Entry;
        match self.attempts().entry(key(attempt)) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(Arc::clone(attempt));
                true
            }
        }
    }

    /// Forgets an attempt that has ended.
    pub(crate) fn leave(&self, attempt: &Attempt) {
        self.attempts().remove(&key(attempt));
    }

    /// The attempts held now.
    pub(crate) fn held(&self) -> Vec<Arc<Attempt>> {
        self.attempts().values().cloned().collect()
    }
}

/// An attempt's identity: kind, id and attempt number.
fn key(attempt: &Attempt) -> String {
    let unit = attempt.unit();
    format!("{}/{}/{}", unit.kind, unit.id, unit.attempt)
}
