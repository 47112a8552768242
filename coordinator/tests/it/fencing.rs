//! Promise P3: at most one outcome, by the attempt that holds the lease.

use bitfront_coordinator::{error::Kind, store::leases::Renewal};

use crate::support::{TTL, TestStore, Wanted};

#[tokio::test]
async fn a_late_report_changes_nothing() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let (slow, quick) = (test.worker().await, test.worker().await);
    let first = slow.lease_one().await;
    test.run_out(first.unit).await;
    test.store().reap(10).await.unwrap();
    test.end_backoff().await;
    let second = quick.lease_one().await;
    assert_eq!(second.unit, first.unit, "the same unit again");
    assert_eq!(second.attempt, 2, "under the next fencing token");

    let before = test.unit(first.unit).await;
    assert_eq!(
        slow.complete(first).await.unwrap_err().kind(),
        Kind::LeaseLost
    );
    assert_eq!(
        slow.fail(first, true).await.unwrap_err().kind(),
        Kind::LeaseLost
    );
    assert_eq!(
        test.store().renew(slow.id, &[first], TTL).await.unwrap(),
        [Renewal::Lost]
    );
    assert!(
        test.store()
            .release(slow.id, &[first])
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(test.unit(first.unit).await, before, "nothing has changed");

    quick.complete(second).await.unwrap();
    assert_eq!(
        slow.complete(first).await.unwrap_err().kind(),
        Kind::LeaseLost
    );
    assert_eq!(test.count("select count(*) from scores").await, 1);
}

/// The same process leased the unit twice: only the attempt tells the two apart.
#[tokio::test]
async fn an_earlier_attempt_of_the_same_worker_is_refused_too() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let first = worker.lease_one().await;
    test.run_out(first.unit).await;
    test.store().reap(10).await.unwrap();
    test.end_backoff().await;
    let second = worker.lease_one().await;
    assert_eq!((second.unit, second.attempt), (first.unit, 2));

    assert_eq!(
        worker.complete(first).await.unwrap_err().kind(),
        Kind::LeaseLost
    );
    assert_eq!(
        worker.fail(first, false).await.unwrap_err().kind(),
        Kind::LeaseLost
    );
    assert_eq!(
        test.store().renew(worker.id, &[first], TTL).await.unwrap(),
        [Renewal::Lost]
    );
    assert!(
        test.store()
            .release(worker.id, &[first])
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(test.unit(first.unit).await.state, "leased");
    worker.complete(second).await.unwrap();
}

/// The heartbeat of an earlier attempt must not keep the present one alive, whose worker may be dead.
#[tokio::test]
async fn a_late_heartbeat_extends_nothing() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let first = worker.lease_one().await;
    test.store().release(worker.id, &[first]).await.unwrap();
    let second = worker.lease_one().await;
    assert_eq!((second.unit, second.attempt), (first.unit, 2));
    test.run_out(second.unit).await;
    let answers = test.store().renew(worker.id, &[first], TTL).await;
    assert_eq!(answers.unwrap(), [Renewal::Lost]);
    assert_eq!(test.store().reap(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn another_workers_lease_cannot_be_touched() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let (owner, thief) = (test.worker().await, test.worker().await);
    let lease = owner.lease_one().await;

    assert_eq!(
        thief.complete(lease).await.unwrap_err().kind(),
        Kind::LeaseLost
    );
    assert_eq!(
        thief.fail(lease, false).await.unwrap_err().kind(),
        Kind::LeaseLost
    );
    assert_eq!(
        test.store().renew(thief.id, &[lease], TTL).await.unwrap(),
        [Renewal::Lost]
    );
    assert!(
        test.store()
            .release(thief.id, &[lease])
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(test.unit(lease.unit).await.state, "leased");
    owner.complete(lease).await.unwrap();
}

#[tokio::test]
async fn a_doubled_report_is_accepted_and_a_different_one_is_not() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let lease = worker.lease_one().await;
    worker.complete(lease).await.unwrap();
    let before = test.count("select count(*) from events").await;
    worker.complete(lease).await.unwrap();
    assert_eq!(
        test.count("select count(*) from events").await,
        before,
        "the repetition leaves no trace"
    );

    let mut other = crate::support::scores(&serde_json::json!("another"));
    other["accuracy_validation"] = serde_json::json!(0.1);
    let error = worker.complete_with(lease, other).await.unwrap_err();
    assert_eq!(error.kind(), Kind::LeaseLost);
    assert_eq!(
        worker.fail(lease, false).await.unwrap_err().kind(),
        Kind::LeaseLost
    );
    assert_eq!(
        test.unit(lease.unit).await.state,
        "completed",
        "terminal states absorb"
    );
}

#[tokio::test]
async fn a_doubled_failure_is_accepted_and_charged_once() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let lease = worker.lease_one().await;
    worker.fail(lease, true).await.unwrap();
    worker.fail(lease, true).await.unwrap();
    let row = test.unit(lease.unit).await;
    assert_eq!((row.state.as_str(), row.charged), ("queued", 1));
}

/// What follows from an outcome is done even if whoever reported it hangs up in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_cannot_leave_an_outcome_half_done() {
    let test = TestStore::new().await;
    let search = test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let lease = worker.lease_one().await;
    let mut blocker = test.pool.begin().await.unwrap();
    sqlx::query("select id from searches where id = $1 for update")
        .bind(search.get())
        .execute(&mut *blocker)
        .await
        .unwrap();
    let report = tokio::spawn({
        let worker = worker.clone();
        async move { worker.complete(lease).await }
    });
    let blocked = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while test.count(blocked).await == 0 {
        tokio::task::yield_now().await;
    }
    report.abort();
    assert!(
        report.await.unwrap_err().is_cancelled(),
        "the client is gone before the outcome is recorded"
    );
    blocker.commit().await.unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while test.unit(lease.unit).await.state != "completed" {
            tokio::task::yield_now().await;
        }
    });
    ended.await.expect("the outcome is recorded all the same");
    assert_eq!(
        test.count("select count(*) from scores where on_front")
            .await,
        1
    );
}

#[tokio::test]
async fn a_result_that_cannot_be_read_is_refused_and_the_lease_stays() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let lease = worker.lease_one().await;
    for result in [
        serde_json::json!({}),
        serde_json::json!({ "accuracy_validation": 1.5 }),
        serde_json::json!({ "accuracy_validation": 0.5, "accuracy": 0.9 }),
        serde_json::json!("scores"),
    ] {
        let error = worker.complete_with(lease, result).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
    }
    assert_eq!(test.unit(lease.unit).await.state, "leased");
    worker.complete(lease).await.unwrap();
}

#[tokio::test]
async fn an_artifact_that_was_never_uploaded_is_refused() {
    let test = TestStore::new().await;
    test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    let lease = worker.lease_one().await;
    let completion = bitfront_coordinator::store::outcomes::Completion {
        worker: worker.id,
        holding: lease,
        result: crate::support::scores(&serde_json::json!(1)),
        artifacts: vec![bitfront_coordinator::store::outcomes::Produced {
            kind: "weights".to_owned(),
            digest: "0".repeat(64),
        }],
    };
    let error = test.store().complete(completion).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert_eq!(test.unit(lease.unit).await.state, "leased");
}
