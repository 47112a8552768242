//! Promise P2: the same search gives the same trials, whoever asks and in whatever order they end. And the budget.

use bitfront_coordinator::{ids::SearchId, store::leases::Holding};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{TestStore, TestWorker, Wanted};

const EVOLUTION: &str =
    r#"{ "name": "evolution", "population": 6, "warmup": 4, "crossover": 0.9 }"#;

fn evolving(order: &'static str) -> Wanted {
    Wanted {
        trials: 30,
        parallel: 3,
        sampler: serde_json::from_str(EVOLUTION).unwrap(),
        order,
        ..Wanted::default()
    }
}

/// A small generator for the order in which workers act: reproducible, and good enough to shuffle.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit as u64) as usize
    }
}

/// Everything that P2 promises of a search's trials, in trial order.
async fn trials(test: &TestStore, search: SearchId) -> Vec<(i32, String, i64, Value, Value)> {
    sqlx::query_as(
        "select t.number, t.candidate_digest, t.seed, t.origin, s.scores
         from trials t join scores s on s.trial_id = t.id where t.search_id = $1 order by t.number",
    )
    .bind(search.get())
    .fetch_all(&test.pool)
    .await
    .unwrap()
}

/// Runs a search to its end with workers that act in a random order, hold up to three trials each, end them in a random
/// order, give some back, and lose some leases.
async fn run(
    workers: usize,
    coordinators: usize,
    dice: u64,
) -> Vec<(i32, String, i64, Value, Value)> {
    let test = TestStore::new().await;
    let search = test.submit(evolving("number")).await;
    let second = test.second().await;
    let mut crew: Vec<(TestWorker, Vec<Holding>)> = Vec::new();
    for index in 0..workers {
        let mut worker = test.worker().await;
        if index % coordinators == 1 {
            worker.state = second.clone();
        }
        crew.push((worker, Vec::new()));
    }
    let mut dice = Dice(dice);
    for _ in 0..10_000 {
        if test.search_state(search).await == "finished" {
            return trials(&test, search).await;
        }
        let chosen = dice.below(crew.len());
        let (worker, held) = &mut crew[chosen];
        match dice.below(8) {
            0..3 if held.len() < 3 => {
                let wanted = 1 + dice.below(2) as u32;
                held.extend(worker.lease(wanted).await.iter().map(|lease| lease.holding));
            }
            3 if workers > 1 && !held.is_empty() => {
                let lease = held.swap_remove(dice.below(held.len()));
                test.store().release(worker.id, &[lease]).await.unwrap();
            }
            4 if workers > 1 && !held.is_empty() && test.unit(held[0].unit).await.charged < 2 => {
                let lease = held.swap_remove(0);
                test.run_out(lease.unit).await;
                test.store().reap(10).await.unwrap();
                test.end_backoff().await;
            }
            _ if !held.is_empty() => {
                let lease = held.swap_remove(dice.below(held.len()));
                worker.complete(lease).await.unwrap();
            }
            _ => {}
        }
    }
    panic!("the search does not end");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_or_three_disturbed_or_not_give_the_same_trials() {
    let alone = run(1, 1, 1).await;
    assert_eq!(alone.len(), 30);
    let evolved = alone
        .iter()
        .filter(|trial| trial.3["origin"] == "evolved")
        .count();
    assert!(
        evolved > 15,
        "outcomes matter: {evolved} trials are children of others"
    );
    for (workers, coordinators, dice) in [(3, 1, 2), (3, 2, 3), (5, 2, 4)] {
        let crowd = run(workers, coordinators, dice).await;
        assert_eq!(
            alone, crowd,
            "{workers} workers, {coordinators} coordinators, order {dice}"
        );
    }
}

#[tokio::test]
async fn an_open_window_makes_the_ask_wait_and_hand_out_other_work() {
    let test = TestStore::new().await;
    test.submit(evolving("number")).await;
    let worker = test.worker().await;
    // Four warm-up trials look at no outcome; trial 4 is chosen from trials 0 and 1, trial 5 from trial 2 too.
    let first: Vec<_> = worker
        .lease(64)
        .await
        .iter()
        .map(|lease| lease.holding)
        .collect();
    assert_eq!(first.len(), 4);
    assert!(worker.lease(64).await.is_empty());
    worker.complete(first[3]).await.unwrap();
    worker.complete(first[0]).await.unwrap();
    assert!(worker.lease(64).await.is_empty(), "trial 1 is still open");
    test.store().release(worker.id, &first[1..2]).await.unwrap();
    let again = worker.lease(64).await;
    assert_eq!(again.len(), 1, "other work is handed out");
    worker.complete(again[0].holding).await.unwrap();
    assert_eq!(
        worker.lease(64).await.len(),
        1,
        "trial 4; trial 5 waits for trial 2"
    );
    worker.complete(first[2]).await.unwrap();
    assert_eq!(
        worker.lease(64).await.len(),
        2,
        "trials 5 and 6; trial 7 waits for trial 4"
    );
}

#[tokio::test]
async fn the_order_of_arrival_never_waits_and_is_marked() {
    let test = TestStore::new().await;
    test.submit(evolving("arrival")).await;
    let worker = test.worker().await;
    assert_eq!(worker.lease(30).await.len(), 30);
    assert_eq!(
        test.count("select count(*) from searches where not reproducible")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_budget_is_exact_with_many_askers_on_two_coordinators() {
    let test = TestStore::new().await;
    test.submit(Wanted {
        trials: 25,
        parallel: 100,
        ..Wanted::default()
    })
    .await;
    let second = test.second().await;
    let mut calls = JoinSet::new();
    for index in 0..12 {
        let mut worker = test.worker().await;
        if index % 2 == 1 {
            worker.state = second.clone();
        }
        calls.spawn(async move { worker.lease(4).await.len() });
    }
    let leased: usize = calls.join_all().await.into_iter().sum();
    assert_eq!(leased, 25);
    assert_eq!(test.count("select count(*) from trials").await, 25);
    assert_eq!(
        test.count("select count(distinct number) from trials where number between 0 and 24")
            .await,
        25
    );
    assert_eq!(
        test.count("select count(distinct candidate_digest) from trials")
            .await,
        25
    );
    assert_eq!(
        test.count("select next_number::bigint from searches").await,
        25
    );
}

#[tokio::test]
async fn a_space_with_fewer_points_than_the_budget_ends_the_search() {
    let test = TestStore::new().await;
    let wanted = Wanted {
        trials: 500,
        parallel: 500,
        ..Wanted::default()
    };
    let mut file = TestStore::file(&wanted);
    file["search_space"]["rules"] = json!([
        { "match": { "type": "dense" }, "kernel": { "fixed": "quantized_bits(4,0,alpha=1.0)" },
          "bias": { "fixed": "quantized_bits(4,0,alpha=1.0)" } },
    ]);
    let resolved = test.resolve(&file);
    let points = resolved.space.size() as usize;
    assert!((2..100).contains(&points), "{points} points");
    let search = bitfront_coordinator::store::searches::NewSearch {
        resolved,
        file,
        dataset: test.dataset,
        idempotency_key: None,
    };
    let (search, _) = test.store().submit(search).await.unwrap();
    let worker = test.worker().await;
    let mut ended = 0;
    loop {
        let leases = worker.lease(64).await;
        if leases.is_empty() {
            break;
        }
        for lease in leases {
            worker.complete(lease.holding).await.unwrap();
            ended += 1;
        }
    }
    assert_eq!(ended, points);
    assert_eq!(test.search_state(search).await, "finished");
}

#[tokio::test]
async fn trials_of_two_searches_are_handed_out_side_by_side() {
    let test = TestStore::new().await;
    for seed in [1, 2] {
        test.submit(Wanted {
            seed,
            ..Wanted::default()
        })
        .await;
    }
    let worker = test.worker().await;
    for _ in 0..4 {
        worker.lease_one().await;
    }
    let shares: Vec<i64> = sqlx::query_scalar("select count(*) from trials group by search_id")
        .fetch_all(&test.pool)
        .await
        .unwrap();
    assert_eq!(shares, [2, 2]);
}
