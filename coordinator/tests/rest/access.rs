//! Who may do what: every operation has a row, and is closed without the right token.

use crate::support::{SEARCH, Server, problem};
use bitfront_coordinator::auth::table::{Access, ROWS, access};
use bitfront_coordinator::auth::{self, Scope};
use bitfront_coordinator::ids::TokenId;
use bitfront_coordinator::rest::router::document;
use bitfront_proto::v1::{RegisterRequest, WorkKind, worker_client::WorkerClient};
use reqwest::Method;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Method and path template of every operation of the document.
fn operations() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(document()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let methods = ["get", "put", "post", "delete", "patch"];
    let of = |(path, item): (&String, &serde_json::Value)| -> Vec<_> {
        let here = methods.iter().filter(|method| item.get(**method).is_some());
        here.map(|method| (method.to_uppercase(), path.clone()))
            .collect()
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn every_operation_has_a_row_and_every_row_an_operation() {
    let rows: BTreeSet<_> = ROWS
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(rows.len(), ROWS.len(), "no row twice");
    let mut operations = operations();
    operations.insert(("GET".to_owned(), "/api/v1/openapi.json".to_owned()));
    assert_eq!(operations, rows);
    let public: Vec<_> = ROWS
        .iter()
        .filter(|(_, _, access)| *access == Access::Public)
        .map(|(_, path, _)| *path)
        .collect();
    assert_eq!(
        public,
        ["/healthz", "/readyz", "/api/v1/openapi.json"],
        "the short list of what is open"
    );
}

#[tokio::test]
async fn every_operation_is_closed_without_the_right_token() {
    let server = Server::with(|config| config.tokens_required = true).await;
    let store = &server.running().state().store;
    let (_, user) = auth::create(store, "a user", Scope::User, None)
        .await
        .expect("a token");
    let (worker_id, worker) = auth::create(store, "a worker", Scope::Worker, None)
        .await
        .expect("a token");
    for (method, template) in operations() {
        let path = template
            .replace("{id}", SEARCH)
            .replace("{attempt}", "1")
            .replace("{digest}", &"0".repeat(64));
        let ask = async |token: Option<&str>| {
            let mut request = server.request(method.parse::<Method>().expect("a method"), &path);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            request.send().await.expect("an answer").status().as_u16()
        };
        let statuses = [
            ask(None).await,
            ask(Some("bf_wrong")).await,
            ask(Some(&format!("bf_{}", "0".repeat(64)))).await,
            ask(Some(worker.reveal())).await,
        ];
        let with_user = ask(Some(user.reveal())).await;
        match access(&method, &template).expect("a row") {
            Access::Public => assert_eq!(statuses, [200; 4], "{method} {template}"),
            Access::Needs(_) => {
                assert_eq!(statuses, [401, 401, 401, 403], "{method} {template}");
                assert!(
                    ![401, 403].contains(&with_user),
                    "{method} {template}: {with_user}"
                );
            }
        }
    }
    // Revoked: closed from the next call on.
    assert_eq!(
        auth::revoke(store, worker_id).await.expect("revoked"),
        "a worker"
    );
    let header = format!("Bearer {}", worker.reveal());
    let refused = auth::check(store, Some(&header), Scope::Worker)
        .await
        .expect_err("revoked");
    assert_eq!(refused.code(), "unauthenticated");
    assert!(auth::revoke(store, TokenId(Uuid::nil())).await.is_err());
}

#[tokio::test]
async fn a_token_is_stored_as_a_digest_and_ends() {
    let server = Server::start().await;
    let store = &server.running().state().store;
    let (_, secret) = auth::create(store, "short", Scope::User, Some(std::time::Duration::ZERO))
        .await
        .expect("a token");
    assert!(secret.reveal().starts_with("bf_") && secret.reveal().len() == 67);
    assert!(!format!("{secret:?}").contains("bf_"));
    let rows: Vec<String> = sqlx::query_scalar("select tokens::text from tokens")
        .fetch_all(&server.pool)
        .await
        .expect("rows");
    assert!(rows.iter().all(|row| !row.contains(&secret.reveal()[3..])));
    let header = format!("Bearer {}", secret.reveal());
    assert_eq!(
        auth::check(store, Some(&header), Scope::User)
            .await
            .expect_err("expired")
            .code(),
        "unauthenticated"
    );
    let listed = auth::list(store).await.expect("a list");
    assert_eq!(
        (listed[0].name.as_str(), listed[0].scope.as_str()),
        ("short", "user")
    );
    assert!(auth::create(store, "", Scope::User, None).await.is_err());
}

#[tokio::test]
async fn workers_register_over_grpc_on_the_same_port_with_a_worker_token_only() {
    let server = Server::with(|config| config.tokens_required = true).await;
    let store = &server.running().state().store;
    let (_, user) = auth::create(store, "a user", Scope::User, None)
        .await
        .expect("a token");
    let (_, worker) = auth::create(store, "a worker", Scope::Worker, None)
        .await
        .expect("a token");
    let channel = tonic::transport::Channel::from_shared(server.url.clone()).expect("a URL");
    let client = WorkerClient::new(channel.connect().await.expect("h2c on the same port"));
    let register = async |token: Option<&str>| {
        let mut request = tonic::Request::new(RegisterRequest {
            worker_id: Uuid::now_v7().to_string(),
            name: "node".to_owned(),
            slots: 1,
            kinds: vec![WorkKind::Trial as i32],
            ..RegisterRequest::default()
        });
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().expect("a header");
            request.metadata_mut().insert("authorization", value);
        }
        client.clone().register(request).await
    };
    let refused = register(None).await.expect_err("no token");
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    assert_eq!(
        refused.metadata().get("bitfront-code").expect("a code"),
        "unauthenticated"
    );
    assert_eq!(
        register(Some(user.reveal()))
            .await
            .expect_err("a user")
            .code(),
        tonic::Code::PermissionDenied
    );
    assert!(
        register(Some(worker.reveal()))
            .await
            .expect("a worker")
            .into_inner()
            .lease_ttl_ms
            > 0
    );
}

#[tokio::test]
async fn without_tokens_other_sites_are_kept_out() {
    let server = Server::start().await;
    let ask = async |name: &str, value: &str| {
        let request = server.request(Method::POST, &format!("/api/v1/searches/{SEARCH}/cancel"));
        request.header(name, value).send().await.expect("an answer")
    };
    assert_eq!(
        problem(ask("origin", "https://evil.example").await).await["code"],
        "forbidden"
    );
    assert_eq!(
        problem(ask("host", "evil.example").await).await["code"],
        "forbidden"
    );
    assert_eq!(
        ask("origin", &server.url).await.status(),
        404,
        "its own page gets through"
    );
}
