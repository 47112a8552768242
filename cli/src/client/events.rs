//! Waking up when something happens: the event stream as a signal, never as the data.

use std::time::Duration;

use reqwest::{Method, Response};
use tokio::time::{Instant, sleep_until};

use super::Client;

/// How long to go without looking, whatever the stream says.
const TICK: Duration = Duration::from_secs(2);
/// At most four looks a second.
const COALESCE: Duration = Duration::from_millis(250);

/// Tells when to look at a search again. A stream that breaks is opened again; meanwhile there is a tick.
pub(crate) struct Events<'a> {
    client: &'a Client,
    path: String,
    stream: Option<Response>,
    last: Instant,
}

impl<'a> Events<'a> {
    /// Listens to one search.
    pub(crate) fn of_search(client: &'a Client, id: &str) -> Self {
        Self {
            client,
            path: format!("/api/v1/searches/{id}/events"),
            stream: None,
            last: Instant::now(),
        }
    }

    /// Returns when something happened, and at the latest after two seconds.
    pub(crate) async fn next(&mut self) {
        let deadline = Instant::now() + TICK;
        let news = async {
            loop {
                let Some(stream) = &mut self.stream else {
                    let request = self.client.request(Method::GET, &self.path);
                    let request = request.header("accept", "text/event-stream");
                    match self.client.send(request).await {
                        Ok(stream) => self.stream = Some(stream),
                        Err(_) => sleep_until(deadline).await,
                    }
                    continue;
                };
                match stream.chunk().await {
                    // Comments keep the connection alive and mean nothing.
                    Ok(Some(chunk)) if chunk.starts_with(b":") => {}
                    Ok(Some(_)) => return,
                    Ok(None) | Err(_) => self.stream = None,
                }
                if Instant::now() >= deadline {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout_at(deadline, news).await;
        sleep_until((self.last + COALESCE).min(deadline)).await;
        self.last = Instant::now();
    }
}
