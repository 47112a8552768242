//! A search keeps to one engine version (promise P2): who is given its trials, what is said where none may be, and how it
//! goes on.

use bitfront_coordinator::error::Kind;
use bitfront_coordinator::ids::{SearchId, TrialId};
use bitfront_coordinator::store::read::SearchRow;
use serde_json::json;

use crate::sharing::search_by;
use crate::support::{TestStore, Wanted};

async fn shown(test: &TestStore, search: SearchId) -> SearchRow {
    test.store().find_search(search).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_search_keeps_to_the_engine_version_of_its_first_trial() {
    let test = TestStore::new().await;
    let (old, new) = (test.worker_of(1).await, test.worker_of(2).await);
    let search = test.submit(Wanted::default()).await;
    assert_eq!(shown(&test, search).await.engine_version, None);
    let first = old.lease_one().await;
    assert_eq!(shown(&test, search).await.engine_version, Some(1));

    // Neither a new trial nor one that was handed back.
    assert!(new.lease(4).await.is_empty());
    let store = test.store();
    assert_eq!(store.release(old.id, &[first]).await.unwrap().len(), 1);
    assert!(new.lease(4).await.is_empty());
    let again = old.lease_one().await;
    assert_eq!(again.unit, first.unit);

    // Another search is free to begin with it.
    let other = test.submit(Wanted::default()).await;
    let theirs = new.lease_one().await;
    assert_eq!(
        store.trial_work(&[theirs.unit]).await.unwrap()[0].search,
        other
    );
    let version = async |trial| {
        store
            .find_trial(trial)
            .await
            .unwrap()
            .unwrap()
            .engine_version
    };
    let (mine, theirs_too) = (TrialId(again.unit.get()), TrialId(theirs.unit.get()));
    assert_eq!(version(mine).await, None, "it has no result yet");
    old.complete(again).await.unwrap();
    new.complete(theirs).await.unwrap();
    assert_eq!(
        (version(mine).await, version(theirs_too).await),
        (Some(1), Some(2))
    );
    assert!(shown(&test, search).await.reproducible);
}

/// What a worker of before versions were announced says is 0.
#[tokio::test]
async fn no_announced_version_is_a_version_like_any_other() {
    let test = TestStore::new().await;
    let (silent, new) = (test.worker_of(0).await, test.worker_of(1).await);
    let search = test.submit(Wanted::default()).await;
    let holding = silent.lease_one().await;
    silent.complete(holding).await.unwrap();
    assert!(new.lease(1).await.is_empty());
    assert_eq!(shown(&test, search).await.engine_version, Some(0));
    let newer = test.submit(Wanted::default()).await;
    // The older search is served first, so that the silent worker gets none of the newer one only if it may not.
    new.lease_one().await;
    sqlx::query("update searches set state = 'paused' where id = $1")
        .bind(search.get())
        .execute(&test.pool)
        .await
        .unwrap();
    assert!(silent.lease(1).await.is_empty());
    assert_eq!(shown(&test, newer).await.engine_version, Some(1));
}

/// Two coordinators give the first trials of a search at the same moment: to workers of one version.
#[tokio::test]
async fn two_versions_that_ask_at_once_do_not_both_begin() {
    let test = TestStore::new().await;
    let (old, mut new) = (test.worker_of(1).await, test.worker_of(2).await);
    new.state = test.second().await;
    for _ in 0..10 {
        let search = test.submit(Wanted::default()).await;
        let (left, right) = tokio::join!(old.lease(3), new.lease(3));
        assert_eq!(
            (left.len(), right.len()).min((right.len(), left.len())),
            (0, 3)
        );
        let leased = left.into_iter().chain(right);
        for holding in leased.map(|lease| lease.holding) {
            for worker in [&old, &new] {
                test.store().release(worker.id, &[holding]).await.unwrap();
            }
        }
        sqlx::query("update searches set state = 'paused' where id = $1")
            .bind(search.get())
            .execute(&test.pool)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_search_whose_version_is_gone_says_so_and_goes_on_with_another_when_told() {
    let test = TestStore::new().await;
    let old = test.worker_of(1).await;
    let search = test.submit(Wanted::default()).await;
    let holding = old.lease_one().await;
    let waits = async || shown(&test, search).await.other_versions;
    assert_eq!(waits().await, None);
    let new = test.worker_of(2).await;
    assert_eq!(waits().await, None, "one of its version is here");
    old.complete(holding).await.unwrap();
    sqlx::query("update workers set draining = true where id = $1")
        .bind(old.id.get())
        .execute(&test.pool)
        .await
        .unwrap();
    assert_eq!(waits().await, Some(vec![2]));
    assert!(new.lease(1).await.is_empty());

    let store = test.store();
    store.resume_with(search, 2).await.unwrap();
    assert_eq!(waits().await, None);
    let next = new.lease_one().await;
    let row = shown(&test, search).await;
    assert_eq!(
        (row.engine_version, row.engine_changed, row.reproducible),
        (Some(2), true, false)
    );
    // Each result says what made it.
    new.complete(next).await.unwrap();
    let versions = "select count(distinct engine_version) from scores";
    assert_eq!(test.count(versions).await, 2);

    // Nothing is left to be given: nothing waits.
    store.resume_with(search, 3).await.unwrap();
    assert_eq!(waits().await, Some(vec![2]));
    sqlx::query("update searches set budget = next_number where id = $1")
        .bind(search.get())
        .execute(&test.pool)
        .await
        .unwrap();
    assert_eq!(waits().await, None);
    store
        .steer(search, bitfront_search::life::SearchEvent::Cancel)
        .await
        .unwrap();
    let refused = store.resume_with(search, 2).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Conflict);
}

#[tokio::test]
async fn a_search_that_goes_on_with_the_version_it_has_stays_reproducible() {
    let test = TestStore::new().await;
    let search = test.submit(Wanted::default()).await;
    let store = test.store();
    // Chosen, and chosen otherwise, before the first trial, and again after it.
    store.resume_with(search, 3).await.unwrap();
    store.resume_with(search, 2).await.unwrap();
    assert!(test.worker_of(1).await.lease(1).await.is_empty());
    let worker = test.worker_of(2).await;
    let holding = worker.lease_one().await;
    worker.complete(holding).await.unwrap();
    store.resume_with(search, 2).await.unwrap();
    let row = shown(&test, search).await;
    assert_eq!(
        (row.engine_version, row.engine_changed, row.reproducible),
        (Some(2), false, true)
    );
}

#[tokio::test]
async fn synthesis_jobs_go_to_any_version() {
    let test = TestStore::new().await;
    let trainer = test.worker_of(1).await;
    let circuit = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let search = search_by(&test, &trainer, &[circuit], &json!({})).await;
    assert_eq!(shown(&test, search).await.engine_version, Some(1));
    let new = test.worker_of(2).await;
    let holding = new.lease_one().await;
    assert_eq!(
        test.store()
            .synthesis_work(&[holding.unit])
            .await
            .unwrap()
            .len(),
        1
    );
}
