//! A synthesis job with the real tools; without them on PATH these tests say so and pass, or fail with
//! `BITFRONT_REQUIRE_TOOLS=1`.

use bitfront_hardware::engine::Stage;
use bitfront_proto::v1::LeaseAnswer;
use bitfront_worker::{SynthesisResult, tools};

use crate::fake::{Fake, digest_of};
use crate::fixture::{Running, queue_synthesis, queue_trial};

#[path = "../../../crates/hardware/tests/common/skipped.rs"]
mod said;

fn skipped() -> bool {
    let missing = tools().missing();
    if !missing.is_empty() {
        said::skipped(&missing.join(", "));
    }
    !missing.is_empty()
}

#[tokio::test]
async fn a_trained_candidate_becomes_a_measured_circuit() {
    if skipped() {
        return;
    }
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let trial = queue_trial(&fake, 10);
    let trained = fake.completed(&trial).await;
    let weights = trained
        .artifacts
        .iter()
        .find(|a| a.kind == "weights")
        .unwrap();

    let mut results = Vec::new();
    for _ in 0..2 {
        let unit = queue_synthesis(&fake, &weights.digest, "yosys");
        let done = fake.completed(&unit).await;
        let result: SynthesisResult = serde_json::from_str(&done.result_json).unwrap();
        assert!(result.vectors_checked >= 2000, "{result:?}");
        assert_eq!(result.netlist_vectors_checked, result.vectors_checked);
        assert_eq!(result.netlist_simulator, "bitfront");
        assert_eq!(
            (result.tool.as_str(), result.stage),
            ("yosys", Stage::Synthesis)
        );
        assert!(result.options.contains("-nodsp") && !result.untested_on_the_tool);
        assert!(result.lut_measured > 0 && result.ff_measured > 0 && result.levels > Some(0));
        assert_eq!(result.dsp_measured, 0);
        assert!(result.cycles > 0 && result.cpu_s.unwrap() > 0.0);
        assert!(result.peak_rss_kib.unwrap() > 1000);
        assert!(
            result
                .command
                .contains("synth_xilinx -family xcup -noiopad -noclkbuf -nosrl")
        );
        assert!(!result.tool_version.is_empty() && !result.simulator_version.is_empty());
        // What is named by digest was uploaded.
        for (kind, digest) in [
            ("rtl", &result.rtl_digest),
            ("report", &result.report_digest),
            ("netlist", &result.netlist_digest),
        ] {
            let artifact = done.artifacts.iter().find(|a| a.kind == kind).unwrap();
            assert_eq!(&artifact.digest, digest);
            let bytes = fake.with(|state| state.artifacts[digest].clone());
            assert_eq!(&digest_of(&bytes), digest);
        }
        let files: Vec<&str> = result.files.keys().map(String::as_str).collect();
        assert_eq!(files, ["constraints", "script", "testbench", "vectors"]);
        for (kind, digest) in &result.files {
            let artifact = done.artifacts.iter().find(|a| a.kind == *kind).unwrap();
            assert_eq!(&artifact.digest, digest);
            let bytes = fake.with(|state| state.artifacts[digest].clone());
            assert_eq!(&digest_of(&bytes), digest);
        }
        results.push(result);
    }
    // Deterministic tools: equal input, equal circuit and report.
    assert_eq!(results[0].rtl_digest, results[1].rtl_digest);
    assert_eq!(results[0].report_digest, results[1].report_digest);
    assert_eq!(results[0].netlist_digest, results[1].netlist_digest);
    // Nothing temporary stays.
    let left = std::fs::read_dir(worker.cache.path()).unwrap().flatten();
    let jobs = left.filter(|entry| {
        entry.file_name().to_string_lossy().starts_with("job-") && entry.path().is_dir()
    });
    assert_eq!(jobs.count(), 0);
    worker.drained().await;
}

#[tokio::test]
async fn a_cancelled_job_ends_its_tools() {
    if skipped() {
        return;
    }
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let trial = queue_trial(&fake, 1);
    let trained = fake.completed(&trial).await;
    let weights = trained
        .artifacts
        .iter()
        .find(|a| a.kind == "weights")
        .unwrap();
    let unit = queue_synthesis(&fake, &weights.digest, "yosys");
    fake.wait("the job's first lines", |state| {
        state.calls.iter().find_map(|call| match call {
            crate::fake::Call::Heartbeat(beat) => beat
                .units
                .iter()
                .find(|p| p.unit.as_ref() == Some(&unit) && p.log_tail.contains("kernels proved"))
                .map(|_| ()),
            _ => None,
        })
    })
    .await;
    fake.with(|state| state.answers.insert(unit.id.clone(), LeaseAnswer::Cancel));
    fake.released(&unit).await;
    assert_eq!(fake.reports(&unit), 1);
    worker.drained().await;
}

#[tokio::test]
async fn another_tool_is_refused_by_name() {
    if skipped() {
        return;
    }
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    for (engine, says) in [
        ("quartus", "\"quartus\": accepted are"),
        ("vivado", "this worker has: yosys"),
    ] {
        if tools().get(engine).is_some() {
            continue;
        }
        let unit = queue_synthesis(&fake, &"0".repeat(64), engine);
        let failed = fake.failed(&unit).await;
        assert_eq!(
            (failed.code.as_str(), failed.retryable),
            ("tool-failed", false)
        );
        assert!(failed.message.contains(says), "{}", failed.message);
    }
    worker.drained().await;
}
