//! Event streams: replay, reset, new events, and the end of a stream when the coordinator drains.

use crate::support::{SEARCH, Server, problem};
use reqwest::{Method, Response};
use serde_json::json;
use std::time::Duration;

/// One event: name, id, data.
type Event = (String, String, String);

/// Reads a stream event by event; comments are passed over.
struct Reader {
    response: Response,
    rest: String,
}

impl Reader {
    async fn open(server: &Server, path: &str, last_seen: Option<&str>) -> Self {
        let mut request = server.request(Method::GET, &format!("/api/v1{path}"));
        if let Some(id) = last_seen {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            rest: String::new(),
        }
    }

    /// The next event, `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        let wait = Duration::from_secs(20);
        loop {
            while let Some((block, rest)) = self.rest.split_once("\n\n") {
                let field = |name: &str| {
                    let prefix = format!("{name}: ");
                    let line = block.lines().find_map(|line| line.strip_prefix(&prefix));
                    line.unwrap_or_default().to_owned()
                };
                let event = (field("event"), field("id"), field("data"));
                self.rest = rest.to_string();
                if !event.0.is_empty() {
                    return Some(event);
                }
            }
            let chunk = tokio::time::timeout(wait, self.response.chunk()).await;
            let chunk = chunk.expect("the stream goes on or ends").ok()??;
            self.rest
                .push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }
}

#[tokio::test]
async fn a_reader_that_comes_back_misses_nothing() {
    let server = Server::with_rows().await;
    let path = format!("/searches/{SEARCH}/events");
    let mut reader = Reader::open(&server, &path, Some("3")).await;
    assert_eq!(reader.next().await.expect("an opening").0, "ready");
    for seq in ["4", "5"] {
        let (name, id, data) = reader.next().await.expect("a missed event");
        assert_eq!((name.as_str(), id.as_str()), ("trial.updated", seq));
        assert!(data.contains(&format!("\"number\":{seq}")), "{data}");
    }
    // And what happens from now on, also of another coordinator: a row is all there is.
    sqlx::query(
        "insert into events (search_id, kind, payload) values ($1::uuid, 'front.changed', '{}')",
    )
    .bind(SEARCH)
    .execute(&server.pool)
    .await
    .expect("an event");
    let (name, id, _) = reader.next().await.expect("the new event");
    assert_eq!((name.as_str(), id.as_str()), ("front.changed", "6"));
}

#[tokio::test]
async fn a_new_reader_starts_now_and_one_left_behind_is_reset() {
    let server = Server::with_rows().await;
    let (name, id, _) = Reader::open(&server, "/events", None)
        .await
        .next()
        .await
        .expect("an opening");
    assert_eq!((name.as_str(), id.as_str()), ("ready", "5"));
    sqlx::query("delete from events where seq <= 3")
        .execute(&server.pool)
        .await
        .expect("pruned");
    let (name, id, _) = Reader::open(&server, "/events", Some("2"))
        .await
        .next()
        .await
        .expect("an opening");
    assert_eq!((name.as_str(), id.as_str()), ("reset", "5"));
    let (name, _, _) = Reader::open(&server, "/events", Some("3"))
        .await
        .next()
        .await
        .expect("an opening");
    assert_eq!(name, "ready");
}

#[tokio::test]
async fn events_are_also_a_list() {
    let server = Server::with_rows().await;
    let list = server.read("/events?after=2&page_size=2").await;
    assert_eq!(list["items"][0]["seq"], 3);
    assert_eq!(list["items"][0]["payload"], json!({ "number": 3 }));
    assert_eq!(
        (&list["next_after"], &list["reset"]),
        (&json!(4), &json!(false))
    );
    let end = server.read("/events?after=5").await;
    assert_eq!((&end["items"], &end["next_after"]), (&json!([]), &json!(5)));
    assert_eq!(server.read("/events?after=99").await["reset"], true);
    let other = server
        .get("/api/v1/searches/01900000-0000-7000-8000-00000000ffff/events?after=0")
        .await;
    assert_eq!(problem(other).await["code"], "not-found");
}

#[tokio::test]
async fn a_drain_ends_streams_and_the_server() {
    let mut server = Server::with_rows().await;
    let mut reader = Reader::open(&server, "/events", None).await;
    assert_eq!(reader.next().await.expect("an opening").0, "ready");
    let state = server.running().state().clone();
    server.stop().await;
    assert!(state.shutdown.is_cancelled());
    assert_eq!(reader.next().await, None);
    assert!(
        server
            .request(Method::GET, "/healthz")
            .send()
            .await
            .is_err()
    );
}
