//! The front that rows show is the front of all completed trials, whatever order they ended in.

use bitfront_search::TrialScores;

use crate::support::{TestStore, Wanted, scored};
use serde_json::{Value, json};

#[tokio::test]
async fn the_front_in_rows_is_the_front_of_all_scores() {
    let test = TestStore::new().await;
    let wanted = Wanted {
        trials: 24,
        parallel: 24,
        ..Wanted::default()
    };
    let search = test.resolve(&TestStore::file(&wanted));
    let id = test.submit(wanted).await;
    let worker = test.worker().await;
    let mut leases = worker.lease(24).await;
    // Backwards and in halves, so that members come and go.
    leases.reverse();
    leases.rotate_left(12);
    for lease in leases {
        worker.complete(lease.holding).await.unwrap();
        let rows: Vec<(i32, serde_json::Value, bool)> = sqlx::query_as(
            "select t.number, s.scores, s.on_front from scores s join trials t on t.id = s.trial_id
             where s.search_id = $1 order by t.number",
        )
        .bind(id.get())
        .fetch_all(&test.pool)
        .await
        .unwrap();
        let all: Vec<(u32, TrialScores)> = rows
            .iter()
            .map(|(number, scores, _)| {
                (
                    *number as u32,
                    serde_json::from_value(scores.clone()).unwrap(),
                )
            })
            .collect();
        let front: Vec<u32> = rows
            .iter()
            .filter(|row| row.2)
            .map(|row| row.0 as u32)
            .collect();
        assert_eq!(
            front,
            search.front(all.iter().map(|(number, scores)| (*number, scores)))
        );
    }
    assert!(
        test.count("select count(*) from events where kind = 'front.changed'")
            .await
            >= 2
    );
}

#[tokio::test]
async fn a_change_of_the_front_tells_who_joined_and_who_left() {
    let test = TestStore::new().await;
    test.submit(Wanted {
        trials: 3,
        ..Wanted::default()
    })
    .await;
    let worker = test.worker().await;
    let leases = worker.lease(3).await;
    for (lease, (accuracy, luts)) in leases.iter().zip([(0.7, 300), (0.6, 400), (0.8, 200)]) {
        worker
            .complete_with(lease.holding, scored(accuracy, luts))
            .await
            .unwrap();
    }
    let changes: Vec<serde_json::Value> =
        sqlx::query_scalar("select payload from events where kind = 'front.changed' order by seq")
            .fetch_all(&test.pool)
            .await
            .unwrap();
    let expected = [
        serde_json::json!({ "joined": [0], "left": [] }),
        serde_json::json!({ "joined": [2], "left": [0] }),
    ];
    assert_eq!(changes, expected);
}

/// Numbers of the trials that rows have on the front.
async fn in_rows(test: &TestStore) -> Vec<i32> {
    sqlx::query_scalar(
        "select t.number from scores s join trials t on t.id = s.trial_id where s.on_front order by t.number",
    )
    .fetch_all(&test.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_front_of_measurements_has_what_was_measured_and_moves_with_it() {
    let test = TestStore::new().await;
    let search = test
        .submit(Wanted {
            trials: 4,
            cost: "lut_measured",
            synthesis: json!({ "policy": "front", "count": 4, "max_accuracy_drop": 1.0 }),
            ..Wanted::default()
        })
        .await;
    let worker = test.worker().await;
    let leases = worker.lease(4).await;
    // By estimate, 0, 1 and 2 are the front; the circuits say otherwise.
    let results = [(0.9, 900), (0.8, 300), (0.7, 200), (0.6, 800)];
    for (lease, (accuracy, luts)) in leases.iter().zip(results) {
        worker
            .complete_with(lease.holding, scored(accuracy, luts))
            .await
            .unwrap();
    }
    assert!(in_rows(&test).await.is_empty(), "nothing is measured yet");
    // The policy builds the members of the front that is to be expected.
    let jobs = worker.lease(9).await;
    let trials = jobs.iter().map(|job| job.holding.unit).collect::<Vec<_>>();
    let work = test.store().synthesis_work(&trials).await.unwrap();
    assert_eq!(work.len(), 3);
    let job_of = |number: usize| {
        let trial = leases[number].holding.unit.get();
        let job = work
            .iter()
            .find(|job| job.trial.get() == trial)
            .unwrap()
            .job;
        let lease = jobs.iter().find(|lease| lease.holding.unit == job.into());
        lease.unwrap().holding
    };
    let measure = |number: usize, luts: u64| {
        let result =
            json!({ "lut_measured": luts, "ff_measured": 5, "levels": 9, "tool": "yosys" });
        worker.complete_with(job_of(number), result)
    };
    measure(1, 400).await.unwrap();
    assert_eq!(in_rows(&test).await, [1]);
    measure(2, 450).await.unwrap();
    assert_eq!(
        in_rows(&test).await,
        [1],
        "less accurate and larger, against its estimate"
    );
    let refused = worker
        .complete_with(job_of(0), json!({ "lut_measured": -1 }))
        .await;
    assert!(refused.unwrap_err().to_string().contains("lut_measured"));
    measure(0, 390).await.unwrap();
    assert_eq!(in_rows(&test).await, [0]);
    assert_eq!(test.search_state(search).await, "finished");

    let changes: Vec<Value> =
        sqlx::query_scalar("select payload from events where kind = 'front.changed' order by seq")
            .fetch_all(&test.pool)
            .await
            .unwrap();
    let expected = [
        json!({ "joined": [1], "left": [] }),
        json!({ "joined": [0], "left": [1] }),
    ];
    assert_eq!(changes, expected);
    let kept: Value = sqlx::query_scalar(
        "select s.measured from scores s join trials t on t.id = s.trial_id where t.number = 2",
    )
    .fetch_one(&test.pool)
    .await
    .unwrap();
    assert_eq!(kept, json!({ "lut_measured": 450, "ff_measured": 5 }));
}

#[tokio::test]
async fn counts_of_another_tool_stand_in_no_ranking() {
    let test = TestStore::new().await;
    test.submit(Wanted {
        trials: 1,
        cost: "lut_measured",
        synthesis: json!({ "policy": "front" }),
        ..Wanted::default()
    })
    .await;
    let worker = test.worker_with(json!({}), &["another"]).await;
    let trial = worker.lease_one().await;
    worker.complete_with(trial, scored(0.7, 100)).await.unwrap();
    sqlx::query("update synthesis_jobs set tool = 'another'")
        .execute(&test.pool)
        .await
        .unwrap();
    let job = worker.lease_one().await;
    worker
        .complete_with(job, json!({ "lut_measured": 100 }))
        .await
        .unwrap();
    assert!(in_rows(&test).await.is_empty());
    assert_eq!(
        test.count("select count(*) from scores where measured is not null")
            .await,
        0
    );
}
