//! Problem answers (RFC 9457) as failures.

use bitfront_search::file::Fault;
use reqwest::{Response, StatusCode};
use serde::Deserialize;

use crate::exit::{Exit, Failure};

/// What is read of a problem.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
    code: String,
    request_id: String,
    errors: Vec<Fault>,
}

/// The failure that an answer other than success stands for.
pub(super) async fn failure(response: Response) -> Failure {
    let status = response.status();
    let body = response.bytes().await.unwrap_or_default();
    project(status, serde_json::from_slice(&body).unwrap_or_default())
}

fn project(status: StatusCode, problem: Problem) -> Failure {
    let exit = match status.as_u16() {
        400 | 405 | 413 | 415 | 422 => Exit::Usage,
        401 | 403 => Exit::Auth,
        404 => Exit::NotFound,
        409 | 412 => Exit::Conflict,
        502..=504 => Exit::Unreachable,
        _ => Exit::General,
    };
    let title = match problem.title.as_str() {
        "" => status.to_string(),
        title => title.to_lowercase(),
    };
    let message = match problem.detail.as_str() {
        "" => title,
        // Faults have one sentence above them, which counts them.
        detail if !problem.errors.is_empty() => detail.to_owned(),
        detail => format!("{title}: {detail}"),
    };
    let mut failure = Failure::new(exit, message);
    for fault in &problem.errors {
        failure = failure.detail(fault);
    }
    failure.faults = problem.errors;
    if exit == Exit::General && !problem.request_id.is_empty() {
        failure = failure.detail(format!(
            "{} in request {}",
            problem.code, problem.request_id
        ));
    }
    if exit == Exit::Auth {
        failure = failure.detail(
            "set BITFRONT_TOKEN or --token-file; make a token with `bitfront token create`",
        );
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_problem_has_its_exit_code() {
        for (status, exit) in [
            (400, Exit::Usage),
            (401, Exit::Auth),
            (403, Exit::Auth),
            (404, Exit::NotFound),
            (409, Exit::Conflict),
            (422, Exit::Usage),
            (500, Exit::General),
            (503, Exit::Unreachable),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(project(status, Problem::default()).exit, exit, "{status}");
        }
    }

    #[test]
    fn all_faults_are_shown() {
        let body = r#"{"type": "/docs/errors/invalid-search", "title": "The search file has faults", "status": 422,
            "detail": "the search file has 2 faults", "code": "invalid-search", "request_id": "r1", "errors": [
            {"pointer": "/budget", "detail": "no `trials`"},
            {"pointer": "/seeed", "detail": "unknown key", "suggestion": "did you mean `seed`?"}]}"#;
        let failure = project(
            StatusCode::UNPROCESSABLE_ENTITY,
            serde_json::from_str(body).unwrap(),
        );
        assert_eq!(failure.message, "the search file has 2 faults");
        assert_eq!(
            failure.details,
            [
                "/budget: no `trials`",
                "/seeed: unknown key; did you mean `seed`?"
            ]
        );
    }
}
