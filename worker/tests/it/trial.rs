//! A trial from its lease to its scores.

use bitfront_hardware::costs::program_ebops;
use bitfront_network::{IntegerProgram, Weights};
use bitfront_proto::v1::{EpochMeasurement, UnitRef};
use bitfront_search::TrialScores;
use bitfront_search::learned::{LearnedBits, PointOutcome, RunResult};
use bitfront_search::search::Sampler;
use bitfront_search::space::{Parameter, Variable};
use bitfront_training::ENGINE_VERSION;
use serde_json::Value;

use crate::fake::{Call, Fake};
use crate::fixture::{
    Running, SIX_BITS, candidate, dataset, float_candidate, queue_candidate, queue_of_search,
    queue_trial, search,
};
use crate::known_bits;

#[tokio::test]
async fn a_leased_trial_is_trained_scored_and_completed() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |config| config.name = "first".into());
    let unit = queue_trial(&fake, 40);
    let done = fake.completed(&unit).await;

    let scores: TrialScores = serde_json::from_str(&done.result_json).unwrap();
    assert!(scores.accuracy_validation.unwrap() > 0.9, "{scores:?}");
    assert!(scores.accuracy_test.unwrap() > 0.9);
    assert!(scores.auc_validation.unwrap().iter().all(|auc| *auc > 0.9));
    for each in [
        scores.background_efficiency_50_validation,
        scores.background_efficiency_50_test,
        scores.background_efficiency_80_validation,
        scores.background_efficiency_80_test,
    ] {
        assert!(each.unwrap().iter().all(|passed| *passed < 0.1));
    }
    let confusion = scores.confusion_test.unwrap();
    let right: u64 = confusion.iter().enumerate().map(|(at, row)| row[at]).sum();
    let rows: u64 = confusion.iter().flatten().sum();
    assert_eq!(right as f64 / rows as f64, scores.accuracy_test.unwrap());
    assert!(scores.costs.unwrap().lut_estimate > 0);

    // The weights that were uploaded give the program that was scored.
    let reference = |kind: &str| done.artifacts.iter().find(|a| a.kind == kind).unwrap();
    let weights = fake.with(|s| s.artifacts[&reference("weights").digest].clone());
    let candidate = candidate(SIX_BITS);
    let weights = Weights::from_bytes(&candidate, &weights).unwrap();
    IntegerProgram::freeze(&candidate, &weights).unwrap();
    let log = fake.with(|s| s.artifacts[&reference("log").digest].clone());
    let log = String::from_utf8(log).unwrap();
    assert!(
        log.contains("epoch  40:") && log.contains(&format!("engine version {ENGINE_VERSION}, ")),
        "{log}"
    );

    // Every curve point arrived, by heartbeat or with the result.
    let mut epochs: Vec<u32> = points(&fake, &unit).iter().map(|e| e.epoch).collect();
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs, (1..=40).collect::<Vec<u32>>());
    assert_eq!(fake.reports(&unit), 1);
    fake.with(|state| match &state.calls[0] {
        Call::Register(request) => {
            assert_eq!((request.name.as_str(), request.slots), ("first", 1));
            assert!(!request.cpu_level.is_empty() && !request.host.is_empty());
            assert_eq!(request.engine_version, ENGINE_VERSION);
        }
        other => panic!("first call {other:?}"),
    });
    worker.drained().await;
}

/// All curve points of a unit, as they came in.
fn points(fake: &Fake, unit: &UnitRef) -> Vec<EpochMeasurement> {
    fake.with(|state| {
        let mut points = Vec::new();
        for call in &state.calls {
            match call {
                Call::Heartbeat(beat) => {
                    for progress in &beat.units {
                        if progress.unit.as_ref() == Some(unit) {
                            points.extend(&progress.epochs);
                        }
                    }
                }
                Call::Complete(done) if done.unit.as_ref() == Some(unit) => {
                    points.extend(&done.epochs);
                }
                _ => {}
            }
        }
        points
    })
}

#[tokio::test]
async fn the_same_trial_gives_the_same_bits_on_another_worker() {
    let fake = Fake::start();
    let mut results = Vec::new();
    for slots in [1, 2] {
        let worker = Running::start(&fake, |config| config.slots = slots);
        let unit = queue_trial(&fake, 5);
        let done = fake.completed(&unit).await;
        let weights = done.artifacts.iter().find(|a| a.kind == "weights").unwrap();
        results.push((done.result_json.clone(), weights.digest.clone()));
        worker.drained().await;
    }
    assert_eq!(results[0], results[1]);
    let (scores, weights) = &results[0];
    known_bits::check("trial", [figures(scores), characters(weights)]);
}

/// The characters of a text, as known bits are made of.
fn characters(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

/// The figures that stand in fronts, by name: a score that is added later is no other result.
fn figures(result_json: &str) -> Vec<u32> {
    let scores: Value = serde_json::from_str(result_json).unwrap();
    let figures = [
        "/accuracy_validation",
        "/accuracy_test",
        "/auc_validation",
        "/background_efficiency_50_validation",
        "/confusion_test",
        "/costs/bits",
        "/costs/energy_pj",
        "/costs/ebops",
        "/costs/lut_estimate",
        "/costs/ff_estimate",
        "/costs/latency_ns",
    ];
    let figures = figures.map(|figure| scores.pointer(figure).expect(figure).to_string());
    characters(&figures.join(" "))
}

#[tokio::test]
async fn a_float_reference_has_accuracy_and_nothing_else() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let float = float_candidate();
    let unit = queue_candidate(&fake, &float, 20, 0.02);
    let done = fake.completed(&unit).await;
    let scores: TrialScores = serde_json::from_str(&done.result_json).unwrap();
    assert!(scores.accuracy_validation.unwrap() > 0.9, "{scores:?}");
    assert!(scores.costs.is_none() && scores.auc_validation.is_none());
    assert!(scores.confusion_test.is_none());
    worker.drained().await;
}

#[tokio::test]
async fn faults_have_codes_and_the_log_is_kept() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    // Four features where the data set has three.
    let mut wide = candidate(SIX_BITS);
    wide.input_shape = vec![4];
    let unit = queue_candidate(&fake, &wide, 3, 0.01);
    let failed = fake.failed(&unit).await;
    assert_eq!(
        (failed.code.as_str(), failed.retryable),
        ("dataset-invalid", false)
    );
    assert!(failed.message.contains("4 inputs"), "{}", failed.message);
    let log = failed.artifacts.iter().find(|a| a.kind == "log").unwrap();
    let log = fake.with(|state| state.artifacts[&log.digest].clone());
    assert!(
        String::from_utf8(log)
            .unwrap()
            .contains("failed: dataset-invalid")
    );
    assert_eq!(fake.reports(&unit), 1);
    worker.drained().await;
}

#[tokio::test]
async fn a_damaged_file_in_the_cache_is_fetched_again() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let digest = fake.store(crate::fixture::dataset());
    let cached = worker.cache.path().join(format!("{digest}.csv"));
    std::fs::write(&cached, "a,b\n1,0\n").unwrap();
    let unit = queue_trial(&fake, 2);
    fake.completed(&unit).await;
    assert_eq!(std::fs::read(&cached).unwrap(), crate::fixture::dataset());
    worker.drained().await;
}

#[tokio::test]
async fn any_number_of_slots_gives_the_same_results() {
    let fake = Fake::start();
    let mut results = Vec::new();
    for slots in [1, 4] {
        let worker = Running::start(&fake, |config| config.slots = slots);
        // Four trials that differ, queued together, so that four slots run them beside each other.
        let units = [2, 3, 4, 5].map(|epochs| queue_trial(&fake, epochs));
        let mut digests = Vec::new();
        for unit in &units {
            let done = fake.completed(unit).await;
            let weights = done.artifacts.iter().find(|a| a.kind == "weights").unwrap();
            digests.push((done.result_json.clone(), weights.digest.clone()));
        }
        results.push(digests);
        worker.drained().await;
    }
    assert_eq!(results[0], results[1]);
    assert_ne!(results[0][0].1, results[0][1].1);
}

#[tokio::test]
async fn a_trial_larger_than_a_slots_memory_is_refused_before_it_starts() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |config| {
        config.slots = 2;
        config.memory_limit = 64 << 10;
    });
    let unit = queue_trial(&fake, 2);
    let failed = fake.failed(&unit).await;
    // Another worker may have more.
    assert_eq!(
        (failed.code.as_str(), failed.retryable),
        ("too-large", true)
    );
    let message = &failed.message;
    assert!(
        message.contains("training needs 1 MiB")
            && message.contains("a slot of this worker has 0 MiB"),
        "{message}"
    );
    assert!(points(&fake, &unit).is_empty());
    let log = failed.artifacts.iter().find(|a| a.kind == "log").unwrap();
    let log = fake.with(|state| state.artifacts[&log.digest].clone());
    assert!(!String::from_utf8(log).unwrap().contains("engine"));
    worker.drained().await;
}

/// Its training takes 71 KiB with the data, its scores 265 KiB, most of them vectors.
#[tokio::test]
async fn a_trial_whose_scores_are_larger_than_a_slots_memory_is_refused_before_it_starts() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |config| config.memory_limit = 128 << 10);
    let unit = queue_trial(&fake, 2);
    assert_eq!(fake.failed(&unit).await.code, "too-large");
    assert!(points(&fake, &unit).is_empty());
    // The float reference has neither vectors nor figures of classes.
    let float = queue_candidate(&fake, &float_candidate(), 2, 0.02);
    fake.completed(&float).await;
    worker.drained().await;
}

/// A search over the small data set whose one trial is a run of so many epochs.
pub(crate) fn learning(fake: &Fake, epochs: u32) -> (bitfront_search::Search, UnitRef) {
    let mut search = search(&fake.store(dataset()), 5, 0.02);
    search.sampler = Sampler::LearnedBits(LearnedBits {
        epochs,
        batch_size: 32,
        averaging: 0.5,
        last_beta: 1e-3,
        ..LearnedBits::default()
    });
    let fixed = |name: &str, parameter, layer: usize, quantizer: &str| Variable {
        name: name.to_owned(),
        parameter,
        layers: vec![layer],
        choices: vec![quantizer.parse().unwrap()],
    };
    search.space.variables = vec![
        fixed(
            "input",
            Parameter::Input,
            0,
            "quantized_bits(8,2,alpha=1.0)",
        ),
        fixed("fc1.kernel", Parameter::Kernel, 0, "float"),
        fixed("fc1.bias", Parameter::Bias, 0, "float"),
        fixed("relu1.activation", Parameter::Activation, 1, "relu"),
        fixed("fc2.kernel", Parameter::Kernel, 2, "float"),
        fixed("fc2.bias", Parameter::Bias, 2, "float"),
    ];
    let unit = queue_of_search(fake, &search, &float_candidate());
    (search, unit)
}

#[tokio::test]
async fn a_run_learns_bit_widths_and_reports_the_same_points_on_any_worker() {
    let fake = Fake::start();
    let mut results = Vec::new();
    for slots in [1, 2] {
        let worker = Running::start(&fake, |config| config.slots = slots);
        let (search, unit) = learning(&fake, 10);
        let done = fake.completed(&unit).await;
        let run: RunResult = serde_json::from_str(&done.result_json).unwrap();
        let Sampler::LearnedBits(settings) = &search.sampler else {
            unreachable!("the search learns bits");
        };
        assert_eq!(run.check(&search, settings), Ok(()));
        assert!(run.scores.accuracy_validation.unwrap() > 0.9 && run.scores.costs.is_none());
        assert!(!run.points.is_empty());
        for point in &run.points {
            let PointOutcome::Scored {
                scores,
                weights_digest,
            } = &point.outcome
            else {
                panic!("{:?}", point.outcome);
            };
            // The weights that were uploaded give the scores, as those of any trial do.
            let bytes = fake.with(|state| state.artifacts[weights_digest].clone());
            let weights = Weights::from_bytes(&point.candidate, &bytes).unwrap();
            let program = IntegerProgram::freeze(&point.candidate, &weights).unwrap();
            let costs = scores.costs.as_ref().unwrap();
            assert_eq!(costs.ebops, program_ebops(&program));
            let kept = |a: &&bitfront_proto::v1::ArtifactRef| {
                a.kind == "point-weights" && a.digest == *weights_digest
            };
            assert!(done.artifacts.iter().any(|a| kept(&a)));
        }
        let own = done
            .artifacts
            .iter()
            .filter(|a| a.kind == "weights")
            .count();
        assert_eq!(own, 1, "the float network's");
        // The curve goes on behind that of the float network.
        let last = points(&fake, &unit).iter().map(|e| e.epoch).max();
        assert_eq!(last, Some(15));
        results.push(done.result_json.clone());
        worker.drained().await;
    }
    assert_eq!(results[0], results[1]);
}

#[tokio::test]
async fn a_run_larger_than_a_slots_memory_is_refused() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |config| config.memory_limit = 1 << 20);
    // A point may be kept of every epoch.
    let (_, unit) = learning(&fake, 10_000);
    let failed = fake.failed(&unit).await;
    assert_eq!(failed.code, "too-large");
    // A training of the same network has room.
    let small = queue_candidate(&fake, &float_candidate(), 5, 0.02);
    fake.completed(&small).await;
    worker.drained().await;
}
