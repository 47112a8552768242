//! The states of a unit of work and of a search, and which events move them.
//!
//! ```text
//! unit of work (a trial or a synthesis job)
//!
//!                 lease                  complete
//!   queued -----------------> leased --------------> completed
//!    |  ^                     | | | \    fail
//!    |  |  release, expire,   | | |  `-------------> failed      (also: expire, last attempt)
//!    |  |  fail (retry)       | | |
//!    |  +---------------------+ | |      prune
//!    |  |                       | +----------------> pruned      (trials only)
//!    |  | promote         pause |                      ^
//!    |  +------------ paused <--+   (trials only)      | prune
//!    |                  |  `---------------------------+
//!    |     cancel       |  cancel       (leased: cancel too)
//!    +------------------+------------------------> cancelled
//!    |  share           (synthesis jobs only)
//!    `-------------------------------------------> completed
//!
//! search
//!
//!             pause                       finish
//!   running --------> paused      running, paused ----> finished --+ archive
//!      ^                |                                          +--------> archived
//!      +----------------+         running, paused ----> cancelled -+
//!            resume                       cancel
//! ```
//!
//! The rules this module keeps (promise P3): completed, failed, pruned and cancelled absorb - no
//! event moves a unit out of them, so it has at most one outcome. Only a leased unit ends by its own
//! worker's report, and whether the reporter holds the lease (the fence) is the store's check, made
//! in the same statement; a synthesis job that waits may end with the result of an equal one. A lease that expires is charged as an attempt, a released one is not.
//! Pausing a search stops leasing and lets leased work end; a cancelled search cancels its units,
//! and its workers learn of it with their next heartbeat.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What is leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// Training and scoring of one candidate.
    Trial,
    /// RTL, simulation and synthesis of one trial.
    Synthesis,
}

/// State of a unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitState {
    /// Waits for a worker.
    Queued,
    /// A worker holds its lease.
    Leased,
    /// Waits at a rung's end for a promotion (trials only).
    Paused,
    /// Ended with its scores.
    Completed,
    /// Ended without; the last attempt says why.
    Failed,
    /// Stopped because others were better (trials only).
    Pruned,
    /// Stopped by a user.
    Cancelled,
}

/// What happens to a unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitEvent {
    /// A worker takes it.
    Lease,
    /// The lease's holder reports its scores.
    Complete,
    /// The result of an equal synthesis job stands for this one's: equal circuits are built once.
    Share,
    /// The lease's holder reports a failure; `retry` if it may pass and attempts are left.
    Fail {
        /// Whether it is tried again.
        retry: bool,
    },
    /// The lease ran out by database time; `retry` if attempts are left.
    Expire {
        /// Whether it is tried again.
        retry: bool,
    },
    /// The lease's holder gives it back unharmed (a drain).
    Release,
    /// A trial reached a rung's end without promotion.
    Pause,
    /// A paused trial may go on.
    Promote,
    /// A trial is stopped for the sake of better ones.
    Prune,
    /// The user cancelled it, or its search.
    Cancel,
}

/// State of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchState {
    /// Its work is leased.
    Running,
    /// No new leases; leased work ends.
    Paused,
    /// All trials and all owed synthesis jobs are terminal.
    Finished,
    /// Stopped by a user.
    Cancelled,
    /// Put away; it no longer shows in lists.
    Archived,
}

/// What happens to a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SearchEvent {
    /// The user stops leasing.
    Pause,
    /// The user goes on.
    Resume,
    /// Nothing is left to do; see [`Remaining::is_finished`].
    Finish,
    /// The user gives it up.
    Cancel,
    /// The user puts it away.
    Archive,
}

/// An event that a state does not allow; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible in state {state}")]
pub struct Refused {
    /// The state, by its name.
    pub state: &'static str,
    /// The event, by its name.
    pub event: &'static str,
}

impl UnitState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Leased,
        Self::Paused,
        Self::Completed,
        Self::Failed,
        Self::Pruned,
        Self::Cancelled,
    ];

    /// The name in rows, answers and pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Pruned => "pruned",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the unit has its outcome; then no event changes it.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Pruned | Self::Cancelled
        )
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// [`Refused`] where the diagram has no such arrow.
    pub fn next(self, kind: UnitKind, event: UnitEvent) -> Result<Self, Refused> {
        let trial = kind == UnitKind::Trial;
        match (self, event) {
            (Self::Queued, UnitEvent::Lease) => Ok(Self::Leased),
            (Self::Leased, UnitEvent::Complete) => Ok(Self::Completed),
            (Self::Queued, UnitEvent::Share) if !trial => Ok(Self::Completed),
            (
                Self::Leased,
                UnitEvent::Fail { retry: true }
                | UnitEvent::Expire { retry: true }
                | UnitEvent::Release,
            ) => Ok(Self::Queued),
            (Self::Leased, UnitEvent::Fail { .. } | UnitEvent::Expire { .. }) => Ok(Self::Failed),
            (Self::Leased, UnitEvent::Pause) if trial => Ok(Self::Paused),
            (Self::Paused, UnitEvent::Promote) if trial => Ok(Self::Queued),
            (Self::Leased | Self::Paused, UnitEvent::Prune) if trial => Ok(Self::Pruned),
            (Self::Queued | Self::Leased | Self::Paused, UnitEvent::Cancel) => Ok(Self::Cancelled),
            (state, event) => Err(Refused {
                state: state.name(),
                event: event.name(),
            }),
        }
    }
}

impl UnitEvent {
    /// The event's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Complete => "complete",
            Self::Share => "share",
            Self::Fail { .. } => "fail",
            Self::Expire { .. } => "expire",
            Self::Release => "release",
            Self::Pause => "pause",
            Self::Promote => "promote",
            Self::Prune => "prune",
            Self::Cancel => "cancel",
        }
    }

    /// Whether the attempt that ends with this event counts against the unit's limit.
    pub fn is_charged(self) -> bool {
        matches!(self, Self::Fail { .. } | Self::Expire { .. })
    }
}

/// Whether a unit with `charged` charged attempts, the one that just ended included, may be tried
/// again under a limit of `max_attempts`.
pub fn may_retry(charged: u32, max_attempts: u32) -> bool {
    charged < max_attempts
}

impl SearchState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Running,
        Self::Paused,
        Self::Finished,
        Self::Cancelled,
        Self::Archived,
    ];

    /// The name in rows, answers and pages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Archived => "archived",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether new leases are given.
    pub fn leases(self) -> bool {
        self == Self::Running
    }

    /// Whether work may still happen.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }

    /// The state after `event`. Asking for the state a search is in changes nothing and is not
    /// refused, so that a repeated request is answered like the first.
    ///
    /// # Errors
    /// [`Refused`] where the diagram has no such arrow.
    pub fn next(self, event: SearchEvent) -> Result<Self, Refused> {
        match (self, event) {
            (Self::Running | Self::Paused, SearchEvent::Pause) => Ok(Self::Paused),
            (Self::Running | Self::Paused, SearchEvent::Resume) => Ok(Self::Running),
            (Self::Running | Self::Paused | Self::Finished, SearchEvent::Finish) => {
                Ok(Self::Finished)
            }
            (Self::Running | Self::Paused | Self::Cancelled, SearchEvent::Cancel) => {
                Ok(Self::Cancelled)
            }
            (Self::Finished | Self::Cancelled | Self::Archived, SearchEvent::Archive) => {
                Ok(Self::Archived)
            }
            (state, event) => Err(Refused {
                state: state.name(),
                event: event.name(),
            }),
        }
    }
}

impl SearchEvent {
    /// The event's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Finish => "finish",
            Self::Cancel => "cancel",
            Self::Archive => "archive",
        }
    }
}

/// What a search still has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// Whether another trial will be proposed: the budget is not spent and the space not exhausted.
    pub proposals: bool,
    /// Trials that are not terminal.
    pub open_trials: u64,
    /// Synthesis jobs that the policy owes and that have no row yet.
    pub owed_synthesis: u64,
    /// Synthesis jobs that are not terminal.
    pub open_synthesis: u64,
}

impl Remaining {
    /// Whether nothing is left: [`SearchEvent::Finish`] is due.
    pub fn is_finished(self) -> bool {
        !self.proposals
            && self.open_trials == 0
            && self.owed_synthesis == 0
            && self.open_synthesis == 0
    }
}

impl fmt::Display for UnitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for SearchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
