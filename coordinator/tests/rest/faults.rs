//! Every refusal is a problem: what no handler wrote too.

use crate::support::{SEARCH, Server, problem};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn what_no_handler_answers_is_a_problem_too() {
    let server = Server::start().await;
    let unknown = problem(server.get("/api/v1/nothing").await).await;
    assert_eq!(
        unknown,
        json!({
            "type": "/docs/errors/not-found", "title": "Nothing is here", "status": 404,
            "detail": "no operation GET /api/v1/nothing", "code": "not-found",
        })
    );
    let answer = server
        .request(Method::DELETE, "/api/v1/searches")
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.headers()["allow"], "GET,HEAD,POST");
    assert_eq!(problem(answer).await["code"], "method-not-allowed");
    let absent = problem(server.get(&format!("/api/v1/searches/{SEARCH}")).await).await;
    assert_eq!(absent["detail"], format!("no search {SEARCH}"));
    let bad = problem(server.get("/api/v1/searches/17").await).await;
    assert_eq!(
        (&bad["status"], &bad["code"]),
        (&json!(400), &json!("invalid-request"))
    );
}

#[tokio::test]
async fn a_body_is_judged_by_type_size_and_syntax() {
    let server = Server::start().await;
    let post = |body: Vec<u8>, media_type: &'static str| {
        let request = server
            .request(Method::POST, "/api/v1/searches")
            .header("content-type", media_type);
        async move { problem(request.body(body).send().await.expect("an answer")).await }
    };
    assert_eq!(
        post(b"{}".to_vec(), "text/plain").await["code"],
        "unsupported-media-type"
    );
    assert_eq!(
        post(vec![b' '; (1 << 20) + 1], "application/json").await["code"],
        "payload-too-large"
    );
    let syntax = post(b"{\"name\":".to_vec(), "application/json").await;
    assert_eq!(syntax["code"], "invalid-request");
    assert_eq!(syntax["errors"][0]["pointer"], "");
    // Deeper than any search file: refused by the parser, not by the stack.
    assert_eq!(
        post(vec![b'['; 100_000], "application/json").await["code"],
        "invalid-request"
    );
}

#[tokio::test]
async fn a_parameter_is_named_with_what_is_accepted() {
    let server = Server::with_rows().await;
    let trials = format!("/api/v1/searches/{SEARCH}/trials");
    for (query, pointer, word) in [
        ("sort=size", "?sort", "lut_estimate"),
        ("state=done", "?state", "completed"),
        ("page_size=0", "?page_size", "1 to 1000"),
        ("page_size=1001", "?page_size", "1 to 1000"),
        ("page_size=x", "?page_size", "invalid digit"),
        ("page_token=x", "?page_token", "token"),
    ] {
        let body = problem(server.get(&format!("{trials}?{query}")).await).await;
        assert_eq!(body["code"], "invalid-request", "{query}");
        assert_eq!(body["errors"][0]["pointer"], pointer, "{query}: {body}");
        assert!(
            body["errors"][0]["detail"]
                .as_str()
                .expect("text")
                .contains(word),
            "{query}: {body}"
        );
    }
    let unknown = problem(server.get(&format!("{trials}?colour=red")).await).await;
    assert!(
        unknown["detail"].as_str().expect("text").contains("colour"),
        "{unknown}"
    );
}

#[tokio::test]
async fn a_fault_of_the_server_says_nothing_of_its_inside() {
    let server = Server::with_rows().await;
    sqlx::query("alter table scores rename to hidden_scores")
        .execute(&server.pool)
        .await
        .expect("renamed");
    let body = problem(server.get("/api/v1/searches").await).await;
    assert_eq!(
        body,
        json!({
            "type": "/docs/errors/internal", "title": "The server failed", "status": 500, "code": "internal",
        })
    );
}

#[tokio::test]
async fn every_code_has_its_help_served() {
    let server = Server::start().await;
    for code in bitfront_coordinator::problem::Code::ALL {
        let text = server
            .get(&format!("/docs/errors/{}", code.as_str()))
            .await
            .text()
            .await
            .expect("text");
        assert!(text.starts_with(&format!("# {}", code.as_str())));
    }
    assert_eq!(server.get("/docs/errors/no-such-code").await.status(), 404);
}
