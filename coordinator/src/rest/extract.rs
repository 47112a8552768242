//! Extractors whose refusals are problems, with a pointer to what was refused where one can tell.

use crate::problem::{Code, Fault, Problem};
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// A JSON body.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// Path parameters.
#[derive(Debug)]
pub struct Path<T>(pub T);

/// Query parameters.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let axum::Json(value) = axum::Json::from_request(request, state).await?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Path(value) =
            axum::extract::Path::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Query(value) =
            axum::extract::Query::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

impl From<JsonRejection> for Problem {
    fn from(refusal: JsonRejection) -> Self {
        let code = match refusal.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Code::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
            _ => Code::InvalidRequest,
        };
        let detail = refusal.body_text();
        if code == Code::InvalidRequest {
            let fault = Fault {
                pointer: String::new(),
                detail: detail.clone(),
                suggestion: None,
            };
            Self::new(code, detail).with_errors(vec![fault])
        } else {
            Self::new(code, detail)
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(refusal: QueryRejection) -> Self {
        let text = refusal.body_text();
        let text = text
            .strip_prefix("Failed to deserialize query string: ")
            .unwrap_or(&text);
        // `name: what is wrong`, or a sentence about a name that is not known.
        match text.split_once(": ") {
            Some((name, detail)) if !name.contains(' ') => Self::parameter(name, detail),
            _ => Self::invalid(text),
        }
    }
}

impl From<PathRejection> for Problem {
    fn from(refusal: PathRejection) -> Self {
        Self::invalid(refusal.body_text())
    }
}
