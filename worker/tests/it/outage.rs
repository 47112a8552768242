//! Coordinators that do not answer for a while, or come back as another process.

use crate::fake::{Call, Fake};
use crate::fixture::{ENDLESS, Running, queue_trial};
use bitfront_proto::v1::LeaseAnswer;

/// Enough to go on through several refused heartbeats.
const EPOCHS: u32 = 40_000;

#[tokio::test]
async fn work_goes_on_while_nobody_answers() {
    let fake = Fake::start();
    fake.with(|state| state.unavailable = true);
    let worker = Running::start(&fake, |_| {});
    fake.wait("tries to register", |state| {
        (state.refused >= 3).then_some(())
    })
    .await;
    fake.with(|state| state.unavailable = false);

    let unit = queue_trial(&fake, EPOCHS);
    fake.training(&unit).await;
    fake.with(|state| {
        state.unavailable = true;
        state.refused = 0;
    });
    fake.wait("refused heartbeats", |state| {
        (state.refused >= 4).then_some(())
    })
    .await;
    fake.with(|state| state.unavailable = false);
    let done = fake.completed(&unit).await;
    assert_eq!(fake.reports(&unit), 1);
    // No curve point was lost in the outage.
    let mut seen = vec![false; EPOCHS as usize];
    fake.with(|state| {
        for call in &state.calls {
            if let Call::Heartbeat(beat) = call {
                let epochs = beat.units.iter().flat_map(|progress| &progress.epochs);
                epochs.for_each(|e| seen[e.epoch as usize - 1] = true);
            }
        }
    });
    done.epochs
        .iter()
        .for_each(|e| seen[e.epoch as usize - 1] = true);
    assert!(seen.iter().all(|seen| *seen));
    worker.drained().await;
}

#[tokio::test]
async fn a_restarted_coordinator_finds_its_workers_again() {
    let mut fake = Fake::start();
    let worker = Running::start(&fake, |config| config.slots = 2);
    let unit = queue_trial(&fake, ENDLESS);
    fake.training(&unit).await;
    fake.kill();
    let before = fake.registrations();
    let next = queue_trial(&fake, 3);
    fake.restart().await;
    fake.completed(&next).await;
    assert!(fake.registrations() > before, "the worker registers again");
    // The trial that ran through the restart is still this worker's.
    let beats = fake.with(|state| state.calls.len());
    fake.wait("a renewal after the restart", |state| {
        state.calls[beats..]
            .iter()
            .any(|call| {
                matches!(call, Call::Heartbeat(beat)
                    if beat.units.iter().any(|p| p.unit.as_ref() == Some(&unit)))
            })
            .then_some(())
    })
    .await;
    fake.with(|state| state.answers.insert(unit.id.clone(), LeaseAnswer::Cancel));
    fake.released(&unit).await;
    worker.drained().await;
}
