//! What went wrong, said once: a [`Problem`] and its two projections, HTTP (RFC 9457) and gRPC.
//!
//! The rules this module keeps: a problem carries all faults of a request at once, each with a JSON
//! pointer; its code is stable, has a page in `docs/errors/`, and decides the HTTP status and the
//! gRPC code; what went wrong inside the server is logged and never leaves it.

use crate::error::{Error, Kind};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Declares the codes: name, kebab-case code, HTTP status, gRPC code, title.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $code:literal $status:ident $grpc:ident $title:literal;)*) => {
        /// The stable code of a problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as it is written (`not-found`).
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// Its HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// Its gRPC code.
            pub const fn grpc(self) -> tonic::Code {
                match self { $(Self::$name => tonic::Code::$grpc,)* }
            }

            /// One short sentence that is the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// The help page, Markdown.
            pub const fn help(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../../docs/errors/", $code, ".md")),)*
                }
            }
        }
    };
}

codes! {
    /// The request is not what the operation reads: bad JSON, a bad query or path parameter.
    InvalidRequest "invalid-request" BAD_REQUEST InvalidArgument "The request cannot be read";
    /// The search file has faults.
    InvalidSearch "invalid-search" UNPROCESSABLE_ENTITY InvalidArgument "The search file has faults";
    /// The data set cannot be opened.
    InvalidDataset "invalid-dataset" UNPROCESSABLE_ENTITY InvalidArgument "The data set cannot be opened";
    /// The model cannot be imported.
    InvalidModel "invalid-model" UNPROCESSABLE_ENTITY InvalidArgument "The model cannot be imported";
    /// The bytes that arrived do not have the digest that was announced.
    DigestMismatch "digest-mismatch" UNPROCESSABLE_ENTITY DataLoss "The bytes do not match their digest";
    /// No token, or one that is unknown or revoked.
    Unauthenticated "unauthenticated" UNAUTHORIZED Unauthenticated "A valid token is needed";
    /// The token's scope does not allow the operation.
    Forbidden "forbidden" FORBIDDEN PermissionDenied "The token does not allow this";
    /// No such resource or address.
    NotFound "not-found" NOT_FOUND NotFound "Nothing is here";
    /// The address exists, the method does not.
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED Unimplemented "The method is not allowed here";
    /// The resource is in a state that does not allow the operation.
    Conflict "conflict" CONFLICT FailedPrecondition "The state does not allow this";
    /// The attempt does not hold the lease any more.
    LeaseLost "lease-lost" CONFLICT FailedPrecondition "The lease is lost";
    /// The body is larger than the operation accepts.
    PayloadTooLarge "payload-too-large" PAYLOAD_TOO_LARGE ResourceExhausted "The body is too large";
    /// The body is not of a type the operation reads.
    UnsupportedMediaType "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE InvalidArgument "The media type is not supported";
    /// The request took too long.
    Timeout "timeout" SERVICE_UNAVAILABLE DeadlineExceeded "The request took too long";
    /// The server cannot answer now: it drains, or the database does not answer.
    Unavailable "unavailable" SERVICE_UNAVAILABLE Unavailable "The server cannot answer now";
    /// A fault of the server.
    Internal "internal" INTERNAL_SERVER_ERROR Internal "The server failed";
}

pub use crate::error::Fault;

impl From<bitfront_search::file::Fault> for Fault {
    fn from(fault: bitfront_search::file::Fault) -> Self {
        Self {
            pointer: fault.pointer,
            detail: fault.detail,
            suggestion: fault.suggestion,
        }
    }
}

/// A problem on its way out; see the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// What went wrong this time, for the caller.
    pub detail: String,
    /// All faults of the request, in the order of the body.
    pub errors: Vec<Fault>,
}

/// The body of an error answer, RFC 9457 (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Where the code is explained.
    #[schema(example = "/docs/errors/invalid-search")]
    pub r#type: String,
    /// One short sentence that is the same for every occurrence of the code.
    pub title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What went wrong this time.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The stable code.
    #[schema(example = "invalid-search")]
    pub code: String,
    /// Names this request in the server's log.
    pub request_id: String,
    /// All faults of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
}

impl Problem {
    /// A problem without single faults.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// Adds faults.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Fault>) -> Self {
        self.errors = errors;
        self
    }

    /// A request that cannot be read.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, detail)
    }

    /// A query or path parameter with a value that is not accepted.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let fault = Fault {
            pointer: format!("?{name}"),
            detail: detail.into(),
            suggestion: None,
        };
        Self::invalid(format!("parameter {name}: {}", fault.detail)).with_errors(vec![fault])
    }

    /// A resource that does not exist.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("no {what} {id}"))
    }

    /// A fault of the server: `cause` is logged here and nothing of it is kept.
    pub fn internal(cause: &(dyn std::fmt::Display + Send + Sync)) -> Self {
        tracing::error!(%cause, "request failed inside the server");
        Self::new(Code::Internal, "")
    }

    /// The HTTP body for the request `request_id`. Statuses of 500 and above carry no detail.
    pub fn body(&self, request_id: &str) -> ProblemBody {
        let status = self.code.status();
        let silent = status == StatusCode::INTERNAL_SERVER_ERROR;
        ProblemBody {
            r#type: format!("/docs/errors/{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: status.as_u16(),
            detail: if silent {
                String::new()
            } else {
                self.detail.clone()
            },
            code: self.code.as_str().to_owned(),
            request_id: request_id.to_owned(),
            errors: if silent {
                Vec::new()
            } else {
                self.errors.clone()
            },
        }
    }

    /// The whole HTTP answer for the request `request_id`.
    pub fn into_http(self, request_id: &str) -> Response {
        let body = serde_json::to_vec(&self.body(request_id)).unwrap_or_default();
        let mut response = (self.code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(self.code, Code::Unavailable | Code::Timeout) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl Code {
    /// Reads a code as it is written.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// The code of a kind of error that has none of its own.
    fn of_kind(kind: Kind) -> Self {
        match kind {
            Kind::Invalid => Self::InvalidRequest,
            Kind::Unauthenticated => Self::Unauthenticated,
            Kind::Forbidden => Self::Forbidden,
            Kind::NotFound => Self::NotFound,
            Kind::Conflict => Self::Conflict,
            Kind::LeaseLost => Self::LeaseLost,
            Kind::TooLarge => Self::PayloadTooLarge,
            Kind::Unavailable => Self::Unavailable,
            Kind::Internal => Self::Internal,
        }
    }
}

impl From<Error> for Problem {
    /// Keeps what is for the caller; the cause of a fault of the server goes to the log.
    fn from(error: Error) -> Self {
        if matches!(error.kind(), Kind::Internal | Kind::Unavailable) {
            tracing::error!(?error, "request failed inside the server");
        }
        let code = Code::parse(error.code()).unwrap_or_else(|| Code::of_kind(error.kind()));
        Self::new(code, error.message()).with_errors(error.fault_list().to_vec())
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)?;
        for fault in &self.errors {
            write!(f, "; {}: {}", fault.pointer, fault.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// Without a request id; the outermost layer writes the body again with it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.into_http("")
    }
}

/// The gRPC projection: the code in the trailer `bitfront-code`, faults joined into the message.
impl From<Problem> for tonic::Status {
    fn from(problem: Problem) -> Self {
        let mut message = if problem.code == Code::Internal {
            problem.code.title().to_owned()
        } else {
            problem.detail.clone()
        };
        if problem.code != Code::Internal {
            for fault in &problem.errors {
                message.push_str("; ");
                message.push_str(&fault.pointer);
                message.push_str(": ");
                message.push_str(&fault.detail);
            }
        }
        let mut status = Self::new(problem.code.grpc(), message);
        status.metadata_mut().insert(
            "bitfront-code",
            tonic::metadata::MetadataValue::from_static(problem.code.as_str()),
        );
        status
    }
}

/// The problem that a bare status stands for: what the router and the middleware answer by
/// themselves (no such address, wrong method, body limits, timeouts).
pub fn from_status(status: StatusCode) -> Problem {
    let code = match status {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::Forbidden,
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::CONFLICT => Code::Conflict,
        StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => Code::Timeout,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        status if status.is_client_error() => Code::InvalidRequest,
        _ => Code::Internal,
    };
    Problem::new(code, "")
}

#[cfg(test)]
mod tests {
    use super::{Code, Problem};
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors");
        let pages: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("docs/errors exists")
            .map(|entry| {
                entry
                    .expect("readable")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
            .collect();
        let codes: BTreeSet<String> = Code::ALL.iter().map(|c| c.as_str().to_owned()).collect();
        assert_eq!(pages, codes);
        for code in Code::ALL {
            assert!(
                code.help().starts_with(&format!("# {}\n", code.as_str())),
                "docs/errors/{}.md opens with its code",
                code.as_str()
            );
        }
    }

    #[test]
    fn the_inside_of_the_server_stays_inside() {
        let problem = Problem::new(Code::Internal, "password=hunter2");
        assert!(
            !serde_json::to_string(&problem.body("r"))
                .expect("JSON")
                .contains("hunter2")
        );
        let status = tonic::Status::from(problem);
        assert!(!format!("{status:?}").contains("hunter2"));
    }

    #[test]
    fn both_projections_carry_the_code_and_the_faults() {
        let problem = Problem::parameter("sort", "\"size\" is not a score");
        let body = problem.body("request-1");
        assert_eq!(
            serde_json::to_value(&body).expect("JSON"),
            serde_json::json!({
                "type": "/docs/errors/invalid-request",
                "title": "The request cannot be read",
                "status": 400,
                "detail": "parameter sort: \"size\" is not a score",
                "code": "invalid-request",
                "request_id": "request-1",
                "errors": [{"pointer": "?sort", "detail": "\"size\" is not a score"}],
            })
        );
        let status = tonic::Status::from(problem);
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert_eq!(
            status.metadata().get("bitfront-code").expect("code"),
            "invalid-request"
        );
        assert!(status.message().contains("?sort: \"size\" is not a score"));
    }
}
