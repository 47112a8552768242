//! Workers that go away.

use std::time::Duration;

use bitfront_worker::{Kind, WorkerError};

use crate::fake::{Call, Fake};
use crate::fixture::{ENDLESS, Running, queue_trial};

#[tokio::test]
async fn a_drain_lets_short_work_end() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    // Long enough to be running when a heartbeat is due, short enough to end within the grace.
    let unit = queue_trial(&fake, 30_000);
    fake.training(&unit).await;
    worker.drained().await;
    assert_eq!(fake.reports(&unit), 1);
    fake.completed(&unit).await;
}

#[tokio::test]
async fn a_drain_releases_what_does_not_end_within_the_grace() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |config| config.grace = Duration::from_millis(100));
    let unit = queue_trial(&fake, ENDLESS);
    fake.training(&unit).await;
    let waiting = queue_trial(&fake, 1);
    worker.drained().await;
    fake.released(&unit).await;
    assert_eq!(fake.reports(&unit), 1);
    // Nothing new was begun, and the coordinator knows that the worker is leaving.
    assert_eq!(fake.reports(&waiting), 0);
    fake.with(|state| {
        let last = state.calls.iter().rev().find_map(|call| match call {
            Call::Heartbeat(beat) => Some(beat.clone()),
            _ => None,
        });
        assert!(last.unwrap().draining);
    });
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |config| config.grace = Duration::from_hours(1));
    let unit = queue_trial(&fake, ENDLESS);
    fake.training(&unit).await;
    worker.drain.cancel();
    fake.wait("a draining heartbeat", |state| {
        state
            .calls
            .iter()
            .any(|call| matches!(call, Call::Heartbeat(beat) if beat.draining))
            .then_some(())
    })
    .await;
    assert_eq!(fake.reports(&unit), 0);
    worker.immediate.cancel();
    worker.ended().await.unwrap();
    fake.released(&unit).await;
}

#[tokio::test]
async fn the_coordinator_can_ask_a_worker_to_stop() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    fake.with(|state| state.stop = true);
    worker.ended().await.unwrap();
}

#[tokio::test]
async fn an_idle_worker_ends_after_its_idle_time() {
    let fake = Fake::start();
    let unit = queue_trial(&fake, 2);
    let worker = Running::start(&fake, |config| {
        config.max_idle = Some(Duration::from_millis(300));
    });
    worker.ended().await.unwrap();
    assert_eq!(fake.reports(&unit), 1);
}

#[tokio::test]
async fn settings_that_cannot_be_honoured_are_errors() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |config| config.slots = 0);
    let error = worker.ended().await.unwrap_err();
    assert!(matches!(error, WorkerError::Config { field: "slots", .. }));
    if !bitfront_worker::tools().can_synthesise() {
        let worker = Running::start(&fake, |config| config.kinds = vec![Kind::Synthesis]);
        let error = worker.ended().await.unwrap_err();
        assert!(error.to_string().contains("kinds"), "{error}");
    }
    assert_eq!(fake.registrations(), 0);
}
