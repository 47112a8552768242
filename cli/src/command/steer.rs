//! `bitfront pause`, `resume` and `cancel`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::Global;
use crate::client::{Client, Search};
use crate::exit::{Exit, Failure, Outcome};
use crate::view;

/// Sends `action` to a search and shows what became of it.
pub(super) async fn run(global: &Global, name: &str, action: &str) -> Outcome {
    let client = Client::new(global)?;
    let id = client.search_id(name).await?;
    let value: Value = client
        .post(&format!("/api/v1/searches/{id}/{action}"), &[], &json!({}))
        .await?;
    if global.json {
        view::json(&value);
    } else {
        let search = Search::deserialize(&value).map_err(|error| {
            Failure::general(format!("failed to read the coordinator's answer: {error}"))
        })?;
        view::line(&format!("{} is {}", search.name, search.state));
    }
    Ok(Exit::Ok)
}
