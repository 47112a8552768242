//! The layer in front of every REST operation: it looks up the operation's row and asks for its token.
//!
//! Where no tokens are required, a web page of another origin must not reach the coordinator through
//! the browser of whoever runs it: calls must name a loopback host (against DNS rebinding) and, where
//! they say where they come from, come from there.

use super::table::{Access, ROWS, access, methods};
use super::{Principal, authorize};
use crate::problem::{Code, Problem};
use crate::state::State;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::net::IpAddr;

/// Lets a request through that may do what it asks for; its [`Principal`] is among its extensions.
pub(crate) async fn guard(
    axum::extract::State(state): axum::extract::State<State>,
    mut request: Request,
    next: Next,
) -> Response {
    let needed = match admit(&state, &request) {
        Ok(needed) => needed,
        Err(problem) => return refuse(problem, request.extensions().get::<MatchedPath>()),
    };
    let principal = match needed {
        Access::Public => Ok(Principal::local()),
        Access::Needs(scope) => {
            let header = request.headers().get(header::AUTHORIZATION).cloned();
            let header = header.as_ref().and_then(|value| value.to_str().ok());
            authorize(&state, header, scope).await
        }
    };
    match principal {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(refusal) => Problem::from(refusal).into_response(),
    }
}

/// The answer to a request that may not be answered; one of a wrong method lists the right ones.
fn refuse(problem: Problem, path: Option<&MatchedPath>) -> Response {
    let is_method = problem.code == Code::MethodNotAllowed;
    let mut response = problem.into_response();
    if let (true, Some(path)) = (is_method, path)
        && let Ok(allow) = HeaderValue::from_str(&methods(path.as_str()))
    {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// What the operation needs, for a request that may be answered at all.
fn admit(state: &State, request: &Request) -> Result<Access, Problem> {
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("", MatchedPath::as_str);
    let Some(needed) = access(request.method().as_str(), path) else {
        if ROWS.iter().any(|(_, template, _)| *template == path) {
            return Err(Problem::new(
                Code::MethodNotAllowed,
                format!("{} is not a method of this address", request.method()),
            ));
        }
        tracing::error!(method = %request.method(), path, "an operation has no row in the authorization table");
        return Err(Problem::new(
            Code::Forbidden,
            "the operation is not open to anybody",
        ));
    };
    if needed == Access::Public {
        return Ok(needed);
    }
    if !state.config.tokens_required && !is_local(request.uri(), request.headers()) {
        return Err(Problem::new(
            Code::Forbidden,
            "this coordinator requires no tokens and answers only pages and clients that call it by a loopback address",
        ));
    }
    Ok(needed)
}

/// Whether a request names a loopback host and, if it names an origin, that of the same host.
fn is_local(uri: &Uri, headers: &HeaderMap) -> bool {
    let authority = uri
        .authority()
        .map(axum::http::uri::Authority::as_str)
        .or_else(|| headers.get(header::HOST)?.to_str().ok());
    let Some(authority) = authority else {
        return false;
    };
    let origin = match headers.get(header::ORIGIN) {
        None => return is_loopback(authority),
        Some(origin) => origin.to_str().unwrap_or_default(),
    };
    let from = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    is_loopback(authority) && from == Some(authority)
}

/// Whether `host[:port]` is `localhost` or a loopback address.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{is_local, is_loopback};
    use axum::http::{HeaderMap, HeaderValue, Uri};

    #[test]
    fn loopback_hosts_are_told_from_others() {
        for host in [
            "localhost",
            "localhost:7700",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:7700",
            "LOCALHOST",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:7700",
            "localhost.evil.example",
            "10.0.0.1",
            "[::]:1",
            "127.0.0.1.nip.io",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_not_let_in() {
        let answers = |host: &str, origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert("host", HeaderValue::from_str(host).expect("a header"));
            if let Some(origin) = origin {
                headers.insert("origin", HeaderValue::from_str(origin).expect("a header"));
            }
            is_local(&Uri::from_static("/api/v1/searches"), &headers)
        };
        assert!(answers("127.0.0.1:7700", None));
        assert!(answers("127.0.0.1:7700", Some("http://127.0.0.1:7700")));
        assert!(!answers("127.0.0.1:7700", Some("http://evil.example")));
        assert!(!answers("127.0.0.1:7700", Some("http://127.0.0.1:8080")));
        assert!(!answers("127.0.0.1:7700", Some("null")));
        assert!(!answers("rebound.evil.example:7700", None));
    }
}
