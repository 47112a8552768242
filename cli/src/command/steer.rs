//! `bitfront pause`, `resume` and `cancel`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::{Global, Resume};
use crate::client::{Client, Search};
use crate::exit::{Exit, Failure, Outcome};
use crate::view;

/// Resumes a search, with workers of another engine version where one is named.
pub(super) async fn resume(global: &Global, options: &Resume) -> Outcome {
    let version = options.engine_version.map(|version| version.to_string());
    let version = version
        .as_deref()
        .map(|version| ("engine_version", version));
    run(global, &options.search.search, "resume", version.as_slice()).await
}

/// Sends `action` to a search and shows what became of it.
pub(super) async fn run(
    global: &Global,
    name: &str,
    action: &str,
    query: &[(&str, &str)],
) -> Outcome {
    let client = Client::new(global)?;
    let id = client.search_id(name).await?;
    let value: Value = client
        .post(
            &format!("/api/v1/searches/{id}/{action}"),
            query,
            &json!({}),
        )
        .await?;
    if global.json {
        view::json(&value);
    } else {
        let search = Search::deserialize(&value).map_err(|error| {
            Failure::general(format!("failed to read the coordinator's answer: {error}"))
        })?;
        view::line(&format!("{} is {}", search.name, search.state));
        if let Some(worker) = &search.waits_for {
            view::line(&format!("it waits for {worker}"));
        }
    }
    Ok(Exit::Ok)
}
