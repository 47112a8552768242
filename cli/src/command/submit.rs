//! `bitfront submit`: the file becomes the wire's JSON here; the coordinator checks it.

use std::time::Duration;

use serde_json::Value;

use super::watch;
use crate::args::{Global, Submit};
use crate::client::Client;
use crate::document::Document;
use crate::exit::{Exit, Failure, Outcome};
use crate::view;

pub(super) async fn run(global: &Global, options: &Submit) -> Outcome {
    let document = Document::open(&options.source.file, &options.source.overrides)?;
    let client = Client::new(global)?;
    let value = client
        .submit(&document.value, options.dry_run)
        .await
        .map_err(|refused| place(refused, &document))?;
    if options.dry_run {
        view::json(&value);
        return Ok(Exit::Ok);
    }
    let id = value["id"].as_str().unwrap_or_default().to_owned();
    if global.json && !options.watch {
        view::json(&value);
    } else if !options.watch {
        view::line(&id);
        if !global.quiet {
            eprintln!("submitted; `bitfront watch {id}` follows it");
        }
    }
    if options.watch {
        watch::follow(global, &client, &id, None::<Duration>).await
    } else {
        Ok(Exit::Ok)
    }
}

/// The coordinator's faults, shown where they stand in the file.
fn place(mut failure: Failure, document: &Document) -> Failure {
    failure.message = format!("{}: {}", document.name, failure.message);
    let faults = std::mem::take(&mut failure.faults);
    if !faults.is_empty() {
        failure.details = faults.iter().map(|fault| document.locate(fault)).collect();
    }
    failure
}

impl Client {
    /// Submits a search file. Sent with an idempotency key: a repeated request makes no second search.
    pub(crate) async fn submit(&self, file: &Value, dry_run: bool) -> Outcome<Value> {
        let query: &[(&str, &str)] = if dry_run { &[("dry_run", "true")] } else { &[] };
        self.post_once("/api/v1/searches", query, file).await
    }
}
