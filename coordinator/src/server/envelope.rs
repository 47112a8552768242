//! What surrounds every request: its id, its span, its metrics, a net for panics, and the headers that
//! every answer carries. Errors that no handler wrote (404, 405, limits, timeouts) become problems here.

use crate::problem::{Problem, from_status};
use crate::telemetry;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of every answer: nothing from elsewhere, nothing inline, in no frame.
const SECURITY: &[(HeaderName, &str)] = &[
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// Whether this is a gRPC call: its errors travel in trailers and stay as they are.
fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Runs one request; see the module's documentation.
pub(crate) async fn envelope(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = Uuid::now_v7().to_string();
    let method = request.method().clone();
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    let grpc = is_grpc(request.headers());
    // The path, never the query or the headers: those may hold what should not be logged.
    let span = tracing::info_span!("request", %id, %method, path = request.uri().path());
    let answer = AssertUnwindSafe(next.run(request).instrument(span.clone()))
        .catch_unwind()
        .await;
    let _in = span.enter();
    let mut response = answer.unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("(no message)");
        let problem = Problem::internal(&format!("panic: {said}"));
        if grpc {
            tonic::Status::from(problem).into_http::<axum::body::Body>()
        } else {
            problem.into_response()
        }
    });
    if !grpc {
        response = as_problem(response, &id);
    }
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers
            .entry(name)
            .or_insert_with(|| HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    let took = started.elapsed();
    let status = response.status().as_u16();
    telemetry::metrics::request(method.as_str(), &path, status, took);
    tracing::debug!(status, took_ms = took.as_millis() as u64, "answered");
    response
}

/// An error answer as a problem with its request id; any other answer as it is.
fn as_problem(mut response: Response, id: &str) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let known = response.extensions_mut().remove::<Problem>();
    let mut answer = known.unwrap_or_else(|| from_status(status)).into_http(id);
    if let Some(allow) = response.headers_mut().remove(header::ALLOW) {
        answer.headers_mut().insert(header::ALLOW, allow);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::envelope;
    use axum::Router;
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use axum::routing::get;
    use serde_json::Value;
    use tower::ServiceExt as _;

    async fn ask(path: &str, media_type: &str) -> (StatusCode, axum::http::HeaderMap, Vec<u8>) {
        let router = Router::new()
            .route(
                "/panic",
                get(async || -> &'static str { panic!("the password is hunter2") }),
            )
            .route("/slow", get(async || StatusCode::GATEWAY_TIMEOUT))
            .layer(axum::middleware::from_fn(envelope));
        let request = Request::get(path)
            .header("content-type", media_type)
            .body(Body::empty())
            .expect("a request");
        let response = router.oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 10_000).await.expect("a body");
        (parts.status, parts.headers, body.to_vec())
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_says_nothing() {
        let (status, headers, body) = ask("/panic", "application/json").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        let problem: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(problem["code"], "internal");
        assert_eq!(
            problem["request_id"],
            headers["x-request-id"].to_str().expect("text")
        );
        assert!(!String::from_utf8_lossy(&body).contains("hunter2"));
    }

    #[tokio::test]
    async fn a_panic_in_a_grpc_call_is_a_status_that_says_nothing() {
        let (status, headers, _) = ask("/panic", "application/grpc").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["grpc-status"], "13");
        assert!(!format!("{headers:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn a_timeout_is_a_problem_that_may_be_repeated() {
        let (status, headers, body) = ask("/slow", "application/json").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(headers["retry-after"], "2");
        let problem: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(problem["code"], "timeout");
    }
}
