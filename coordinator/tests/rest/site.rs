//! The page's files, the headers of every answer, health and metrics.

use crate::support::{Server, problem};
use reqwest::Method;

#[tokio::test]
async fn every_address_of_the_page_is_the_document_and_the_api_is_not() {
    let server = Server::start().await;
    let browse = async |path: &str| {
        let request = server
            .request(Method::GET, path)
            .header("accept", "text/html,*/*;q=0.8");
        request.send().await.expect("an answer")
    };
    for path in [
        "/",
        "/searches/01900000-0000-7000-8000-000000000003",
        "/trials/x",
        "/workers",
    ] {
        let answer = browse(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        assert!(
            answer
                .text()
                .await
                .expect("text")
                .contains("<title>Bitfront</title>")
        );
    }
    assert_eq!(
        problem(browse("/api/v1/none").await).await["code"],
        "not-found"
    );
    assert_eq!(
        problem(browse("/assets/none.js").await).await["code"],
        "not-found"
    );
    assert_eq!(
        problem(server.get("/").await).await["code"],
        "not-found",
        "not a browser"
    );
}

#[tokio::test]
async fn files_are_asked_for_again_but_sent_once() {
    let server = Server::start().await;
    let first = server.get("/assets/app.js").await;
    assert_eq!(
        first.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    let etag = first.headers()["etag"].clone();
    assert!(
        !etag.to_str().expect("text").starts_with("W/"),
        "a strong one"
    );
    let again = server
        .request(Method::GET, "/assets/app.js")
        .header("if-none-match", &etag)
        .send()
        .await
        .expect("an answer");
    assert_eq!(again.status(), 304);
    assert_eq!(again.headers()["etag"], etag);
    assert_eq!(again.bytes().await.expect("a body").len(), 0);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let server = Server::start().await;
    for path in [
        "/healthz",
        "/api/v1/searches",
        "/api/v1/none",
        "/assets/style.css",
    ] {
        let headers = server.get(path).await.headers().clone();
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(
            policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert!(!headers["x-request-id"].is_empty(), "{path}");
        assert!(
            !headers.contains_key("access-control-allow-origin"),
            "{path}"
        );
    }
}

/// Nothing in the page parses text as HTML, runs text as code, or names another origin.
#[test]
fn the_page_only_makes_text_of_text() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../web");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("web/") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let kind = path.extension().and_then(|kind| kind.to_str());
        if !matches!(kind, Some("js" | "html" | "css")) {
            continue;
        }
        files += 1;
        let text = std::fs::read_to_string(&path).expect("text");
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "DOMParser",
            "https://",
            "@import",
            "style=\"",
            "onclick=\"",
        ] {
            assert!(!text.contains(word), "{name} has {word}");
        }
        let known = ["http://www.w3.org/2000/svg"];
        for part in text.split("http://").skip(1) {
            assert!(
                known
                    .iter()
                    .any(|url| format!("http://{part}").starts_with(url)),
                "{name} names another origin"
            );
        }
    }
    assert!(files >= 10, "{files} files");
}

#[tokio::test]
async fn health_and_metrics() {
    let server = Server::with_rows().await;
    assert_eq!(
        server.get("/healthz").await.text().await.expect("text"),
        "ok\n"
    );
    assert_eq!(
        server.get("/readyz").await.text().await.expect("text"),
        "ready\n"
    );
    let page = server.get("/metrics").await.text().await.expect("text");
    assert!(
        page.contains("bitfront_units{kind=\"trial\",state=\"completed\"} 9\n"),
        "{page}"
    );
    assert!(page.contains("bitfront_database_up 1\n"), "{page}");
    assert!(
        page.contains(
            "bitfront_http_requests_total{method=\"GET\",path=\"/healthz\",status=\"200\"}"
        ),
        "{page}"
    );
    server.running().stop_token().cancel();
    // The drain has begun; a connection that is open still gets its answer, and it is no.
    if let Ok(answer) = server.request(Method::GET, "/readyz").send().await {
        assert_eq!(problem(answer).await["code"], "unavailable");
    }
}
