//! The page: static files in the binary, with strong `ETag`s; addresses without a file of their own show
//! the same document, which reads its address itself.

use crate::problem::{Code, Problem};
use axum::Router;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use std::sync::LazyLock;

/// A file of the page.
struct File {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! files {
    ($($name:literal $media_type:literal),* $(,)?) => {
        &[$(File {
            name: $name,
            media_type: $media_type,
            bytes: include_bytes!(concat!("../../web/", $name)),
        }),*]
    };
}

/// Every file; `index.html` is first.
const FILES: &[File] = files![
    "index.html" "text/html; charset=utf-8",
    "style.css" "text/css; charset=utf-8",
    "app.js" "text/javascript; charset=utf-8",
    "api.js" "text/javascript; charset=utf-8",
    "device.js" "text/javascript; charset=utf-8",
    "dom.js" "text/javascript; charset=utf-8",
    "plot.js" "text/javascript; charset=utf-8",
    "searches.js" "text/javascript; charset=utf-8",
    "search.js" "text/javascript; charset=utf-8",
    "trial.js" "text/javascript; charset=utf-8",
    "workers.js" "text/javascript; charset=utf-8",
    "icon.svg" "image/svg+xml",
];

/// The digest of each file, in the order of [`FILES`].
static ETAGS: LazyLock<Vec<HeaderValue>> = LazyLock::new(|| {
    let tag = |file: &File| {
        let digest = crate::artifacts::Digest::of(file.bytes);
        HeaderValue::from_str(&format!("\"{}\"", &digest.as_str()[..32]))
    };
    FILES
        .iter()
        .map(|file| tag(file).expect("hex digits make a header"))
        .collect()
});

/// The files under `/assets/`, and the help pages of the problem codes.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/assets/{name}", get(asset))
        .route("/docs/errors/{code}", get(help))
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match FILES.iter().position(|file| file.name == name) {
        Some(index) => answer(index, &headers),
        None => Problem::not_found("file", name).into_response(),
    }
}

/// The help page of a problem code, as plain text.
async fn help(Path(code): Path<String>) -> Response {
    match Code::parse(&code) {
        Some(code) => (
            [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
            code.help(),
        )
            .into_response(),
        None => Problem::not_found("problem code", code).into_response(),
    }
}

/// The document for a browser that asks for a page; a problem for everybody else and under `/api`.
pub(crate) async fn fallback(request: Request) -> Response {
    let wants_page = matches!(*request.method(), Method::GET | Method::HEAD)
        && !request.uri().path().starts_with("/api/")
        && request
            .headers()
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html"));
    if wants_page {
        answer(0, request.headers())
    } else {
        Problem::new(
            Code::NotFound,
            format!("no operation {} {}", request.method(), request.uri().path()),
        )
        .into_response()
    }
}

fn answer(index: usize, headers: &HeaderMap) -> Response {
    let (file, etag) = (&FILES[index], &ETAGS[index]);
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known == etag || known == "*");
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, file.media_type)], file.bytes).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag.clone());
    // Kept, but asked for again each time: an upgrade is seen at once.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
