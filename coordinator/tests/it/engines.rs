//! Synthesis jobs of several engines: who is given them, what equal ones share, and what stands in a ranking.

use bitfront_coordinator::error::Kind;
use bitfront_coordinator::ids::{SearchId, SynthesisId};
use bitfront_coordinator::store::read::{SynthesisFilter, SynthesisRow};
use bitfront_hardware::device::Devices;
use bitfront_hardware::engine::{Engine, Target};
use serde_json::{Value, json};

use crate::sharing::search_by;
use crate::support::{TestStore, TestWorker, Wanted};

const CIRCUIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const ICE40: &str = "yosys-nextpnr-ice40";

async fn yosys(test: &TestStore) -> TestWorker {
    test.worker_with(json!({ "yosys": "0.23" }), &["yosys"])
        .await
}

async fn router(test: &TestStore, yosys: &str) -> TestWorker {
    let tools = json!({ "yosys": yosys, "nextpnr-ice40": "0.4", "verilator": "5.006" });
    test.worker_with(tools, &["yosys", ICE40]).await
}

async fn jobs(test: &TestStore, search: SearchId) -> Vec<SynthesisRow> {
    let filter = SynthesisFilter {
        search: Some(search),
        ..SynthesisFilter::default()
    };
    test.store().list_synthesis(filter, 100).await.unwrap()
}

/// What a job of the router's reports; its programs are those of [`router`].
fn routed(yosys: &str, lut: u32) -> Value {
    json!({ "tool": ICE40, "tool_version": "0.4", "tool_versions": { "yosys": yosys, "nextpnr-ice40": "0.4" },
        "rtl_digest": CIRCUIT, "lut_measured": lut, "ff_measured": 7 })
}

#[tokio::test]
async fn a_job_waits_for_a_worker_that_has_its_engine() {
    let test = TestStore::new().await;
    let trainer = yosys(&test).await;
    let search = search_by(&test, &trainer, &[CIRCUIT], &json!({ "engine": ICE40 })).await;
    assert!(trainer.lease(9).await.is_empty());
    let [job] = &jobs(&test, search).await[..] else {
        panic!("one job");
    };
    assert_eq!(
        (job.tool.as_str(), job.part.as_deref(), job.lacks_engine),
        (ICE40, Some("hx8k-ct256"), true)
    );
    assert!(
        job.options.contains("--hx8k --package ct256"),
        "{}",
        job.options
    );
    let shown = test.store().find_search(search).await.unwrap().unwrap();
    assert_eq!(shown.synthesis_lacks_engine, 1);

    let able = router(&test, "0.23").await;
    assert!(
        !jobs(&test, search).await[0].lacks_engine,
        "now it only waits its turn"
    );
    assert!(trainer.lease(9).await.is_empty());
    let holding = able.lease_one().await;
    let work = test.store().synthesis_work(&[holding.unit]).await.unwrap();
    assert_eq!(
        (work[0].tool.as_str(), work[0].part.as_str()),
        (ICE40, "hx8k-ct256")
    );
    able.complete_with(holding, routed("0.23", 90))
        .await
        .unwrap();
    assert_eq!(test.search_state(search).await, "finished");
    // Its figures are the search's measurements.
    let on_front =
        "select count(*) from scores where on_front and measured ->> 'lut_measured' = '90'";
    assert_eq!(test.count(on_front).await, 1);

    // A worker that is gone, or drains, is none that is waited for.
    let second = search_by(
        &test,
        &trainer,
        &[CIRCUIT],
        &json!({ "engine": ICE40, "part": "up5k-sg48" }),
    )
    .await;
    sqlx::query("update workers set draining = true where id = $1")
        .bind(able.id.get())
        .execute(&test.pool)
        .await
        .unwrap();
    assert!(jobs(&test, second).await[0].lacks_engine);
}

#[tokio::test]
async fn equal_circuits_share_by_engine_part_and_options_only() {
    let test = TestStore::new().await;
    let worker = router(&test, "0.23").await;
    let of = async |more: Value| search_by(&test, &worker, &[CIRCUIT], &more).await;
    let searches = [
        of(json!({})).await,
        of(json!({ "engine": ICE40 })).await,
        of(json!({ "engine": ICE40, "part": "up5k-sg48" })).await,
        of(json!({ "engine": ICE40, "part": "hx1k-vq100" })).await,
    ];
    // The last one differs from the second in options alone, as by a clock that registers do not depend on.
    sqlx::query("update synthesis_jobs set part = 'hx8k-ct256', options = 'another clock' where search_id = $1")
        .bind(searches[3].get())
        .execute(&test.pool)
        .await
        .unwrap();
    let again = of(json!({ "engine": ICE40 })).await;
    // All at once, but for the one that is equal to another.
    let leases = worker.lease(9).await;
    assert_eq!(leases.len(), 4, "{leases:?}");
    for (lease, lut) in leases.iter().zip(1..) {
        let job = test
            .store()
            .find_synthesis(SynthesisId(lease.holding.unit.get()));
        let result = match job.await.unwrap().unwrap().tool.as_str() {
            ICE40 => routed("0.23", lut),
            _ => {
                json!({ "tool": "yosys", "tool_version": "0.23", "rtl_digest": CIRCUIT, "lut_measured": lut })
            }
        };
        worker.complete_with(lease.holding, result).await.unwrap();
    }
    for search in searches {
        assert_eq!(jobs(&test, search).await[0].shared_from, None);
        assert_eq!(test.search_state(search).await, "finished");
    }
    let original = jobs(&test, searches[1]).await[0].id;
    assert_eq!(jobs(&test, again).await[0].shared_from, Some(original));
    // A result that was measured with other options than are asked for now is nobody's.
    sqlx::query("update synthesis_jobs set options = 'another clock' where search_id = $1")
        .bind(searches[2].get())
        .execute(&test.pool)
        .await
        .unwrap();
    let later = of(json!({ "engine": ICE40, "part": "up5k-sg48" })).await;
    assert_eq!(jobs(&test, later).await[0].state, "queued");
}

/// The router's figures are of the synthesis before it too.
#[tokio::test]
async fn another_version_of_any_program_measures_for_itself() {
    let test = TestStore::new().await;
    let old = router(&test, "0.23").await;
    search_by(&test, &old, &[CIRCUIT], &json!({ "engine": ICE40 })).await;
    let holding = old.lease_one().await;
    old.complete_with(holding, routed("0.23", 90))
        .await
        .unwrap();
    sqlx::query("update workers set last_seen_at = now() - interval '1 hour'")
        .execute(&test.pool)
        .await
        .unwrap();
    let new = router(&test, "0.40").await;
    let second = search_by(&test, &new, &[CIRCUIT], &json!({ "engine": ICE40 })).await;
    assert_eq!(jobs(&test, second).await[0].state, "queued");
    let holding = new.lease_one().await;
    new.complete_with(holding, routed("0.40", 80))
        .await
        .unwrap();
    assert_eq!(jobs(&test, second).await[0].shared_from, None);
}

#[tokio::test]
async fn figures_of_another_engine_stand_in_no_ranking() {
    let test = TestStore::new().await;
    let worker = router(&test, "0.23").await;
    let search = search_by(&test, &worker, &[CIRCUIT], &json!({})).await;
    let own = worker.lease_one().await;
    let target = Target {
        engine: Engine::Ice40,
        part: Some("hx8k-ct256".to_owned()),
    };
    let (job, new) = test
        .store()
        .request_synthesis(search, 0, &target)
        .await
        .unwrap();
    assert!(new, "a job an engine");
    let asked = worker.lease_one().await;
    assert_eq!(asked.unit, job.into());
    worker
        .complete_with(asked, routed("0.23", 5))
        .await
        .unwrap();
    let measured = "select count(*) from scores where measured is not null";
    assert_eq!(test.count(measured).await, 0);
    let row = test.store().find_trial(bitfront_coordinator::ids::TrialId(
        jobs(&test, search).await[0].trial_id,
    ));
    let row = row.await.unwrap().unwrap();
    assert_ne!(
        row.synthesis_id,
        Some(job.get()),
        "the trial's own job is of its search's engine"
    );
    let result = json!({ "tool": "yosys", "tool_version": "0.23", "rtl_digest": CIRCUIT, "lut_measured": 90 });
    worker.complete_with(own, result).await.unwrap();
    let measured =
        "select count(*) from scores where on_front and measured ->> 'lut_measured' = '90'";
    assert_eq!(test.count(measured).await, 1);
    assert_eq!(test.search_state(search).await, "finished");
}

#[tokio::test]
async fn a_request_for_an_engine_that_does_not_take_the_circuit_is_a_conflict_that_says_so() {
    let test = TestStore::new().await;
    let options = "update searches set resolved = resolved || $2 where id = $1";
    for (circuit, says) in [
        (json!({ "multipliers": "dsps" }), "multipliers `luts`"),
        (
            json!({ "layout": { "streamed": { "reuse": 2 } } }),
            "streamed",
        ),
        (json!({}), "trial"),
    ] {
        let search = test.submit(Wanted::default()).await;
        let updated = sqlx::query(options).bind(search.get()).bind(&circuit);
        updated.execute(&test.pool).await.unwrap();
        for engine in Engine::ALL {
            let target = Target::new(engine, None, "xcvu9p", Devices::known()).unwrap();
            let asked = test.store().request_synthesis(search, 0, &target).await;
            let error = asked.unwrap_err();
            assert_eq!(error.kind(), Kind::Conflict);
            // Where the engine takes it, the trial is what is missing.
            let expected = if engine == Engine::Yosys {
                "trial"
            } else {
                says
            };
            assert!(
                error.to_string().contains(expected),
                "{circuit} {engine}: {error}"
            );
        }
    }
}
