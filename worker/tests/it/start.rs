//! Trials that start from the weights of a registered model.

use bitfront_network::{Candidate, IntegerProgram, Weights};
use bitfront_proto::v1::CompleteRequest;
use bitfront_search::TrialScores;
use bitfront_search::search::Start;

use crate::fake::{Call, Fake};
use crate::fixture::{
    Running, SIX_BITS, candidate, dataset, float_candidate, queue_candidate, queue_of_search,
    search,
};

/// So small a step that no weight moves by as much as its last bit would show in a score.
const STANDING_STILL: f64 = 1e-30;

/// The weights file that a report names.
fn weights_of(fake: &Fake, done: &CompleteRequest) -> Vec<u8> {
    let weights = done.artifacts.iter().find(|a| a.kind == "weights").unwrap();
    fake.with(|state| state.artifacts[&weights.digest].clone())
}

fn scores(done: &CompleteRequest) -> TrialScores {
    serde_json::from_str(&done.result_json).unwrap()
}

/// Runs one epoch that stands still, from the model's weights.
async fn from_start(fake: &Fake, weights_digest: &str, candidate: &Candidate) -> CompleteRequest {
    let mut search = search(&fake.store(dataset()), 1, STANDING_STILL);
    search.start = Some(Start {
        model: "tagger".into(),
        weights_digest: weights_digest.into(),
    });
    let unit = queue_of_search(fake, &search, candidate);
    fake.completed(&unit).await
}

#[tokio::test]
async fn every_trial_starts_from_the_models_weights_quantized_or_not() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let float = float_candidate();
    let trained = queue_candidate(&fake, &float, 20, 0.02);
    let trained = fake.completed(&trained).await;
    let bytes = weights_of(&fake, &trained);
    let model = Weights::from_bytes(&float, &bytes).unwrap();
    assert!(scores(&trained).accuracy_validation.unwrap() > 0.9);
    let digest = fake.store(bytes);

    // The float network has the imported accuracy, and its weights bit for bit.
    let done = from_start(&fake, &digest, &float).await;
    assert_eq!(scores(&done), scores(&trained));
    assert_eq!(
        Weights::from_bytes(&float, &weights_of(&fake, &done)).unwrap(),
        model
    );

    // A quantized candidate has the same tensors, and the accuracy of these weights in its formats.
    let six = candidate(SIX_BITS);
    let done = from_start(&fake, &digest, &six).await;
    assert_eq!(
        Weights::from_bytes(&six, &weights_of(&fake, &done)).unwrap(),
        model
    );
    IntegerProgram::freeze(&six, &model).unwrap();
    assert!(scores(&done).accuracy_validation.unwrap() > 0.9, "{done:?}");
    let again = from_start(&fake, &digest, &six).await;
    assert_eq!(again.result_json, done.result_json);

    // Without the model the same epoch leaves the weights that were drawn.
    let drawn = queue_candidate(&fake, &six, 1, STANDING_STILL);
    let drawn = fake.completed(&drawn).await;
    assert_ne!(weights_of(&fake, &drawn), weights_of(&fake, &done));
    assert!(
        worker
            .cache
            .path()
            .join(format!("{digest}.safetensors"))
            .is_file()
    );
    worker.drained().await;
}

#[tokio::test]
async fn weights_of_another_network_are_refused_and_named() {
    let fake = Fake::start();
    let worker = Running::start(&fake, |_| {});
    let mut other = float_candidate();
    other.layers[0].name = "elsewhere".into();
    let bytes = Weights::build(&other, |spec| vec![0.5; spec.shape.iter().product()]);
    let digest = fake.store(bytes.to_bytes(&other));
    let mut search = search(&fake.store(dataset()), 1, 0.01);
    search.start = Some(Start {
        model: "tagger".into(),
        weights_digest: digest,
    });
    let unit = queue_of_search(&fake, &search, &candidate(SIX_BITS));
    let failed = fake.failed(&unit).await;
    assert_eq!(
        (failed.code.as_str(), failed.retryable),
        ("model-invalid", false)
    );
    assert!(failed.message.contains("model tagger"), "{failed:?}");
    assert_eq!(fake.reports(&unit), 1);
    assert!(!fake.with(|state| {
        let done = |call: &Call| matches!(call, Call::Complete(_));
        state.calls.iter().any(done)
    }));
    worker.drained().await;
}
