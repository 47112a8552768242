//! Submitting and steering searches.

use crate::support::{Server, problem};
use reqwest::{Method, Response};
use serde_json::{Value, json};

pub(crate) fn file() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Search", "name": "small", "dataset": "jets_small",
        "model": { "mlp": [16, 8, 5] },
        "objectives": ["accuracy", "lut_estimate"],
        "budget": { "trials": 10 },
    })
}

async fn submit(server: &Server, query: &str, key: Option<&str>, file: &Value) -> Response {
    let mut request = server
        .request(Method::POST, &format!("/api/v1/searches{query}"))
        .json(file);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    request.send().await.expect("an answer")
}

#[tokio::test]
async fn a_file_becomes_a_search_once_per_key() {
    let server = Server::with_rows().await;
    let dry: Value = submit(&server, "?dry_run=true", None, &file())
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(dry["resolved"]["budget"]["trials"], 10);
    assert_eq!(dry["parameters"], 17 * 8 + 9 * 5);
    assert!(
        dry["space_size"]
            .as_str()
            .expect("text")
            .parse::<u128>()
            .expect("a number")
            > 1
    );
    assert_eq!(
        server.read("/searches").await["items"]
            .as_array()
            .map(Vec::len),
        Some(1),
        "nothing stored"
    );

    let first = submit(&server, "", Some("key-1"), &file()).await;
    assert_eq!(first.status(), 201);
    let location = first.headers()["location"]
        .to_str()
        .expect("text")
        .to_owned();
    let first: Value = first.json().await.expect("JSON");
    assert_eq!(
        location,
        format!("/api/v1/searches/{}", first["id"].as_str().expect("an id"))
    );
    assert_eq!(
        (&first["state"], &first["reproducible"], &first["budget"]),
        (&json!("running"), &json!(true), &json!(10))
    );
    let again = submit(&server, "", Some("key-1"), &file()).await;
    assert_eq!(again.status(), 200);
    assert_eq!(
        again.json::<Value>().await.expect("JSON")["id"],
        first["id"]
    );
    let mut other = file();
    other["name"] = json!("other");
    assert_eq!(
        problem(submit(&server, "", Some("key-1"), &other).await).await["code"],
        "conflict"
    );
    assert_eq!(submit(&server, "", None, &file()).await.status(), 201);
}

#[tokio::test]
async fn all_faults_come_at_once_each_with_its_place() {
    let server = Server::with_rows().await;
    let mut bad = file();
    bad["objectives"] = json!(["accuracy", "lut_estimat"]);
    bad["budgett"] = json!({});
    bad["dataset"] = json!("no-such-data");
    let body = problem(submit(&server, "", None, &bad).await).await;
    assert_eq!(
        (&body["status"], &body["code"]),
        (&json!(422), &json!("invalid-search"))
    );
    let faults = body["errors"].as_array().expect("faults");
    let at = |pointer: &str| faults.iter().find(|fault| fault["pointer"] == pointer);
    assert!(at("/dataset").is_some(), "{body}");
    assert!(at("/objectives/1").is_some(), "{body}");
    let typo = at("/budgett").unwrap_or_else(|| panic!("{body}"));
    assert!(
        typo["suggestion"]
            .as_str()
            .expect("a suggestion")
            .contains("budget"),
        "{typo}"
    );
    // A dry run says the same.
    assert_eq!(
        problem(submit(&server, "?dry_run=true", None, &bad).await).await,
        body
    );
    assert_eq!(
        problem(submit(&server, "", None, &json!([1])).await).await["code"],
        "invalid-search"
    );
}

#[tokio::test]
async fn a_search_pauses_resumes_and_is_cancelled_once_for_all() {
    let server = Server::with_rows().await;
    let search: Value = submit(&server, "", None, &file())
        .await
        .json()
        .await
        .expect("JSON");
    let id = search["id"].as_str().expect("an id").to_owned();
    let steer = async |verb: &str| {
        server
            .post(&format!("/searches/{id}/{verb}"), &json!({}))
            .await
    };
    for (verb, state) in [
        ("pause", "paused"),
        ("pause", "paused"),
        ("resume", "running"),
        ("cancel", "cancelled"),
        ("cancel", "cancelled"),
    ] {
        let answer = steer(verb).await;
        assert_eq!(answer.status(), 200, "{verb}");
        assert_eq!(
            answer.json::<Value>().await.expect("JSON")["state"],
            state,
            "{verb}"
        );
    }
    let refused = problem(steer("resume").await).await;
    assert_eq!(
        (&refused["status"], &refused["code"]),
        (&json!(409), &json!("conflict"))
    );
    assert!(
        refused["detail"]
            .as_str()
            .expect("text")
            .contains("cancelled"),
        "{refused}"
    );
}
