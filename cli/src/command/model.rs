//! `bitfront model add`, `ls` and `show`: trained models that searches start from.

use std::path::Path;

use bitfront_coordinator::artifacts::Digest;
use bitfront_coordinator::models::{Model, Refusal};
use bitfront_search::file::ModelInfo;
use serde_json::Value;
use uuid::Uuid;

use super::dataset::registered_name;
use crate::args::{Global, ModelAction};
use crate::client::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::view;

pub(super) async fn run(global: &Global, action: &ModelAction) -> Outcome {
    match action {
        ModelAction::Add { file, name } => add(global, file, name.as_deref()).await,
        ModelAction::Ls => list(global).await,
        ModelAction::Show { model } => show(global, model).await,
    }
}

/// Imports a file here, where its faults are quickest told, then sends it.
async fn add(global: &Global, file: &Path, name: Option<&str>) -> Outcome {
    let bytes = read(file)?;
    let name = registered_name(file, name);
    import(file, &bytes, &name)?;
    let digest = Digest::of(&bytes);
    let value = Client::new(global)?
        .upload("/api/v1/models", &name, digest.as_str(), bytes)
        .await?;
    if global.json {
        view::json(&value);
    } else {
        // The coordinator's words: bytes that were registered before keep their first name.
        view::print(&view::model(&value));
    }
    Ok(Exit::Ok)
}

async fn list(global: &Global) -> Outcome {
    let items = models(&Client::new(global)?).await?;
    if global.json {
        view::json(&Value::Array(items));
    } else {
        view::print(&view::models(&items));
    }
    Ok(Exit::Ok)
}

async fn show(global: &Global, wanted: &str) -> Outcome {
    let client = Client::new(global)?;
    let id = match Uuid::parse_str(wanted) {
        Ok(id) => id.to_string(),
        Err(_) => models(&client)
            .await?
            .iter()
            .find(|model| {
                ["name", "file", "digest"]
                    .iter()
                    .any(|key| model[key] == wanted)
            })
            .and_then(|model| model["id"].as_str())
            .map(str::to_owned)
            .ok_or_else(|| {
                Failure::new(Exit::NotFound, format!("no model is called `{wanted}`"))
                    .detail("`bitfront model ls` lists them")
            })?,
    };
    let value: Value = client.get(&format!("/api/v1/models/{id}"), &[]).await?;
    if global.json {
        view::json(&value);
    } else {
        view::print(&view::model(&value));
    }
    Ok(Exit::Ok)
}

/// All models, newest first.
async fn models(client: &Client) -> Outcome<Vec<Value>> {
    client.pages("/api/v1/models", &[], 10_000).await
}

/// What a search file that imports the model in `file` is resolved with, as if it were registered.
pub(super) fn info(file: &Path) -> Outcome<ModelInfo> {
    let own = registered_name(file, None);
    Ok(import(file, &read(file)?, &own)?.info(&own))
}

fn read(file: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(file)
        .map_err(|error| Failure::usage(format!("failed to read {}: {error}", file.display())))
}

fn import(file: &Path, bytes: &[u8], name: &str) -> Outcome<Model> {
    Model::read(bytes, name).map_err(|Refusal { detail, faults }| {
        let refused = Failure::usage(format!("failed to import {}: {detail}", file.display()));
        faults.iter().fold(refused, |failure, fault| {
            failure.detail(format!("{}: {}", fault.pointer, fault.detail))
        })
    })
}
