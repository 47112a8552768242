//! Equal circuits are synthesised once, whatever searches their trials are of (promises P3, P4).

use bitfront_coordinator::ids::{SearchId, UnitId};
use bitfront_search::life::UnitKind;
use serde_json::{Value, json};

use crate::support::{TestStore, TestWorker, Wanted, scored};

/// RTL that two searches' trials share, and RTL of another circuit.
const SAME: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A search with one trial for each of `circuits`, all completed, all owed a circuit.
async fn search_of(test: &TestStore, worker: &TestWorker, circuits: &[&str]) -> SearchId {
    search_by(test, worker, circuits, &json!({})).await
}

/// The same with more keys of `synthesis`.
pub(crate) async fn search_by(
    test: &TestStore,
    worker: &TestWorker,
    circuits: &[&str],
    more: &Value,
) -> SearchId {
    let mut synthesis = json!({ "policy": "every_nth", "every": 1 });
    let keys = synthesis.as_object_mut().unwrap();
    keys.extend(more.as_object().unwrap().clone());
    let search = test
        .submit(Wanted {
            trials: circuits.len() as u32,
            cost: "lut_measured",
            synthesis,
            ..Wanted::default()
        })
        .await;
    let mut ask = worker.ask(circuits.len() as u32);
    ask.kinds = vec![UnitKind::Trial];
    let leases = bitfront_coordinator::lease::lease(&test.state, ask, std::time::Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(leases.len(), circuits.len());
    for (lease, circuit) in leases.iter().zip(circuits) {
        let mut scores = scored(0.7, 100);
        scores["circuit_digest"] = json!(circuit);
        worker.complete_with(lease.holding, scores).await.unwrap();
    }
    search
}

fn measured(circuit: &str, version: &str) -> Value {
    json!({ "tool": "yosys", "tool_version": version, "rtl_digest": circuit, "lut_measured": 90, "ff_measured": 7 })
}

/// A job as it is shown, with its state.
#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Job {
    id: uuid::Uuid,
    state: String,
    attempt: i32,
    shared_from: Option<uuid::Uuid>,
    result: Option<Value>,
}

async fn jobs(test: &TestStore, search: SearchId) -> Vec<Job> {
    sqlx::query_as(
        "select j.id, u.state, u.attempt, j.shared_from, j.result
         from synthesis_jobs j join units u on u.id = j.id where j.search_id = $1 order by j.id",
    )
    .bind(search.get())
    .fetch_all(&test.pool)
    .await
    .unwrap()
}

async fn builder(test: &TestStore, version: &str) -> TestWorker {
    test.worker_with(json!({ "yosys": version }), &["yosys"])
        .await
}

#[tokio::test]
async fn a_circuit_that_was_built_is_not_built_again_in_another_search() {
    let test = TestStore::new().await;
    let worker = builder(&test, "0.23").await;
    let first = search_of(&test, &worker, &[SAME]).await;
    let holding = worker.lease_one().await;
    worker
        .complete_with(holding, measured(SAME, "0.23"))
        .await
        .unwrap();
    assert_eq!(test.search_state(first).await, "finished");

    let second = search_of(&test, &worker, &[SAME, OTHER]).await;
    let [shared, own] = &jobs(&test, second).await[..] else {
        panic!("two jobs");
    };
    assert_eq!(shared.state, "completed");
    assert_eq!(shared.attempt, 0, "nothing was run for it");
    assert_eq!(shared.shared_from, Some(holding.unit.get()));
    assert_eq!(shared.result, Some(measured(SAME, "0.23")));
    assert_eq!(own.state, "queued");
    // Its measurement stands where every other does: on the front, which this search makes of measurements.
    let on_front = "select count(*) from scores where on_front and measured is not null";
    assert_eq!(test.count(on_front).await, 2);

    let leases = worker.lease(9).await;
    assert_eq!(leases.len(), 1);
    assert_eq!(leases[0].holding.unit.get(), own.id);
    worker
        .complete_with(leases[0].holding, measured(OTHER, "0.23"))
        .await
        .unwrap();
    assert_eq!(test.search_state(second).await, "finished");
    // What is shown of the job is what the other one produced.
    let view = test
        .store()
        .find_synthesis(bitfront_coordinator::ids::SynthesisId(shared.id));
    assert_eq!(
        view.await.unwrap().unwrap().shared_from,
        Some(holding.unit.get())
    );
}

#[tokio::test]
async fn an_equal_job_waits_for_the_one_that_runs_and_ends_with_it() {
    let test = TestStore::new().await;
    let worker = builder(&test, "0.23").await;
    let first = search_of(&test, &worker, &[SAME, SAME]).await;
    let second = search_of(&test, &worker, &[SAME]).await;
    // Of three that wait, one is handed out, and no other while it runs.
    let leases = worker.lease(9).await;
    assert_eq!(leases.len(), 1, "{leases:?}");
    assert!(worker.lease(9).await.is_empty());
    worker
        .complete_with(leases[0].holding, measured(SAME, "0.23"))
        .await
        .unwrap();
    let mut all = jobs(&test, first).await;
    all.extend(jobs(&test, second).await);
    let built = leases[0].holding.unit.get();
    for job in &all {
        assert_eq!(job.state, "completed");
        assert_eq!(job.shared_from.is_none(), job.id == built, "{job:?}");
        assert_eq!(job.result, Some(measured(SAME, "0.23")));
    }
    for search in [first, second] {
        assert_eq!(test.search_state(search).await, "finished");
    }
    let said = "select count(*) from events where kind = 'synthesis.updated' and payload ->> 'shared_from' is not null";
    assert_eq!(test.count(said).await, 2);
    // The doubled report of the one that was built changes nothing.
    worker
        .complete_with(leases[0].holding, measured(SAME, "0.23"))
        .await
        .unwrap();
    assert_eq!(test.count(said).await, 2);
}

/// The worker that runs the circuit is lost; the next one builds it, and the waiting job takes that result.
#[tokio::test]
async fn a_lost_worker_costs_a_waiting_job_nothing() {
    let test = TestStore::new().await;
    let worker = builder(&test, "0.23").await;
    search_of(&test, &worker, &[SAME]).await;
    let second = search_of(&test, &worker, &[SAME]).await;
    let lost = worker.lease_one().await;
    test.run_out(lost.unit).await;
    bitfront_coordinator::reaper::sweep(&test.state)
        .await
        .unwrap();
    // While the first one backs off, the other may be built; then the first one waits for it.
    let taken = worker.lease_one().await;
    assert_ne!(taken.unit, lost.unit);
    test.end_backoff().await;
    assert!(worker.lease(9).await.is_empty());
    let late = worker.complete_with(lost, measured(SAME, "0.23")).await;
    assert!(late.is_err(), "the lost attempt has no say");
    worker
        .complete_with(taken, measured(SAME, "0.23"))
        .await
        .unwrap();
    let row = test.unit(lost.unit).await;
    assert_eq!(
        (row.state.as_str(), row.attempt, row.charged),
        ("completed", 1, 1)
    );
    assert_eq!(test.search_state(second).await, "finished");
    assert_eq!(
        test.count("select count(*) from searches where state = 'finished'")
            .await,
        2
    );
}

/// A failure is nobody else's: each job says itself that its circuit fails.
#[tokio::test]
async fn a_failure_is_not_shared() {
    let test = TestStore::new().await;
    let worker = builder(&test, "0.23").await;
    search_of(&test, &worker, &[SAME, SAME]).await;
    let first = worker.lease_one().await;
    worker.fail(first, false).await.unwrap();
    let second = worker.lease_one().await;
    assert_ne!(second.unit, first.unit);
}

#[tokio::test]
async fn another_version_of_the_tool_measures_for_itself() {
    let test = TestStore::new().await;
    let old = builder(&test, "0.23").await;
    search_of(&test, &old, &[SAME]).await;
    let holding = old.lease_one().await;
    old.complete_with(holding, measured(SAME, "0.23"))
        .await
        .unwrap();
    // The old version's workers are gone.
    sqlx::query("update workers set last_seen_at = now() - interval '1 hour'")
        .execute(&test.pool)
        .await
        .unwrap();
    let new = builder(&test, "0.40").await;
    let second = search_of(&test, &new, &[SAME]).await;
    let again = new.lease_one().await;
    new.complete_with(again, measured(SAME, "0.40"))
        .await
        .unwrap();
    let [job] = &jobs(&test, second).await[..] else {
        panic!("one job");
    };
    assert_eq!(job.shared_from, None);
    assert_eq!(job.result, Some(measured(SAME, "0.40")));
}

/// The trial's worker and the job's were of different versions of Bitfront, which write different RTL.
#[tokio::test]
async fn a_job_that_built_another_circuit_than_expected_shares_that_one() {
    let test = TestStore::new().await;
    let worker = builder(&test, "0.23").await;
    let first = search_of(&test, &worker, &[SAME, SAME, OTHER]).await;
    let leases = worker.lease(9).await;
    assert_eq!(leases.len(), 2);
    // The first one's RTL turns out to be that of the third; the second goes its own way.
    let all = jobs(&test, first).await;
    let lease = leases
        .iter()
        .find(|lease| lease.holding.unit.get() == all[0].id);
    worker
        .complete_with(lease.unwrap().holding, measured(OTHER, "0.23"))
        .await
        .unwrap();
    assert_eq!(worker.lease_one().await.unit.get(), all[1].id);
}

/// A coordinator that was killed between the report and what follows from it in other searches.
#[tokio::test]
async fn a_result_that_was_not_shared_is_shared_by_the_sweep() {
    let test = TestStore::new().await;
    let worker = builder(&test, "0.23").await;
    search_of(&test, &worker, &[SAME]).await;
    let second = search_of(&test, &worker, &[SAME]).await;
    let holding = worker.lease_one().await;
    // Nothing is shared while nobody is here who measures with this version.
    sqlx::query("update workers set last_seen_at = now() - interval '1 hour'")
        .execute(&test.pool)
        .await
        .unwrap();
    worker
        .complete_with(holding, measured(SAME, "0.23"))
        .await
        .unwrap();
    assert_eq!(jobs(&test, second).await[0].state, "queued");
    // The worker is back. It does not build what is there.
    assert!(worker.lease(9).await.is_empty());
    bitfront_coordinator::reaper::sweep(&test.state)
        .await
        .unwrap();
    assert_eq!(test.search_state(second).await, "finished");
    let job = &jobs(&test, second).await[0];
    assert_eq!(job.shared_from, Some(holding.unit.get()));
}

/// Cancelled before its equal ended: it stays so.
#[tokio::test]
async fn a_cancelled_job_takes_no_result() {
    let test = TestStore::new().await;
    let worker = builder(&test, "0.23").await;
    search_of(&test, &worker, &[SAME]).await;
    let second = search_of(&test, &worker, &[SAME]).await;
    let holding = worker.lease_one().await;
    let waiting = UnitId(jobs(&test, second).await[0].id);
    test.store().cancel_unit(second, waiting).await.unwrap();
    worker
        .complete_with(holding, measured(SAME, "0.23"))
        .await
        .unwrap();
    let job = &jobs(&test, second).await[0];
    assert_eq!((job.state.as_str(), &job.result), ("cancelled", &None));
}
