//! The front that rows show is the front of all completed trials, whatever order they ended in.

use bitfront_search::TrialScores;

use crate::support::{TestStore, Wanted, scored};

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
