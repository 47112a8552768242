//! What every operation needs, in one table. A test walks the `OpenAPI` document and fails where an
//! operation has no row here; at run time an operation without a row is refused.

use super::Scope;

/// What an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: it tells nothing about anybody's work.
    Public,
    /// A token of this scope.
    Needs(Scope),
}

const USER: Access = Access::Needs(Scope::User);

/// Method, path template, access.
pub const ROWS: &[(&str, &str, Access)] = &[
    ("GET", "/healthz", Access::Public),
    ("GET", "/readyz", Access::Public),
    ("GET", "/api/v1/openapi.json", Access::Public),
    ("GET", "/metrics", USER),
    ("GET", "/api/v1/searches", USER),
    ("POST", "/api/v1/searches", USER),
    ("GET", "/api/v1/searches/{id}", USER),
    ("POST", "/api/v1/searches/{id}/pause", USER),
    ("POST", "/api/v1/searches/{id}/resume", USER),
    ("POST", "/api/v1/searches/{id}/cancel", USER),
    ("GET", "/api/v1/searches/{id}/trials", USER),
    ("GET", "/api/v1/searches/{id}/front", USER),
    ("GET", "/api/v1/searches/{id}/synthesis-jobs", USER),
    ("GET", "/api/v1/searches/{id}/events", USER),
    ("GET", "/api/v1/trials/{id}", USER),
    ("GET", "/api/v1/trials/{id}/attempts/{attempt}/log", USER),
    ("GET", "/api/v1/trials/{id}/synthesis-jobs", USER),
    ("POST", "/api/v1/trials/{id}/synthesis-jobs", USER),
    ("GET", "/api/v1/synthesis-jobs/{id}", USER),
    ("POST", "/api/v1/synthesis-jobs/{id}/cancel", USER),
    (
        "GET",
        "/api/v1/synthesis-jobs/{id}/attempts/{attempt}/log",
        USER,
    ),
    ("GET", "/api/v1/workers", USER),
    ("GET", "/api/v1/datasets", USER),
    ("POST", "/api/v1/datasets", USER),
    ("GET", "/api/v1/datasets/{id}", USER),
    ("GET", "/api/v1/devices", USER),
    ("GET", "/api/v1/estimators", USER),
    ("GET", "/api/v1/models", USER),
    ("POST", "/api/v1/models", USER),
    ("GET", "/api/v1/models/{id}", USER),
    ("GET", "/api/v1/artifacts/{digest}", USER),
    ("GET", "/api/v1/events", USER),
];

/// What `method` on `path` (a template, as the router matched it) needs; `None` without a row.
pub fn access(method: &str, path: &str) -> Option<Access> {
    let method = if method == "HEAD" { "GET" } else { method };
    ROWS.iter()
        .find(|(m, p, _)| *m == method && *p == path)
        .map(|(_, _, access)| *access)
}

/// The methods of a path template, as the `Allow` header lists them.
pub(crate) fn methods(path: &str) -> String {
    let mut methods = Vec::new();
    for (method, _, _) in ROWS.iter().filter(|(_, template, _)| *template == path) {
        methods.push(*method);
        if *method == "GET" {
            methods.push("HEAD");
        }
    }
    methods.join(",")
}
