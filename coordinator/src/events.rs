//! Event streams: what happened, in the order of commits, as Server-Sent Events.
//!
//! The rule this module keeps: a reader that comes back with the last `id` it has seen misses nothing,
//! or is told `reset` and reads everything again. Events are rows; a wake-up only makes the next look
//! at them sooner, so that every coordinator streams what any of them wrote.

use crate::ids::SearchId;
use crate::state::State;
use crate::store::read::EventRow;
use crate::wake::POLL;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

/// Events read at once.
const BATCH: i64 = 500;
/// At most four looks a second, however often the bell rings.
const PAUSE: Duration = Duration::from_millis(250);
/// How often a silent stream says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A stream's place.
struct Reader {
    state: State,
    search: Option<SearchId>,
    after: i64,
    ready: VecDeque<Event>,
}

/// The stream of a search's events, or of all, after `last_seen`; without it, from now on.
///
/// It opens with `ready` (its id is where the stream starts) or, when what `last_seen` names cannot be
/// continued, with `reset`. It ends when the coordinator drains.
///
/// # Errors
/// The database does not answer.
pub(crate) async fn stream(
    state: State,
    search: Option<SearchId>,
    last_seen: Option<i64>,
) -> crate::error::Result<impl IntoResponse + use<>> {
    let bounds = state.store.event_bounds().await?;
    let (name, after) = match last_seen {
        Some(seen) if bounds.reaches(seen) => ("ready", seen),
        Some(_) => ("reset", bounds.newest),
        None => ("ready", bounds.newest),
    };
    let opening = Event::default()
        .event(name)
        .id(after.to_string())
        .data("{}");
    let reader = Reader {
        state,
        search,
        after,
        ready: VecDeque::from([opening]),
    };
    let sse =
        Sse::new(events(reader)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("alive"));
    Ok((
        [("x-accel-buffering", "no"), ("cache-control", "no-store")],
        sse,
    ))
}

fn events(reader: Reader) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(reader, |mut reader| async move {
        loop {
            if let Some(event) = reader.ready.pop_front() {
                return Some((Ok(event), reader));
            }
            if reader.state.shutdown.is_cancelled() {
                return None;
            }
            // Before the look, so that nothing rings unheard in between.
            let bell = reader.state.wake.listen();
            match reader
                .state
                .store
                .events_after(reader.after, reader.search, BATCH)
                .await
            {
                Ok(rows) if rows.is_empty() => {
                    tokio::select! {
                        () = reader.state.shutdown.cancelled() => return None,
                        () = bell => pause(&reader.state, PAUSE).await,
                        () = tokio::time::sleep(POLL) => {}
                    }
                }
                Ok(rows) => {
                    reader.after = rows.last().map_or(reader.after, |row| row.seq);
                    reader.ready.extend(rows.iter().filter_map(as_event));
                }
                Err(cause) => {
                    tracing::warn!(%cause, "an event stream could not be read on");
                    pause(&reader.state, POLL).await;
                }
            }
        }
    })
}

/// Waits, but not longer than the coordinator runs.
async fn pause(state: &State, time: Duration) {
    tokio::select! {
        () = state.shutdown.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

fn as_event(row: &EventRow) -> Option<Event> {
    Event::default()
        .event(&row.kind)
        .id(row.seq.to_string())
        .json_data(row)
        .inspect_err(
            |cause| tracing::error!(%cause, seq = row.seq, "an event could not be written"),
        )
        .ok()
}
