//! Submitting and steering searches, and how they end.

use bitfront_coordinator::{error::Kind, store::searches::NewSearch};
use bitfront_hardware::engine::Target;
use bitfront_search::life::{SearchEvent, SearchState};
use serde_json::json;

use crate::support::{TestStore, Wanted};

#[tokio::test]
async fn an_idempotency_key_names_one_search() {
    let test = TestStore::new().await;
    let search = |wanted: &Wanted| {
        let file = TestStore::file(wanted);
        NewSearch {
            resolved: test.resolve(&file),
            file,
            dataset: test.dataset,
            idempotency_key: Some("once".to_owned()),
        }
    };
    let (first, new) = test
        .store()
        .submit(search(&Wanted::default()))
        .await
        .unwrap();
    assert!(new);
    let (again, new) = test
        .store()
        .submit(search(&Wanted::default()))
        .await
        .unwrap();
    assert_eq!((again, new), (first, false));
    let other = Wanted {
        seed: 8,
        ..Wanted::default()
    };
    assert_eq!(
        test.store()
            .submit(search(&other))
            .await
            .unwrap_err()
            .kind(),
        Kind::Conflict
    );
    assert_eq!(test.count("select count(*) from searches").await, 1);
    assert_eq!(
        test.count("select count(*) from events where kind = 'search.submitted'")
            .await,
        1
    );
}

#[tokio::test]
async fn a_search_obeys_its_diagram() {
    let test = TestStore::new().await;
    let search = test.submit(Wanted::default()).await;
    let steer = |wish| test.store().steer(search, wish);
    assert_eq!(
        steer(SearchEvent::Pause).await.unwrap(),
        SearchState::Paused
    );
    assert_eq!(
        steer(SearchEvent::Pause).await.unwrap(),
        SearchState::Paused
    );
    assert_eq!(
        steer(SearchEvent::Archive).await.unwrap_err().kind(),
        Kind::Conflict
    );
    assert_eq!(
        steer(SearchEvent::Resume).await.unwrap(),
        SearchState::Running
    );
    assert_eq!(
        steer(SearchEvent::Cancel).await.unwrap(),
        SearchState::Cancelled
    );
    assert_eq!(
        steer(SearchEvent::Resume).await.unwrap_err().kind(),
        Kind::Conflict
    );
    assert_eq!(
        steer(SearchEvent::Archive).await.unwrap(),
        SearchState::Archived
    );
    assert_eq!(
        test.count("select count(*) from events where kind = 'search.updated'")
            .await,
        4
    );
    let unknown = test.store().steer(
        bitfront_coordinator::ids::SearchId::new(),
        SearchEvent::Pause,
    );
    assert_eq!(unknown.await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_search_is_finished_when_its_last_trial_has_ended() {
    let test = TestStore::new().await;
    let search = test
        .submit(Wanted {
            trials: 3,
            ..Wanted::default()
        })
        .await;
    let worker = test.worker().await;
    let leases = worker.lease(3).await;
    worker.complete(leases[0].holding).await.unwrap();
    worker.fail(leases[1].holding, false).await.unwrap();
    assert_eq!(test.search_state(search).await, "running");
    worker.complete(leases[2].holding).await.unwrap();
    assert_eq!(test.search_state(search).await, "finished");
}

#[tokio::test]
async fn the_policys_synthesis_jobs_are_owed_once_all_trials_have_ended() {
    let test = TestStore::new().await;
    let search = test
        .submit(Wanted {
            trials: 4,
            synthesis: json!({ "policy": "front", "count": 2, "max_accuracy_drop": 1.0 }),
            ..Wanted::default()
        })
        .await;
    let worker = test.worker().await;
    let leases = worker.lease(4).await;
    // (0.9, 900) and (0.8, 300) and (0.7, 200) are the front; the two smallest become circuits.
    let results = [(0.9, 900), (0.8, 300), (0.7, 200), (0.6, 800)];
    for (lease, (accuracy, luts)) in leases.iter().zip(results) {
        assert_eq!(test.count("select count(*) from synthesis_jobs").await, 0);
        let scores = crate::support::scored(accuracy, luts);
        worker.complete_with(lease.holding, scores).await.unwrap();
    }
    assert_eq!(test.search_state(search).await, "running");
    let jobs = worker.lease(4).await;
    assert_eq!(jobs.len(), 2);
    let work: Vec<_> = jobs.iter().map(|job| job.holding.unit).collect();
    let work = test.store().synthesis_work(&work).await.unwrap();
    let mut built: Vec<_> = work.iter().map(|job| job.trial.get()).collect();
    let mut expected: Vec<_> = leases[1..3]
        .iter()
        .map(|lease| lease.holding.unit.get())
        .collect();
    built.sort_unstable();
    expected.sort_unstable();
    assert_eq!(built, expected);
    assert!(
        work.iter().all(|job| job.tool == "yosys"
            && job.vectors >= 2000
            && job.weights_digest.len() == 64)
    );

    let report = json!({ "lut": 123, "vectors_checked": 2000 });
    worker
        .complete_with(jobs[0].holding, report.clone())
        .await
        .unwrap();
    assert_eq!(test.search_state(search).await, "running");
    worker.fail(jobs[1].holding, false).await.unwrap();
    assert_eq!(test.search_state(search).await, "finished");
    let stored: Vec<serde_json::Value> =
        sqlx::query_scalar("select result from synthesis_jobs where result is not null")
            .fetch_all(&test.pool)
            .await
            .unwrap();
    assert_eq!(stored, [report]);

    // A user may still ask for another one, which leaves the search finished.
    let target = Target::default();
    let ask = || test.store().request_synthesis(search, 0, &target);
    let (job, new) = ask().await.unwrap();
    assert!(new);
    assert_eq!(ask().await.unwrap(), (job, false));
    assert_eq!(worker.lease_one().await.unit, job.into());
    assert_eq!(test.search_state(search).await, "finished");
}

#[tokio::test]
async fn only_a_completed_trial_can_be_synthesised() {
    let test = TestStore::new().await;
    let search = test.submit(Wanted::default()).await;
    let worker = test.worker().await;
    worker.lease_one().await;
    for number in [0, 99] {
        let error = test
            .store()
            .request_synthesis(search, number, &Target::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
    }
}

/// A coordinator that was killed between the last outcome and the end of its search.
#[tokio::test]
async fn a_search_left_open_is_finished_by_the_sweep() {
    let test = TestStore::new().await;
    let search = test
        .submit(Wanted {
            trials: 1,
            ..Wanted::default()
        })
        .await;
    let worker = test.worker().await;
    let lease = worker.lease_one().await;
    sqlx::query("update units set max_attempts = 1")
        .execute(&test.pool)
        .await
        .unwrap();
    test.run_out(lease.unit).await;
    // The bare statement, without what should have followed it.
    test.store().reap(10).await.unwrap();
    assert_eq!(test.unit(lease.unit).await.state, "failed");
    assert_eq!(test.search_state(search).await, "running");
    bitfront_coordinator::reaper::sweep(&test.state)
        .await
        .unwrap();
    assert_eq!(test.search_state(search).await, "finished");
}

#[tokio::test]
async fn events_are_numbered_in_the_order_of_commits() {
    let test = TestStore::new().await;
    let mut slow = test.pool.begin().await.unwrap();
    sqlx::query("insert into events (kind, payload) values ('worker.updated', '{}')")
        .execute(&mut *slow)
        .await
        .unwrap();
    // A second writer has to wait for the first one's commit.
    let waiting = tokio::spawn({
        let pool = test.pool.clone();
        async move {
            sqlx::query_scalar::<_, i64>(
                "insert into events (kind, payload) values ('worker.updated', '{}') returning seq",
            )
            .fetch_one(&pool)
            .await
        }
    });
    let blocked = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'";
    while test.count(blocked).await == 0 {
        tokio::task::yield_now().await;
    }
    slow.commit().await.unwrap();
    let later = waiting.await.unwrap().unwrap();
    assert_eq!(test.count("select max(seq) from events").await, later);
}

#[tokio::test]
async fn the_same_bytes_are_one_data_set() {
    let test = TestStore::new().await;
    let digest = bitfront_coordinator::artifacts::Digest::of(b"other");
    let register = || {
        test.store()
            .register_dataset(&digest, "other.csv", 5, &serde_json::Value::Null)
    };
    let first = register().await.unwrap();
    assert_eq!(register().await.unwrap(), first);
    assert_ne!(first, test.dataset);
}
