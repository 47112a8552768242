//! Leases that are lost, cancelled or run out.

use std::time::Duration;

use bitfront_proto::v1::LeaseAnswer;

use crate::fake::Fake;
use crate::fixture::{ENDLESS, Running, queue_trial};

#[tokio::test]
async fn a_lost_lease_publishes_nothing() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let lost = queue_trial(&fake, ENDLESS);
    fake.training(&lost).await;
    fake.with(|state| state.answers.insert(lost.id.clone(), LeaseAnswer::Lost));
    // The only slot is free again: the next trial runs and completes.
    let next = queue_trial(&fake, 2);
    fake.completed(&next).await;
    assert_eq!(fake.reports(&lost), 0);
    worker.drained().await;
    assert_eq!(fake.reports(&lost), 0);
}

#[tokio::test]
async fn a_cancelled_unit_is_stopped_and_handed_back() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let unit = queue_trial(&fake, ENDLESS);
    fake.training(&unit).await;
    fake.with(|state| state.answers.insert(unit.id.clone(), LeaseAnswer::Cancel));
    fake.released(&unit).await;
    assert_eq!(fake.reports(&unit), 1);
    worker.drained().await;
}

#[tokio::test]
async fn a_lease_that_could_not_be_renewed_is_dropped_in_silence() {
    let fake = Fake::start();
    fake.with(|state| state.lease_ttl = Duration::from_millis(1500));
    let worker = Running::start(&fake, |_| {});
    let stale = queue_trial(&fake, ENDLESS);
    fake.training(&stale).await;
    // Nobody answers for longer than the lease; only heartbeats are tried meanwhile.
    fake.with(|state| state.unavailable = true);
    tokio::time::timeout(Duration::from_mins(1), async {
        let start = tokio::time::Instant::now();
        while start.elapsed() < Duration::from_millis(1600) {
            let before = fake.with(|state| state.refused);
            fake.wait("another try", |state| {
                (state.refused > before).then_some(())
            })
            .await;
        }
    })
    .await
    .unwrap();
    let next = queue_trial(&fake, 2);
    fake.with(|state| state.unavailable = false);
    fake.completed(&next).await;
    assert_eq!(fake.reports(&stale), 0);
    worker.drained().await;
}
