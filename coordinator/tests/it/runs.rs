//! Runs that learn bit widths: what a run leaves behind is there once, all or nothing, under numbers of its own.

use bitfront_coordinator::{
    error::{Error, Kind},
    ids::SearchId,
    store::{
        leases::Holding,
        outcomes::{Completion, Produced},
    },
};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::{TestStore, TestWorker, scored};

const EPOCHS: u32 = 10;
const RUNS: u32 = 2;

/// A search of two runs.
async fn submit(test: &TestStore) -> SearchId {
    let mut file = TestStore::file(&crate::support::Wanted {
        trials: RUNS,
        sampler: json!({"name": "learned_bits", "epochs": EPOCHS}),
        synthesis: json!({"policy": "front", "count": 2, "max_accuracy_drop": 1.0}),
        ..Default::default()
    });
    file.as_object_mut().unwrap().remove("search_space");
    test.submit_file(file).await
}

/// The candidate that every point has here: equal formats with other weights.
fn candidate() -> Value {
    let layer = |name: &str, operation: Value| json!({"name": name, "operation": operation});
    let dense = |units| {
        json!({"kind": "dense", "units": units, "kernel": "quantized_bits(4,0,alpha=1.0)",
            "bias": "quantized_bits(4,0,alpha=1.0)", "fold": null})
    };
    let activation =
        |quantizer: &str| json!({"kind": "channel_activation", "quantizers": vec![quantizer; 4]});
    let layers = [
        layer("input_bits", activation("quantized_bits(3,1,alpha=1.0)")),
        layer("fc1", dense(4)),
        layer("relu1", activation("quantized_relu(3,1)")),
        layer("output", dense(3)),
    ];
    json!({"input_shape": [4], "input_quantizer": "quantized_bits(6,2,alpha=1.0)", "layers": layers,
        "head": {"kind": "softmax"}, "scale_bits": 16})
}

/// What a run reports that keeps these epochs.
async fn report(worker: &TestWorker, holding: Holding, epochs: &[u32]) -> Completion {
    let store = &worker.state.store;
    let mut artifacts = Vec::new();
    let mut points = Vec::new();
    let mut float = scored(0.9, 1);
    float.as_object_mut().unwrap().remove("costs");
    for epoch in epochs.iter().copied().chain([0]) {
        let bytes = Bytes::from(format!("weights of epoch {epoch}"));
        let digest = worker.state.artifacts.put(bytes.clone()).await.unwrap();
        store
            .record_artifact(&digest, bytes.len() as u64)
            .await
            .unwrap();
        let kind = if epoch == 0 {
            "weights"
        } else {
            "point-weights"
        };
        artifacts.push(Produced {
            kind: kind.to_owned(),
            digest: digest.to_string(),
        });
        if epoch == 0 {
            continue;
        }
        let outcome = if epoch == 7 {
            json!({"failed": {"code": "no-circuit", "message": "too wide"}})
        } else {
            let scores = scored(0.8 - 0.01 * f64::from(epoch), 1000 - u64::from(epoch));
            json!({"scored": {"scores": scores, "weights_digest": digest.as_str()}})
        };
        points.push(
            json!({"epoch": epoch, "beta": 1e-5, "candidate": candidate(), "outcome": outcome}),
        );
    }
    Completion {
        worker: worker.id,
        holding,
        result: json!({"scores": float, "points": points}),
        artifacts,
    }
}

async fn complete(worker: &TestWorker, holding: Holding, epochs: &[u32]) -> Result<(), Error> {
    let completion = report(worker, holding, epochs).await;
    worker.state.store.complete(completion).await
}

/// Number, state, run, epoch, on the front, seed as the run's, weights.
type Row = (i32, String, Option<i32>, Option<i32>, bool, bool, i64);

async fn trials(test: &TestStore) -> Vec<Row> {
    sqlx::query_as(
        "select t.number, u.state, (t.origin ->> 'run')::integer, (t.origin ->> 'epoch')::integer,
                coalesce(s.on_front, false), t.seed = coalesce(p.seed, t.seed),
                (select count(*) from unit_artifacts a where a.unit_id = t.id and a.kind = 'weights')
         from trials t
         join units u on u.id = t.id
         left join trials p on p.id = t.parent_id
         left join scores s on s.trial_id = t.id
         order by t.number",
    )
    .fetch_all(&test.pool)
    .await
    .unwrap()
}

fn run(number: i32) -> Row {
    (number, "completed".to_owned(), None, None, false, true, 1)
}

fn point(run: i32, epoch: i32) -> Row {
    let number = RUNS as i32 + run * EPOCHS as i32 + epoch - 1;
    (
        number,
        "completed".to_owned(),
        Some(run),
        Some(epoch),
        true,
        true,
        1,
    )
}

#[tokio::test]
async fn points_become_trials_whichever_run_ends_first() {
    let mut seen = Vec::new();
    for turned in [false, true] {
        let test = TestStore::new().await;
        let search = submit(&test).await;
        let worker = test.worker().await;
        let mut runs = [worker.lease_one().await, worker.lease_one().await];
        assert!(worker.lease(1).await.is_empty(), "two runs, no more");
        let mut kept = [[1, 4].as_slice(), &[2, 3, 7]];
        if turned {
            runs.reverse();
            kept.reverse();
        }
        complete(&worker, runs[0], kept[0]).await.unwrap();
        assert_eq!(test.search_state(search).await, "running");
        complete(&worker, runs[1], kept[1]).await.unwrap();
        seen.push(trials(&test).await);
        // The policy looks at points as at any trial: two circuits are owed.
        assert_eq!(
            test.count("select count(*) from synthesis_jobs where weights_digest is not null")
                .await,
            2
        );
        assert_eq!(test.search_state(search).await, "running");
    }
    let mut failed = point(1, 7);
    failed.1 = "failed".to_owned();
    (failed.4, failed.6) = (false, 0);
    let expected = vec![
        run(0),
        run(1),
        point(0, 1),
        point(0, 4),
        point(1, 2),
        point(1, 3),
        failed,
    ];
    assert_eq!(seen, [expected.clone(), expected]);
}

#[tokio::test]
async fn a_killed_workers_run_is_run_again_and_leaves_its_points_once() {
    let test = TestStore::new().await;
    submit(&test).await;
    let (slow, quick) = (test.worker().await, test.worker().await);
    let first = slow.lease_one().await;
    test.run_out(first.unit).await;
    test.store().reap(10).await.unwrap();
    test.end_backoff().await;
    let second = quick.lease_one().await;
    assert_eq!((second.unit, second.attempt), (first.unit, 2));
    // The lease is another's: nothing of the report is there.
    let late = complete(&slow, first, &[1, 2]).await.unwrap_err();
    assert_eq!(late.kind(), Kind::LeaseLost);
    assert_eq!(trials(&test).await.len(), 1);
    complete(&quick, second, &[1, 2]).await.unwrap();
    let expected = vec![run(0), point(0, 1), point(0, 2)];
    assert_eq!(trials(&test).await, expected);
    // The same report again is answered as accepted, and the late one is still late.
    complete(&quick, second, &[1, 2]).await.unwrap();
    let late = complete(&slow, first, &[1, 2]).await.unwrap_err();
    assert_eq!(late.kind(), Kind::LeaseLost);
    assert_eq!(trials(&test).await, expected);
}

#[tokio::test]
async fn what_no_run_reports_is_refused_whole() {
    let test = TestStore::new().await;
    submit(&test).await;
    let worker = test.worker().await;
    let holding = worker.lease_one().await;
    let refused = async |change: &dyn Fn(&mut Completion), said: &str| {
        let mut completion = report(&worker, holding, &[1, 2]).await;
        change(&mut completion);
        let error = test.store().complete(completion).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(error.message().contains(said), "{}", error.message());
        assert_eq!(trials(&test).await.len(), 1);
        assert_eq!(test.unit(holding.unit).await.state, "leased");
    };
    refused(
        &|completion| completion.result["points"][1]["epoch"] = json!(11),
        "point 1 is of epoch 11; accepted are ascending epochs from 1 to 10",
    )
    .await;
    refused(
        &|completion| completion.result["points"][1]["epoch"] = json!(1),
        "point 1 is of epoch 1",
    )
    .await;
    refused(
        &|completion| {
            completion.result["points"][0]["candidate"]["layers"][3]["operation"]["units"] =
                json!(4);
        },
        "point 0: 4 inputs and 4 outputs; the network has 4 and 3",
    )
    .await;
    refused(
        &|completion| {
            completion
                .artifacts
                .retain(|one| one.kind != "point-weights");
        },
        "the weights of epoch 1 are no artifact of this report",
    )
    .await;
    refused(
        &|completion| completion.result = completion.result["scores"].clone(),
        "result_json has no points",
    )
    .await;
    complete(&worker, holding, &[1, 2]).await.unwrap();
}
