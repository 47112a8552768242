//! Data sets: uploads that are checked, limited and idempotent; artifacts by digest.

use crate::support::{Server, kept, problem};
use bitfront_coordinator::artifacts::Digest;
use futures_util::stream;
use reqwest::{Body, Method, Response};
use serde_json::Value;

/// Three features, two classes, enough rows of each.
fn table() -> String {
    let row = |n: u32| {
        format!(
            "{}.5,{},0.25,{}\n",
            n % 7,
            n % 5,
            if n.is_multiple_of(2) {
                "quark"
            } else {
                "gluon"
            }
        )
    };
    "a,b,c,label\n".to_owned() + &(0..40).map(row).collect::<String>()
}

async fn upload(
    server: &Server,
    file: &str,
    body: impl Into<Body>,
    digest: Option<&str>,
) -> Response {
    let mut request = server
        .request(Method::POST, "/api/v1/datasets")
        .query(&[("file", file)]);
    if let Some(digest) = digest {
        request = request.header("x-digest", digest);
    }
    request.body(body).send().await.expect("an answer")
}

#[tokio::test]
async fn the_same_bytes_are_one_data_set() {
    let server = Server::start().await;
    let digest = Digest::of(table().as_bytes());
    let first = upload(&server, "toy.csv", table(), Some(digest.as_str())).await;
    assert_eq!(first.status(), 201);
    let first: Value = first.json().await.expect("JSON");
    assert_eq!(first["name"], "toy");
    assert_eq!(first["digest"], digest.as_str());
    assert_eq!(first["content"]["inputs"], 3);
    assert_eq!(
        first["content"]["classes"],
        serde_json::json!(["gluon", "quark"])
    );
    assert_eq!(first["content"]["rows"], 40);
    let again = upload(&server, "another-name.csv", table(), None).await;
    assert_eq!(again.status(), 200);
    assert_eq!(
        again.json::<Value>().await.expect("JSON")["id"],
        first["id"]
    );
    assert_eq!(
        server.read("/datasets").await["items"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let id = first["id"].as_str().expect("an id");
    assert_eq!(
        server.read(&format!("/datasets/{id}")).await["file"],
        "toy.csv"
    );
    assert_eq!(kept(&server), 1);

    let bytes = server.get(&format!("/api/v1/artifacts/{digest}")).await;
    assert_eq!(bytes.headers()["content-disposition"], "attachment");
    assert_eq!(
        bytes.headers()["content-length"],
        table().len().to_string().as_str()
    );
    assert_eq!(bytes.text().await.expect("a body"), table());
    let missing = problem(
        server
            .get(&format!("/api/v1/artifacts/{}", "0".repeat(64)))
            .await,
    )
    .await;
    assert_eq!(missing["code"], "not-found");
    let bad = problem(server.get("/api/v1/artifacts/..%2f..%2fetc%2fpasswd").await).await;
    assert_eq!(bad["code"], "invalid-request");
}

#[tokio::test]
async fn damaged_bytes_and_files_that_do_not_open_leave_nothing() {
    let server = Server::start().await;
    let other = Digest::of(b"other bytes");
    let damaged = problem(upload(&server, "toy.csv", table(), Some(other.as_str())).await).await;
    assert_eq!(
        (&damaged["status"], &damaged["code"]),
        (&422.into(), &"digest-mismatch".into())
    );
    let short = problem(upload(&server, "toy.csv", table(), Some("abc")).await).await;
    assert_eq!(short["code"], "invalid-request");
    let no_number = table().replace("0.25,quark", "much,quark");
    let refused = problem(upload(&server, "toy.csv", no_number, None).await).await;
    assert_eq!(
        (&refused["status"], &refused["code"]),
        (&422.into(), &"invalid-dataset".into())
    );
    assert!(
        refused["detail"].as_str().expect("text").contains("much"),
        "{refused}"
    );
    let binary = problem(upload(&server, "x.npz", vec![0_u8; 100], None).await).await;
    assert_eq!(binary["code"], "invalid-dataset");
    for name in ["../x.csv", ".hidden", "a/b.csv", ""] {
        let body = problem(upload(&server, name, table(), None).await).await;
        assert_eq!(body["errors"][0]["pointer"], "?file", "{name}: {body}");
    }
    assert_eq!(kept(&server), 0);
    assert_eq!(
        server.read("/datasets").await["items"]
            .as_array()
            .map(Vec::len),
        Some(0)
    );
}

#[tokio::test]
async fn the_limit_holds_with_and_without_an_announced_length() {
    let server = Server::with(|config| config.dataset_limit = 300).await;
    let announced = problem(upload(&server, "toy.csv", table(), None).await).await;
    assert_eq!(
        (&announced["status"], &announced["code"]),
        (&413.into(), &"payload-too-large".into())
    );
    let pieces = (0..10).map(|_| Ok::<_, std::io::Error>(vec![b'1'; 100]));
    let streamed = upload(
        &server,
        "toy.csv",
        Body::wrap_stream(stream::iter(pieces)),
        None,
    )
    .await;
    assert_eq!(problem(streamed).await["code"], "payload-too-large");
    assert_eq!(kept(&server), 0);
}
