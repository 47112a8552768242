//! Streams events as Server-Sent Events, or lists them as JSON.

use crate::events;
use crate::ids::SearchId;
use crate::problem::{Problem, ProblemBody};
use crate::rest::extract::{Path, Query};
use crate::rest::paging;
use crate::state::State;
use crate::store::read::EventRow;
use axum::Json;
use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// From where.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// List the events after this sequence number as JSON, instead of streaming. 0: from the oldest that is kept.
    pub after: Option<i64>,
    /// Events in a list at most, 1 to 1000 (50 if absent).
    pub page_size: Option<u32>,
}

/// Some events.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventList {
    /// The events, in the order of commits.
    pub items: Vec<EventRow>,
    /// What to pass as `after` next time.
    pub next_after: i64,
    /// Events were pruned that a reader at `after` has not seen: read everything again.
    pub reset: bool,
}

/// Streams a search's events (`text/event-stream`); `last-event-id` replays what was missed. With `after`: lists them.
#[utoipa::path(get, path = "/searches/{id}/events", tag = "events", operation_id = "events_of_search", params(("id" = Uuid, Path, description = "The search"), EventsQuery, ("last-event-id" = Option<i64>, Header, description = "The last event seen")), responses((status = 200, description = "Opens with `ready`, or with `reset` when events were pruned that the reader has not seen; then each event under its kind, with its sequence number as id", content((EventRow = "text/event-stream"), (EventList = "application/json"))), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn of_search(
    Shared(state): Shared<State>,
    Path(id): Path<SearchId>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if state.store.find_search(id).await?.is_none() {
        return Err(Problem::not_found("search", id));
    }
    answer(state, Some(id), query, &headers).await
}

/// Streams all events (`text/event-stream`); `last-event-id` replays what was missed. With `after`: lists them.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "events_of_all", params(EventsQuery, ("last-event-id" = Option<i64>, Header, description = "The last event seen")), responses((status = 200, description = "As of one search", content((EventRow = "text/event-stream"), (EventList = "application/json"))), (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn of_all(
    Shared(state): Shared<State>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    answer(state, None, query, &headers).await
}

async fn answer(
    state: State,
    search: Option<SearchId>,
    query: EventsQuery,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let Some(after) = query.after else {
        let last_seen = headers
            .get("last-event-id")
            .map(|id| {
                let number = id.to_str().ok().and_then(|id| id.parse::<i64>().ok());
                number.filter(|id| *id >= 0).ok_or_else(|| {
                    Problem::invalid("header last-event-id: this is not the id of an event")
                })
            })
            .transpose()?;
        return Ok(events::stream(state, search, last_seen)
            .await?
            .into_response());
    };
    if after < 0 {
        return Err(Problem::parameter(
            "after",
            format!("{after} is not 0 or a sequence number"),
        ));
    }
    let size = paging::size(query.page_size)?;
    let bounds = state.store.event_bounds().await?;
    let items = state.store.events_after(after, search, size as i64).await?;
    let next_after = items.last().map_or(after, |event| event.seq);
    Ok(Json(EventList {
        items,
        next_after,
        reset: !bounds.reaches(after),
    })
    .into_response())
}
