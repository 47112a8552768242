//! `bitfront watch`: progress on stderr until the search ends, then its front on stdout.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Signals;
use crate::args::{Global, Watch};
use crate::client::{Client, Events, Front, Search};
use crate::exit::{Exit, Failure, Outcome};
use crate::progress::Progress;
use crate::view;

pub(super) async fn run(global: &Global, options: &Watch) -> Outcome {
    let client = Client::new(global)?;
    let id = client.search_id(&options.search.search).await?;
    follow(global, &client, &id, options.timeout).await
}

/// Follows a search to its end and prints its front.
pub(super) async fn follow(
    global: &Global,
    client: &Client,
    id: &str,
    timeout: Option<Duration>,
) -> Outcome {
    let deadline = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let mut progress = Progress::new(global.quiet);
    let mut signals = Signals::catch()?;
    let search = tokio::select! {
        search = until_end(client, id, |search, front| progress.show(search, front)) => search?,
        () = signals.next() => {
            progress.finish();
            return Err(Failure::new(Exit::Interrupted, "interrupted; the search goes on")
                .detail(format!("`bitfront watch {id}` follows it again, `bitfront cancel {id}` ends it")));
        }
        () = deadline => {
            progress.finish();
            return Err(Failure::new(Exit::Timeout, "the search has not ended in time; it goes on"));
        }
    };
    progress.finish();
    let value: Value = client
        .get(&format!("/api/v1/searches/{id}/front"), &[])
        .await?;
    if global.json {
        view::json(&value);
    } else {
        view::print(&view::front(&typed(&value)?));
    }
    Ok(ending(&search))
}

fn typed(value: &Value) -> Outcome<Front> {
    serde::Deserialize::deserialize(value).map_err(|error| {
        Failure::general(format!("failed to read the coordinator's answer: {error}"))
    })
}

/// The exit code of an ended search.
pub(super) fn ending(search: &Search) -> Exit {
    let whole = search.state == "finished" && search.front_size > 0 && search.synthesis.failed == 0;
    if whole { Exit::Ok } else { Exit::SearchFailed }
}

/// Looks at a search whenever something happens, until it has ended. A coordinator that is away for
/// a while (a restart) is waited for; what it answers then is believed.
pub(super) async fn until_end(
    client: &Client,
    id: &str,
    mut seen: impl FnMut(&Search, &Front),
) -> Outcome<Search> {
    const PATIENCE: Duration = Duration::from_mins(1);
    let mut events = Events::of_search(client, id);
    let mut reached = Instant::now();
    loop {
        let look = async {
            let search: Search = client.get(&format!("/api/v1/searches/{id}"), &[]).await?;
            let front: Front = client
                .get(&format!("/api/v1/searches/{id}/front"), &[])
                .await?;
            Ok((search, front))
        };
        match look.await {
            Ok((search, front)) => {
                reached = Instant::now();
                seen(&search, &front);
                if search.has_ended() {
                    return Ok(search);
                }
            }
            Err(Failure {
                exit: Exit::Unreachable,
                ..
            }) if reached.elapsed() < PATIENCE => {}
            Err(failure) => return Err(failure),
        }
        events.next().await;
    }
}
