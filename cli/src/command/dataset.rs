//! `bitfront dataset add` and `ls`.

use std::path::Path;

use bitfront_dataset::Dataset;
use serde_json::Value;

use crate::args::Global;
use crate::client::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::view;

/// Checks a file here, where its errors are quickest told, then sends it.
pub(super) async fn add(global: &Global, file: &Path, name: Option<&str>) -> Outcome {
    let bytes = Dataset::bytes(file)
        .map_err(|error| Failure::usage(format!("failed to open {}: {error}", file.display())))?;
    let name = registered_name(file, name);
    // A folder is sent as a zip.
    let name = if file.is_dir() && !ends_with_zip(&name) {
        format!("{name}.zip")
    } else {
        name
    };
    let dataset = Dataset::parse(&bytes, &name)
        .map_err(|error| Failure::usage(format!("failed to open {}: {error}", file.display())))?;
    let value = Client::new(global)?
        .upload("/api/v1/datasets", &name, &dataset.digest, bytes)
        .await?;
    if global.json {
        view::json(&value);
    } else {
        view::line(&format!(
            "{name}: {} rows, {} features, {} classes, sha256 {}",
            dataset.train.rows + dataset.test.as_ref().map_or(0, |table| table.rows),
            dataset.features.len(),
            dataset.classes.len(),
            dataset.digest
        ));
    }
    Ok(Exit::Ok)
}

fn ends_with_zip(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

/// The name to register a file by: the one that is wished for, else its own; with the extension, which names the format.
pub(super) fn registered_name(file: &Path, wished: Option<&str>) -> String {
    match (wished, file.extension()) {
        (Some(name), Some(extension)) if Path::new(name).extension().is_none() => {
            format!("{name}.{}", extension.to_string_lossy())
        }
        (Some(name), _) => name.to_owned(),
        (None, _) => file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
    }
}

/// Lists data sets.
pub(super) async fn list(global: &Global) -> Outcome {
    let items = Client::new(global)?
        .pages("/api/v1/datasets", &[], 10_000)
        .await?;
    if global.json {
        view::json(&Value::Array(items));
    } else {
        view::print(&view::datasets(&items));
    }
    Ok(Exit::Ok)
}
