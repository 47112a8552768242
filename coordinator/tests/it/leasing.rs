//! Claim, renew, release, reap and cancel.

use std::{collections::HashSet, time::Duration};

use bitfront_coordinator::{
    error::Kind,
    ids::WorkerId,
    lease::lease,
    store::leases::{Ask, Renewal},
};
use bitfront_search::life::{SearchEvent, UnitKind};
use tokio::task::JoinSet;

use crate::support::{TTL, TestStore, Wanted};

#[tokio::test]
async fn an_expired_lease_goes_to_another_attempt_later() {
    let test = TestStore::new().await;
    test.submit(Wanted {
        trials: 1,
        ..Wanted::default()
    })
    .await;
    let worker = test.worker().await;
    let first = worker.lease_one().await;
    assert!(
        test.store().reap(10).await.unwrap().is_empty(),
        "a live lease is left alone"
    );
    test.run_out(first.unit).await;
    assert_eq!(test.store().reap(10).await.unwrap().len(), 1);
    let row = test.unit(first.unit).await;
    assert_eq!((row.state.as_str(), row.charged), ("queued", 1));
    assert_eq!(row.error_code.as_deref(), Some("lease-expired"));
    assert!(
        worker.lease(1).await.is_empty(),
        "it waits before it is tried again"
    );
    test.end_backoff().await;
    assert_eq!(worker.lease_one().await.attempt, 2);
    let reasons: Vec<Option<String>> =
        sqlx::query_scalar("select end_reason from attempts order by attempt")
            .fetch_all(&test.pool)
            .await
            .unwrap();
    assert_eq!(reasons, [Some("lease_expired".to_owned()), None]);
}

#[tokio::test]
async fn a_heartbeat_that_comes_before_the_reaper_keeps_the_lease() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let lease = worker.lease_one().await;
    test.run_out(lease.unit).await;
    assert_eq!(
        test.store().renew(worker.id, &[lease], TTL).await.unwrap(),
        [Renewal::Extended]
    );
    assert!(test.store().reap(10).await.unwrap().is_empty());
    assert_eq!(test.unit(lease.unit).await.attempt, 1);
}

#[tokio::test]
async fn work_that_kills_its_workers_fails_as_poison() {
    let test = TestStore::new().await;
    let search = test
        .submit(Wanted {
            trials: 1,
            ..Wanted::default()
        })
        .await;
    let worker = test.worker().await;
    for attempt in 1..=3 {
        test.end_backoff().await;
        let lease = worker.lease_one().await;
        assert_eq!(lease.attempt, attempt);
        test.run_out(lease.unit).await;
        bitfront_coordinator::reaper::sweep(&test.state)
            .await
            .unwrap();
    }
    test.end_backoff().await;
    assert!(
        worker.lease(1).await.is_empty(),
        "it is not tried a fourth time"
    );
    assert_eq!(
        test.count("select count(*) from units where state = 'failed' and charged = 3")
            .await,
        1
    );
    assert_eq!(
        test.search_state(search).await,
        "finished",
        "a failed trial does not keep its search open"
    );
}

#[tokio::test]
async fn a_search_ends_with_the_last_lease_that_is_let_go_and_needs_no_sweep() {
    let test = TestStore::new().await;
    let one = || Wanted {
        trials: 1,
        ..Wanted::default()
    };
    let worker = test.worker().await;
    // A reaped lease that was its trial's last attempt.
    let poison = test.submit(one()).await;
    let mut let_go = Vec::new();
    for _ in 0..3 {
        test.end_backoff().await;
        let lease = worker.lease_one().await;
        test.run_out(lease.unit).await;
        let_go = test.store().reap(10).await.unwrap();
        assert_eq!(test.search_state(poison).await, "running");
        test.store().settle_ended(&let_go).await.unwrap();
    }
    assert!(let_go[0].state.is_terminal());
    assert_eq!(test.search_state(poison).await, "finished");

    // A cancelled trial that its worker hands back.
    let cancelled = test.submit(one()).await;
    let lease = worker.lease_one().await;
    test.store()
        .cancel_unit(cancelled, lease.unit)
        .await
        .unwrap();
    assert_eq!(test.search_state(cancelled).await, "running");
    let let_go = test.store().release(worker.id, &[lease]).await.unwrap();
    assert_eq!(test.search_state(cancelled).await, "running");
    test.store().settle_ended(&let_go).await.unwrap();
    assert_eq!(test.search_state(cancelled).await, "finished");
    assert_eq!(
        test.store().settle_idle().await.unwrap(),
        0,
        "nothing was left for a sweep"
    );
}

#[tokio::test]
async fn a_failure_is_retried_only_where_that_may_help() {
    let test = TestStore::new().await;
    test.submit(Wanted {
        trials: 2,
        ..Wanted::default()
    })
    .await;
    let worker = test.worker().await;
    let leases = worker.lease(2).await;
    worker.fail(leases[0].holding, false).await.unwrap();
    worker.fail(leases[1].holding, true).await.unwrap();
    assert_eq!(test.unit(leases[0].holding.unit).await.state, "failed");
    assert_eq!(test.unit(leases[1].holding.unit).await.state, "queued");
}

#[tokio::test]
async fn a_release_is_not_charged_and_the_fence_still_grows() {
    let test = TestStore::new().await;
    test.submit(Wanted {
        trials: 1,
        ..Wanted::default()
    })
    .await;
    let worker = test.worker().await;
    for attempt in 1..=5 {
        let lease = worker.lease_one().await;
        assert_eq!(lease.attempt, attempt);
        let let_go = test.store().release(worker.id, &[lease]).await.unwrap();
        assert_eq!(let_go.len(), 1);
        assert_eq!(test.unit(lease.unit).await.charged, 0);
    }
}

#[tokio::test]
async fn the_same_request_gets_the_same_leases() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let ask = worker.ask(3);
    let first = lease(&test.state, ask.clone(), Duration::ZERO)
        .await
        .unwrap();
    let again = lease(&test.state, ask.clone(), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(first.len(), 3);
    assert_eq!(first, again);
    assert_eq!(test.count("select count(*) from attempts").await, 3);
    let other = worker.lease(3).await;
    assert!(
        other.iter().all(|lease| !first.contains(lease)),
        "another request gets other leases"
    );
}

/// A request that is repeated while the first is still being answered, by two coordinators.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_at_the_same_moment_takes_one_set_of_units() {
    let test = TestStore::new().await;
    test.submit(Wanted {
        trials: 40,
        parallel: 40,
        ..Wanted::default()
    })
    .await;
    let second = test.second().await;
    let worker = test.worker().await;
    // Some units wait, others have to be proposed.
    let released = worker.lease(2).await;
    let holdings: Vec<_> = released.iter().map(|lease| lease.holding).collect();
    test.store().release(worker.id, &holdings).await.unwrap();
    for _ in 0..5 {
        let ask = worker.ask(3);
        let mut calls = JoinSet::new();
        for state in [&test.state, &second, &test.state, &second] {
            let (state, ask) = (state.clone(), ask.clone());
            calls.spawn(async move { lease(&state, ask, Duration::ZERO).await });
        }
        let mut units = HashSet::new();
        while let Some(answer) = calls.join_next().await {
            units.extend(
                answer
                    .unwrap()
                    .unwrap()
                    .into_iter()
                    .map(|lease| lease.holding.unit),
            );
        }
        assert!(
            (1..=3).contains(&units.len()),
            "{} units for one request of three",
            units.len()
        );
        let held = test.store().held(&ask).await.unwrap();
        assert_eq!(
            held.iter()
                .map(|lease| lease.holding.unit)
                .collect::<HashSet<_>>(),
            units
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_unit_is_leased_twice_at_once() {
    let test = TestStore::new().await;
    test.submit(Wanted {
        trials: 30,
        parallel: 30,
        ..Wanted::default()
    })
    .await;
    let maker = test.worker().await;
    let made: Vec<_> = maker
        .lease(30)
        .await
        .iter()
        .map(|lease| lease.holding)
        .collect();
    assert_eq!(made.len(), 30);
    test.store().release(maker.id, &made).await.unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        let worker = test.worker().await;
        calls.spawn(async move { worker.lease(5).await });
    }
    let mut seen = HashSet::new();
    while let Some(leases) = calls.join_next().await {
        for lease in leases.unwrap() {
            assert!(
                seen.insert(lease.holding.unit),
                "unit {} was leased twice",
                lease.holding.unit
            );
        }
    }
    assert_eq!(
        test.count("select count(*) from units where state = 'leased' and attempt = 2")
            .await,
        seen.len() as i64
    );
}

#[tokio::test]
async fn a_cancel_reaches_the_worker_with_its_heartbeat() {
    let test = TestStore::new().await;
    let search = test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let leases: Vec<_> = worker
        .lease(3)
        .await
        .iter()
        .map(|lease| lease.holding)
        .collect();
    test.store().release(worker.id, &leases[..1]).await.unwrap();
    test.store()
        .steer(search, SearchEvent::Cancel)
        .await
        .unwrap();
    assert_eq!(
        test.unit(leases[0].unit).await.state,
        "cancelled",
        "what waits ends at once"
    );
    let answers = test.store().renew(worker.id, &leases, TTL).await.unwrap();
    assert_eq!(answers, [Renewal::Lost, Renewal::Cancel, Renewal::Cancel]);
    test.store()
        .release(worker.id, &leases[1..2])
        .await
        .unwrap();
    assert_eq!(test.unit(leases[1].unit).await.state, "cancelled");
    test.run_out(leases[2].unit).await;
    test.store().reap(10).await.unwrap();
    assert_eq!(
        test.unit(leases[2].unit).await.state,
        "cancelled",
        "a worker that died does not bring it back"
    );
    assert!(
        worker.lease(1).await.is_empty(),
        "a cancelled search proposes nothing"
    );
}

#[tokio::test]
async fn a_pause_stops_leasing_and_lets_leased_work_end() {
    let test = TestStore::new().await;
    let search = test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let leases: Vec<_> = worker
        .lease(2)
        .await
        .iter()
        .map(|lease| lease.holding)
        .collect();
    test.store().release(worker.id, &leases[..1]).await.unwrap();
    test.store()
        .steer(search, SearchEvent::Pause)
        .await
        .unwrap();
    assert!(worker.lease(5).await.is_empty());
    assert_eq!(
        test.store()
            .renew(worker.id, &leases[1..], TTL)
            .await
            .unwrap(),
        [Renewal::Extended]
    );
    worker.complete(leases[1]).await.unwrap();
    test.store()
        .steer(search, SearchEvent::Resume)
        .await
        .unwrap();
    assert_eq!(worker.lease(5).await.len(), 5);
}

#[tokio::test]
async fn a_worker_gets_only_the_kinds_it_asks_for() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let ask = Ask {
        kinds: vec![UnitKind::Synthesis],
        ..worker.ask(1)
    };
    assert!(
        lease(&test.state, ask, Duration::ZERO)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn an_unknown_worker_is_told_to_register() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let ask = Ask {
        worker: WorkerId::new(),
        ..worker.ask(1)
    };
    let error = lease(&test.state, ask, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(test.count("select count(*) from units").await, 0);
}

#[tokio::test]
async fn a_worker_that_shall_stop_gets_no_work() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    test.store().stop_worker(worker.id).await.unwrap();
    assert!(
        lease(&test.state, worker.ask(1), Duration::from_secs(30))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(test.store().worker_seen(worker.id, None).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_call_is_woken_by_new_work() {
    let test = TestStore::new().await;
    let worker = test.worker().await;
    let waiting = tokio::spawn({
        let (state, ask) = (test.state.clone(), worker.ask(1));
        async move { lease(&state, ask, Duration::from_secs(30)).await }
    });
    // No ring: the call finds it by itself, as it does when another coordinator took the submission.
    test.submit(Wanted::default()).await;
    let leases = tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("well before its deadline");
    assert_eq!(leases.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn a_draining_coordinator_answers_empty() {
    let test = TestStore::new().await;
    let worker = test.worker().await;
    let waiting = lease(&test.state, worker.ask(1), Duration::from_secs(30));
    let (answer, ()) = tokio::join!(waiting, async { test.state.shutdown.cancel() });
    assert!(answer.unwrap().is_empty());
}

#[tokio::test]
async fn curves_and_logs_belong_to_the_running_attempt() {
    use bitfront_coordinator::store::leases::Measured;
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let lease = worker.lease_one().await;
    let point = |epoch, train_loss| Measured {
        holding: lease,
        epoch,
        train_loss: Some(train_loss),
        validation_loss: Some(1.0),
        validation_accuracy: Some(0.5),
        learning_rate: Some(0.01),
    };
    let points = [point(1, 0.9), point(2, f64::NAN)];
    test.store().measure(worker.id, &points).await.unwrap();
    test.store().measure(worker.id, &points).await.unwrap();
    assert_eq!(
        test.count("select count(*) from measurements").await,
        2,
        "a point sent twice counts once"
    );
    assert_eq!(
        test.count("select count(*) from measurements where train_loss is null")
            .await,
        1
    );
    let long = "x".repeat(40_000);
    for text in ["first\0\n", &long, &long] {
        test.store()
            .append_logs(worker.id, &[(lease, text.to_owned())])
            .await
            .unwrap();
    }
    assert_eq!(
        test.count("select length(log_tail)::bigint from attempts")
            .await,
        65_536
    );

    test.store().release(worker.id, &[lease]).await.unwrap();
    test.store()
        .measure(worker.id, &[point(3, 0.1)])
        .await
        .unwrap();
    test.store()
        .append_logs(worker.id, &[(lease, "late".to_owned())])
        .await
        .unwrap();
    assert_eq!(test.count("select count(*) from measurements").await, 2);
    assert_eq!(
        test.count("select count(*) from attempts where log_tail like '%late'")
            .await,
        0
    );
}
