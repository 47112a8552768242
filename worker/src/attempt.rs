//! One attempt as the worker sees it: its lease clock, its stop, and what it has yet to tell.
//!
//! The rule this module keeps: the lease counts on this machine's monotonic clock from when the
//! request was *sent*; past it without an accepted renewal the attempt publishes nothing more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bitfront_proto::v1::{EpochMeasurement, LeaseAnswer, Progress, UnitRef};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::log::AttemptLog;

/// Log text sent with one heartbeat, bytes.
const TAIL: usize = 16 << 10;
/// Curve points sent with one heartbeat.
const POINTS: usize = 4096;

/// Why an attempt was stopped before it ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The coordinator said that the lease is another's, or the work has ended.
    Lost,
    /// No renewal was accepted in time.
    Expired,
    /// The unit of work was cancelled.
    Cancelled,
    /// This worker is going away.
    Released,
}

impl Stop {
    /// Whether the unit of work is still this worker's to hand back.
    pub(crate) fn owes_release(self) -> bool {
        matches!(self, Self::Cancelled | Self::Released)
    }
}

/// One attempt that this worker holds.
pub(crate) struct Attempt {
    unit: UnitRef,
    /// Stops the work; cancelled exactly when `reason` is set.
    stop: CancellationToken,
    reporting: AtomicBool,
    state: Mutex<State>,
}

struct State {
    deadline: Instant,
    reason: Option<Stop>,
    epochs: Vec<EpochMeasurement>,
    log: AttemptLog,
}

/// How much of an attempt's news a heartbeat carried, to be forgotten once it is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    epochs: usize,
    log: u64,
}

impl Attempt {
    /// An attempt whose lease was asked for at `sent` and lasts `ttl`.
    pub(crate) fn new(unit: UnitRef, sent: Instant, ttl: Duration) -> Self {
        Self {
            unit,
            stop: CancellationToken::new(),
            reporting: AtomicBool::new(false),
            state: Mutex::new(State {
                deadline: deadline(sent, ttl),
                reason: None,
                epochs: Vec::new(),
                log: AttemptLog::default(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements, so a panic elsewhere spoils nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kind, id and attempt number.
    pub(crate) fn unit(&self) -> &UnitRef {
        &self.unit
    }

    /// Whether the work should stop now.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until the work should stop.
    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Why it was stopped.
    pub(crate) fn reason(&self) -> Option<Stop> {
        self.state().reason
    }

    /// Stops the work; the first reason stands.
    pub(crate) fn stop(&self, reason: Stop) {
        self.state().reason.get_or_insert(reason);
        self.stop.cancel();
    }

    /// Ends the attempt as expired when its lease runs out. Never returns before that.
    pub(crate) async fn watch(&self) {
        loop {
            let deadline = self.state().deadline;
            if deadline <= Instant::now() {
                break;
            }
            tokio::time::sleep_until(deadline).await;
        }
        self.stop(Stop::Expired);
    }

    /// Whether the lease still holds on this clock; ends the attempt where it does not. Asked before
    /// anything is published: a process that was suspended may get here before its watchdog does.
    pub(crate) fn may_publish(&self) -> bool {
        if self.state().deadline <= Instant::now() {
            self.stop(Stop::Expired);
        }
        !self.is_stopped()
    }

    /// From here on the result is on its way: news travels with it, and an answer that the lease is
    /// gone may only mean that the result has arrived.
    pub(crate) fn begin_report(&self) {
        self.reporting.store(true, Ordering::SeqCst);
    }

    /// Adds a curve point for the next heartbeat.
    pub(crate) fn epoch(&self, point: EpochMeasurement) {
        self.state().epochs.push(point);
    }

    /// Adds a line to the log.
    pub(crate) fn log(&self, line: &str) {
        self.state().log.line(line);
    }

    /// The whole log as kept.
    pub(crate) fn whole_log(&self) -> String {
        self.state().log.text()
    }

    /// What the next heartbeat says of this attempt.
    pub(crate) fn progress(&self) -> (Progress, Carried) {
        let mut progress = Progress {
            unit: Some(self.unit.clone()),
            ..Progress::default()
        };
        if self.reporting.load(Ordering::SeqCst) {
            return (progress, Carried::default());
        }
        let state = self.state();
        progress.epochs = state.epochs.iter().take(POINTS).copied().collect();
        let (tail, log) = state.log.unsent(TAIL);
        progress.log_tail = tail;
        let carried = Carried {
            epochs: progress.epochs.len(),
            log,
        };
        (progress, carried)
    }

    /// All news not yet accepted, for the final report.
    pub(crate) fn last_news(&self) -> (Vec<EpochMeasurement>, String) {
        let state = self.state();
        (state.epochs.clone(), state.log.unsent(TAIL).0)
    }

    /// Takes the answer to a heartbeat sent at `sent`.
    pub(crate) fn answered(
        &self,
        answer: LeaseAnswer,
        carried: Carried,
        sent: Instant,
        ttl: Duration,
    ) {
        match answer {
            LeaseAnswer::Extended => {
                let mut state = self.state();
                state.deadline = state.deadline.max(deadline(sent, ttl));
                let epochs = carried.epochs.min(state.epochs.len());
                state.epochs.drain(..epochs);
                state.log.accepted(carried.log);
            }
            LeaseAnswer::Lost if !self.reporting.load(Ordering::SeqCst) => self.stop(Stop::Lost),
            LeaseAnswer::Cancel if !self.reporting.load(Ordering::SeqCst) => {
                self.stop(Stop::Cancelled);
            }
            LeaseAnswer::Lost | LeaseAnswer::Cancel | LeaseAnswer::Unspecified => {}
        }
    }
}

/// When the right to publish ends: a twentieth before the lease does, for the last call under way.
fn deadline(sent: Instant, ttl: Duration) -> Instant {
    sent + ttl - ttl / 20
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(20);

    fn attempt() -> Attempt {
        Attempt::new(UnitRef::default(), Instant::now(), TTL)
    }

    fn point(epoch: u32) -> EpochMeasurement {
        EpochMeasurement {
            epoch,
            ..EpochMeasurement::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_without_renewal_expires_on_this_clock() {
        let attempt = attempt();
        let start = Instant::now();
        attempt.watch().await;
        assert_eq!(start.elapsed(), Duration::from_secs(19));
        assert_eq!(attempt.reason(), Some(Stop::Expired));
        assert!(!attempt.may_publish());
        assert!(attempt.is_stopped() && !Stop::Expired.owes_release());
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_slept_through_its_lease_publishes_nothing() {
        let attempt = attempt();
        assert!(attempt.may_publish());
        tokio::time::advance(TTL).await;
        // No watchdog ran meanwhile.
        assert!(!attempt.may_publish());
        assert_eq!(attempt.reason(), Some(Stop::Expired));
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_counts_from_when_it_was_sent() {
        let attempt = attempt();
        let start = Instant::now();
        tokio::time::advance(Duration::from_secs(10)).await;
        // Sent at 4 s, answered at 10 s.
        let sent = start + Duration::from_secs(4);
        attempt.answered(LeaseAnswer::Extended, Carried::default(), sent, TTL);
        // An older answer that comes in late takes nothing back.
        attempt.answered(LeaseAnswer::Extended, Carried::default(), start, TTL);
        attempt.watch().await;
        assert_eq!(start.elapsed(), Duration::from_secs(23));
    }

    #[tokio::test]
    async fn news_is_kept_until_it_is_accepted() {
        let attempt = attempt();
        attempt.epoch(point(1));
        attempt.log("one");
        let (first, carried) = attempt.progress();
        assert_eq!(first.epochs.len(), 1);
        attempt.epoch(point(2));
        // The first heartbeat failed: the next says all of it again.
        let (again, both) = attempt.progress();
        assert_eq!(again.epochs, vec![point(1), point(2)]);
        assert_eq!(again.log_tail, "one\n");
        attempt.answered(LeaseAnswer::Extended, carried, Instant::now(), TTL);
        assert_eq!(attempt.progress().0.epochs, vec![point(2)]);
        assert_eq!(attempt.progress().0.log_tail, "");
        assert_ne!(carried, both);
    }

    #[tokio::test]
    async fn the_first_reason_stands() {
        let attempt = attempt();
        attempt.answered(LeaseAnswer::Cancel, Carried::default(), Instant::now(), TTL);
        attempt.stop(Stop::Lost);
        assert_eq!(attempt.reason(), Some(Stop::Cancelled));
    }

    #[tokio::test]
    async fn a_lost_answer_during_the_report_is_ignored() {
        let attempt = attempt();
        attempt.epoch(point(1));
        attempt.begin_report();
        assert!(attempt.progress().0.epochs.is_empty());
        assert_eq!(attempt.last_news().0.len(), 1);
        attempt.answered(LeaseAnswer::Lost, Carried::default(), Instant::now(), TTL);
        assert!(!attempt.is_stopped());
    }
}
