//! The `OpenAPI` document: checked in, and the one that is served.

use crate::support::Server;
use bitfront_coordinator::rest::router::document;
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn the_checked_in_document_is_the_current_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let current = serde_json::to_string_pretty(&document()).expect("JSON") + "\n";
    if std::env::var_os("BITFRONT_BLESS").is_some() {
        std::fs::write(path, &current).expect("written");
    }
    let kept = std::fs::read_to_string(path).expect("coordinator/openapi.json");
    assert!(
        kept == current,
        "coordinator/openapi.json is out of date: BITFRONT_BLESS=1 cargo nextest run -p bitfront-coordinator openapi"
    );
}

#[test]
fn every_operation_has_a_name_of_its_own_a_summary_and_problems() {
    let document = serde_json::to_value(document()).expect("JSON");
    assert!(
        document["openapi"]
            .as_str()
            .expect("a version")
            .starts_with("3.1")
    );
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let name = operation["operationId"].as_str().expect("a name");
            assert!(
                names.insert(name.to_owned()),
                "{method} {path}: {name} is taken"
            );
            assert!(
                operation["summary"].is_string(),
                "{method} {path} has a summary"
            );
            if path.starts_with("/api/") {
                let problem =
                    &operation["responses"]["default"]["content"]["application/problem+json"];
                assert!(
                    problem.is_object(),
                    "{method} {path} documents its problems"
                );
            }
        }
    }
}

#[tokio::test]
async fn it_is_served_without_a_token() {
    let server = Server::with(|config| config.tokens_required = true).await;
    let served: Value = server
        .get("/api/v1/openapi.json")
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(served, serde_json::to_value(document()).expect("JSON"));
}
