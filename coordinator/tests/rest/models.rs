//! Models: uploads that are imported, limited and idempotent; all reasons of a refusal; searches that start from one.

use crate::support::{Server, kept, problem};
use bitfront_coordinator::artifacts::Digest;
use bitfront_network::{Candidate, Weights};
use bitfront_search::{Search, search::Network};
use futures_util::stream;
use reqwest::{Body, Method, Response};
use serde_json::{Value, json};
use std::path::Path;

/// A file of `testdata/models`.
fn file(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/models");
    std::fs::read(folder.join(name)).expect("a model file")
}

async fn upload(
    server: &Server,
    file: &str,
    body: impl Into<Body>,
    digest: Option<&str>,
) -> Response {
    let mut request = server
        .request(Method::POST, "/api/v1/models")
        .query(&[("file", file)]);
    if let Some(digest) = digest {
        request = request.header("x-digest", digest);
    }
    request.body(body).send().await.expect("an answer")
}

/// The model that a good file becomes.
async fn registered(server: &Server, name: &str) -> Value {
    let answer = upload(server, name, file(name), None).await;
    let status = answer.status();
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(status, 201, "{name}: {body}");
    body
}

async fn listed(server: &Server) -> Vec<Value> {
    let page = server.read("/models").await;
    page["items"].as_array().expect("items").clone()
}

/// What a search file that starts from `model` becomes without being stored.
async fn dry_run(server: &Server, model: &str, change: impl FnOnce(&mut Value)) -> Response {
    let mut file = json!({
        "apiVersion": "v1", "kind": "Search", "name": "tuned", "dataset": "jets_small",
        "model": { "import": model },
        "objectives": ["accuracy", "lut_estimate"],
        "budget": { "trials": 10 },
    });
    change(&mut file);
    server.post("/searches?dry_run=true", &file).await
}

#[tokio::test]
async fn a_model_is_shown_with_its_layers_and_its_weights_are_an_artifact() {
    let server = Server::start().await;
    let model = registered(&server, "qkeras_mlp.h5").await;
    assert_eq!(model["name"], "qkeras_mlp");
    assert_eq!(model["digest"], Digest::of(&file("qkeras_mlp.h5")).as_str());
    assert_eq!(model["source"], "Keras 2.15.0 with QKeras .h5");
    assert_eq!(model["input_quantizer"], "quantized_bits(8,2)");
    assert_eq!(
        (&model["input_shape"], &model["outputs"]),
        (&json!([16]), &json!(5))
    );
    assert_eq!(
        model["parameters"],
        17 * 8 + 9 * 8 + 8 * 8 + 9 * 5,
        "{model}"
    );
    let layers = model["layers"].as_array().expect("layers");
    assert_eq!(layers.len(), 7);
    assert_eq!(layers[0]["name"], "fc1");
    assert_eq!(layers[2]["kernel"]["quantizer"], "ternary(alpha=1.0)");
    let id = model["id"].as_str().expect("an id");
    assert_eq!(server.read(&format!("/models/{id}")).await, model);
    assert_eq!(kept(&server), 2, "the upload and the weights");
    let digest = model["weights_digest"].as_str().expect("a digest");
    let weights = server.get(&format!("/api/v1/artifacts/{digest}")).await;
    let weights = weights.bytes().await.expect("a body");
    assert_eq!(Digest::of(&weights).as_str(), digest);
    let missing = server.get("/api/v1/models/01900000-0000-7000-8000-000000000000");
    assert_eq!(problem(missing.await).await["code"], "not-found");
}

#[tokio::test]
async fn every_format_comes_back_from_the_database_as_it_was_read() {
    let server = Server::start().await;
    // Each with numbers that must survive their way through JSON: epsilons, momenta, scales, folds.
    let files = [
        "keras2_mlp.h5",
        "keras2_residual.h5",
        "keras2_variants_1d.h5",
        "keras3_variants.keras",
        "onnx_conv.onnx",
        "qkeras_batchnorm.h5",
        "qkeras_fold.h5",
        "qonnx_mlp.onnx",
    ];
    for name in files {
        let read = bitfront_coordinator::models::Model::read(&file(name), name).expect(name);
        let model = registered(&server, name).await;
        let stored: Value = sqlx::query_scalar("select candidate from models where digest = $1")
            .bind(model["digest"].as_str())
            .fetch_one(&server.pool)
            .await
            .expect("a row");
        let stored: Candidate = serde_json::from_value(stored).expect("a candidate");
        assert_eq!(stored, read.candidate, "{name}");
        let digest = model["weights_digest"].as_str().expect("a digest");
        let bytes = server.get(&format!("/api/v1/artifacts/{digest}")).await;
        let bytes = bytes.bytes().await.expect("a body");
        let network = Network::of(&stored).expect("a float reference");
        let weights = Weights::from_bytes(&network.float, &bytes).expect(name);
        let imported = bitfront_import::read(&file(name), Some(name)).expect(name);
        assert_eq!(weights, imported.weights, "{name}");
    }
    let names: Vec<Value> = listed(&server)
        .await
        .into_iter()
        .map(|mut model| model["file"].take())
        .collect();
    let newest_first: Vec<Value> = files.iter().rev().map(|name| json!(name)).collect();
    assert_eq!(names, newest_first);
}

#[tokio::test]
async fn the_same_bytes_are_one_model() {
    let server = Server::start().await;
    let bytes = file("keras3_mlp.keras");
    let digest = Digest::of(&bytes);
    let first = upload(
        &server,
        "tagger.keras",
        bytes.clone(),
        Some(digest.as_str()),
    )
    .await;
    assert_eq!(first.status(), 201);
    let first: Value = first.json().await.expect("JSON");
    let again = upload(&server, "another-name.keras", bytes, None).await;
    assert_eq!(again.status(), 200);
    assert_eq!(again.json::<Value>().await.expect("JSON"), first);
    assert_eq!(listed(&server).await.len(), 1);
    assert_eq!(kept(&server), 2);
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_with_every_reason_and_leaves_nothing() {
    let server = Server::start().await;
    for (name, layers) in [
        (
            "keras2_unsupported.h5",
            &["memory", "rows", "bent", "noise", "product"][..],
        ),
        ("keras3_unsupported.keras", &["table", "memory"]),
        (
            "onnx_unsupported.onnx",
            &["node_erf", "node_square", "node_strange"],
        ),
        (
            "qonnx_unsupported.onnx",
            &["node_q_in", "node_fc1.qweight", "node_q1", "node_output"],
        ),
    ] {
        let refused = problem(upload(&server, name, file(name), None).await).await;
        assert_eq!(
            (&refused["status"], &refused["code"]),
            (&422.into(), &"invalid-model".into()),
            "{name}"
        );
        let count = format!("the model has {} unsupported layers", layers.len());
        assert_eq!(refused["detail"], count.as_str(), "{name}");
        let errors = refused["errors"].as_array().expect("faults");
        let places: Vec<&str> = errors
            .iter()
            .map(|fault| fault["pointer"].as_str().expect("a pointer"))
            .collect();
        let wanted: Vec<String> = layers
            .iter()
            .map(|name| format!("/layers/{name}"))
            .collect();
        assert_eq!(places, wanted, "{name}");
        assert!(
            errors
                .iter()
                .all(|fault| fault["detail"].as_str().expect("text").contains(": ")),
            "type and reason: {refused}"
        );
    }
    assert_eq!(kept(&server), 0);
    assert_eq!(listed(&server).await, [0; 0]);
}

#[tokio::test]
async fn damaged_files_leave_nothing() {
    let server = Server::start().await;
    let good = file("keras2_mlp.h5");
    let other = Digest::of(b"other bytes");
    let damaged = upload(&server, "m.h5", good.clone(), Some(other.as_str())).await;
    assert_eq!(problem(damaged).await["code"], "digest-mismatch");
    let cut = good[..good.len() / 2].to_vec();
    for (name, bytes) in [
        ("cut.h5", cut),
        ("noise.onnx", vec![0xff; 300]),
        ("empty.onnx", Vec::new()),
        ("text.keras", b"not a model".to_vec()),
        ("alone.json", file("keras2_json.json")),
    ] {
        let refused = problem(upload(&server, name, bytes, None).await).await;
        assert_eq!(
            (&refused["status"], &refused["code"]),
            (&422.into(), &"invalid-model".into()),
            "{name}: {refused}"
        );
        assert!(!refused["detail"].as_str().expect("text").is_empty());
    }
    for name in ["../x.h5", ".hidden", "a/b.h5", ""] {
        let body = problem(upload(&server, name, good.clone(), None).await).await;
        assert_eq!(body["errors"][0]["pointer"], "?file", "{name}: {body}");
    }
    assert_eq!(kept(&server), 0);
    assert_eq!(listed(&server).await, [0; 0]);
}

#[tokio::test]
async fn the_limit_holds_with_and_without_an_announced_length() {
    let server = Server::with(|config| config.model_limit = 300).await;
    let announced = upload(&server, "m.h5", file("keras2_mlp.h5"), None).await;
    let announced = problem(announced).await;
    assert_eq!(
        (&announced["status"], &announced["code"]),
        (&413.into(), &"payload-too-large".into())
    );
    let pieces = (0..10).map(|_| Ok::<_, std::io::Error>(vec![b'1'; 100]));
    let body = Body::wrap_stream(stream::iter(pieces));
    let streamed = upload(&server, "m.h5", body, None).await;
    assert_eq!(problem(streamed).await["code"], "payload-too-large");
    assert_eq!(kept(&server), 0);
}

#[tokio::test]
async fn a_search_starts_from_a_model_by_name_file_or_digest() {
    let server = Server::with_rows().await;
    let unknown = problem(dry_run(&server, "qkeras_mlp", |_| {}).await).await;
    assert_eq!(unknown["errors"][0]["pointer"], "/model/import");
    assert_eq!(
        unknown["errors"][0]["detail"],
        "model `qkeras_mlp` is not registered"
    );
    let model = registered(&server, "qkeras_mlp.h5").await;
    let digest = model["digest"].as_str().expect("a digest").to_owned();
    let mut answers = Vec::new();
    for name in ["qkeras_mlp", "qkeras_mlp.h5", &digest] {
        let answer = dry_run(&server, name, |file| {
            file["search_space"] = json!({ "seed_trials": [{ "imported": true }] });
        })
        .await;
        let status = answer.status();
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(status, 200, "{name}: {body}");
        answers.push(body);
    }
    assert_eq!(answers[0]["digest"], answers[1]["digest"]);
    assert_eq!(answers[0]["digest"], answers[2]["digest"]);
    let search: Search =
        serde_json::from_value(answers[0]["resolved"].clone()).expect("a resolved search");
    let start = search.start.expect("starting weights");
    assert_eq!(start.model, "qkeras_mlp");
    assert_eq!(start.weights_digest, model["weights_digest"]);
    assert_eq!(search.seed_trials[0].label, "imported");

    // Of two models with a name, the newest: another file under the same one.
    let answer = upload(&server, "qkeras_mlp.h5", file("keras2_mlp.h5"), None).await;
    assert_eq!(answer.status(), 201);
    let newest: Value = answer.json().await.expect("JSON");
    let body: Value = dry_run(&server, "qkeras_mlp", |_| {})
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        body["resolved"]["start"]["weights_digest"], newest["weights_digest"],
        "{body}"
    );
    // A model of other inputs does not fit the data, and that is one fault among others.
    registered(&server, "keras2_nested.h5").await;
    let unfit = dry_run(&server, "keras2_nested", |file| {
        file["budgett"] = json!({});
    });
    let unfit = problem(unfit.await).await;
    let places: Vec<&Value> = unfit["errors"]
        .as_array()
        .expect("faults")
        .iter()
        .map(|fault| &fault["pointer"])
        .collect();
    assert!(places.contains(&&json!("/model/import")), "{unfit}");
    assert!(places.contains(&&json!("/budgett")), "{unfit}");
}
