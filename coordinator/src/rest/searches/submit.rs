//! Submits a search: reads and resolves its file, all faults at once, and stores it.

use super::show::summary;
use super::view::SearchView;
use crate::error::Error;
use crate::ids::DatasetId;
use crate::problem::{Code, Fault, Problem, ProblemBody};
use crate::rest::extract::{Json, Query};
use crate::rest::{datasets, models};
use crate::state::State;
use crate::store::searches::NewSearch;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bitfront_search::{Search, file};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// How to submit.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SubmitQuery {
    /// Read and resolve, store nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a file would become.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DryRun {
    /// Every default written out.
    #[schema(value_type = Object)]
    pub resolved: Value,
    /// SHA-256 of the resolved file: equal for equal searches.
    pub digest: String,
    /// Points in the space; a string, because it may exceed 64 bits.
    #[schema(example = "15925248000")]
    pub space_size: String,
    /// Choices left open.
    pub free_variables: usize,
    /// Weights of the network that training moves.
    pub parameters: u64,
}

/// Submits a search file (JSON). The header `idempotency-key` makes a repeated request name the same search.
#[utoipa::path(post, path = "/searches", tag = "searches", operation_id = "submit_search", params(SubmitQuery, ("idempotency-key" = Option<String>, Header, description = "The client's own key, 1 to 200 characters")), request_body(content = Object, description = "A search file as JSON; `bitfront validate --schema` prints its schema"), responses((status = 201, description = "Submitted; `location` names it", body = SearchView), (status = 200, description = "Dry run, or submitted before with the same key", body = DryRun), (status = 422, description = "Faults of the file, all at once", body = ProblemBody, content_type = "application/problem+json"), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn submit(
    Shared(state): Shared<State>,
    Query(query): Query<SubmitQuery>,
    headers: HeaderMap,
    Json(value): Json<Value>,
) -> Result<Response, Problem> {
    let idempotency_key = key(&headers)?;
    let dataset = match file::dataset_name(&value) {
        Some(name) => state.store.find_dataset_by_name(name).await?,
        None => None,
    };
    let info = dataset.as_ref().map(datasets::view::info_of).transpose()?;
    let model = match file::model_name(&value) {
        Some(name) => state.store.find_model_by_name(name).await?,
        None => None,
    };
    let model = model.as_ref().map(models::view::info_of).transpose()?;
    // Resolving counts a space and checks every quantizer: not on the threads that answer.
    let config = Arc::clone(&state.config);
    let (value, resolved) = tokio::task::spawn_blocking(move || {
        let resolved = file::read_among(&value, info.as_ref(), model.as_ref(), &config.devices);
        (value, resolved)
    })
    .await
    .map_err(Error::from)?;
    let (resolved, dataset) = match (resolved, dataset) {
        (Ok(resolved), Some(dataset)) => (resolved, dataset),
        (resolved, _) => return Err(faulty(resolved.err().unwrap_or_default())),
    };
    if query.dry_run {
        return Ok(axum::Json(dry_run(&resolved)?).into_response());
    }
    let search = NewSearch {
        file: value,
        resolved,
        dataset: DatasetId(dataset.id),
        idempotency_key,
    };
    let (id, is_new) = state.store.submit(search).await?;
    state.wake.ring();
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut response = (status, summary(&state, id).await?).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/searches/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn faulty(faults: Vec<file::Fault>) -> Problem {
    let detail = match faults.len() {
        1 => "the search file has a fault".to_owned(),
        n => format!("the search file has {n} faults"),
    };
    Problem::new(Code::InvalidSearch, detail)
        .with_errors(faults.into_iter().map(Fault::from).collect())
}

fn dry_run(search: &Search) -> Result<DryRun, Problem> {
    Ok(DryRun {
        digest: search.digest(),
        space_size: search.space.size().to_string(),
        free_variables: search.space.free_variables(),
        parameters: search.network.parameters(),
        resolved: serde_json::to_value(search).map_err(Error::internal)?,
    })
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=200).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(Problem::invalid(
            "header idempotency-key: accepted are 1 to 200 printable ASCII characters",
        )),
    }
}
