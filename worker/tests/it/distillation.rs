//! Trials of a search whose candidates learn from their float parent.

use bitfront_search::learned::RunResult;
use bitfront_search::search::{Distillation, Search};
use bitfront_search::{TrialScores, trial_seed};

use crate::fake::Fake;
use crate::fixture::{
    Running, SIX_BITS, candidate, dataset, float_candidate, queue_of_search, queue_seeded, search,
};
use crate::trial::learning;

const FOUR_BITS: &str = "quantized_bits(4,1,alpha=1.0)";

fn distilling(fake: &Fake) -> Search {
    let mut search = search(&fake.store(dataset()), 20, 0.02);
    search.training.distillation = Some(Distillation {
        weight: 0.75,
        temperature: 3.0,
        widen: 1,
    });
    search
}

#[tokio::test]
async fn every_worker_has_the_same_teacher_and_trains_it_once() {
    let fake = Fake::start();
    let search = distilling(&fake);
    let mut results = Vec::new();
    for (slots, order) in [(1, [SIX_BITS, FOUR_BITS]), (2, [FOUR_BITS, SIX_BITS])] {
        let worker = Running::start(&fake, |config| config.slots = slots);
        let units = order.map(|kernel| queue_of_search(&fake, &search, &candidate(kernel)));
        let mut digests = Vec::new();
        let mut trained = 0;
        for unit in &units {
            let done = fake.completed(unit).await;
            let artifact = |kind: &str| {
                let found = done.artifacts.iter().find(|a| a.kind == kind);
                found.unwrap().digest.clone()
            };
            digests.push((done.result_json.clone(), artifact("weights")));
            let log = fake.with(|state| state.artifacts[&artifact("log")].clone());
            let log = String::from_utf8(log).unwrap();
            assert!(log.contains("teacher: the float parent"), "{log}");
            trained += usize::from(log.contains("trained in this process before"));
        }
        assert_eq!(trained, 1, "{slots} slots");
        digests.sort();
        results.push(digests);
        worker.drained().await;
    }
    assert_eq!(results[0], results[1]);
}

#[tokio::test]
async fn a_teacher_changes_what_is_learned_but_not_the_parent() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let taught = distilling(&fake);
    let mut plain = taught.clone();
    plain.training.distillation = None;
    let float = float_candidate();
    for (candidate, changes) in [(candidate(SIX_BITS), true), (float.clone(), false)] {
        let seed = trial_seed(taught.seed, &candidate.digest(), 0);
        let mut weights = Vec::new();
        for search in [&plain, &taught] {
            let unit = queue_seeded(&fake, search, &candidate, seed);
            let done = fake.completed(&unit).await;
            let scores: TrialScores = serde_json::from_str(&done.result_json).unwrap();
            assert!(scores.accuracy_validation.unwrap() > 0.9, "{scores:?}");
            let own = done.artifacts.iter().find(|a| a.kind == "weights").unwrap();
            weights.push(own.digest.clone());
        }
        assert_eq!(weights[0] != weights[1], changes);
    }
    worker.drained().await;
}

#[tokio::test]
async fn learned_bits_have_a_teacher_the_same_on_every_worker() {
    let fake = Fake::start();
    let (plain, _) = learning(&fake, 10);
    let float = float_candidate();
    let seed = trial_seed(plain.seed, &float.digest(), 0);
    let taught = |widen| {
        let mut search = plain.clone();
        search.training.distillation = Some(Distillation {
            weight: 0.75,
            temperature: 3.0,
            widen,
        });
        search
    };
    let searches = [plain.clone(), taught(1), taught(4)];
    let mut results = Vec::new();
    for slots in [1, 2] {
        let worker = Running::start(&fake, |config| config.slots = slots);
        let units = searches
            .each_ref()
            .map(|search| queue_seeded(&fake, search, &float, seed));
        let mut runs = Vec::new();
        for (unit, teacher) in units.iter().zip([
            None,
            Some("teacher: the float parent, seed"),
            Some("teacher: a wider float parent, seed"),
        ]) {
            let done = fake.completed(unit).await;
            let own = done.artifacts.iter().find(|a| a.kind == "log").unwrap();
            let log = fake.with(|state| state.artifacts[&own.digest].clone());
            let log = String::from_utf8(log).unwrap();
            assert_eq!(log.contains("teacher: "), teacher.is_some(), "{log}");
            assert!(log.contains(teacher.unwrap_or_default()), "{log}");
            runs.push(done.result_json);
        }
        results.push(runs);
        worker.drained().await;
    }
    assert_eq!(results[0], results[1]);
    let runs: Vec<RunResult> = results[0]
        .iter()
        .map(|result| serde_json::from_str(result).unwrap())
        .collect();
    // The float network is trained from labels alone, the bit widths are not.
    assert!(runs.iter().all(|run| run.scores == runs[0].scores));
    assert!(runs[0].points != runs[1].points && runs[1].points != runs[2].points);
}

#[tokio::test]
async fn a_teacher_that_cannot_be_trained_is_named() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let mut search = distilling(&fake);
    // No search file says this: the engine refuses it, and the teacher is the first to be trained.
    search.training.l2 = 2.0;
    let unit = queue_of_search(&fake, &search, &candidate(SIX_BITS));
    let failed = fake.failed(&unit).await;
    assert_eq!(
        (failed.code.as_str(), failed.retryable),
        ("internal", false)
    );
    assert!(
        failed
            .message
            .starts_with("the teacher, the float parent: "),
        "{}",
        failed.message
    );
    worker.drained().await;
}
