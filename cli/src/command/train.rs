//! `bitfront train`: one candidate, trained and scored here; its scores as JSON.

use std::path::Path;
use std::time::Instant;

use bitfront_dataset::{Dataset, SplitSpec, Table};
use bitfront_hardware::design::DesignOptions;
use bitfront_network::Candidate;
use bitfront_search::file::{DatasetInfo, read};
use bitfront_training::{Control, ENGINE_VERSION, Recipe, Samples, Targets, train};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::args::Train;
use crate::demo;
use crate::exit::{Context, Exit, Failure, Outcome};
use crate::view;

pub(super) fn run(options: &Train) -> Outcome {
    let dataset = match &options.data {
        Some(path) => Dataset::open(path),
        None => Dataset::parse(demo::JETS, demo::JETS_FILE),
    }
    .map_err(|error| Failure::usage(format!("failed to open the data: {error}")))?;
    if !dataset.targets.is_empty() {
        let detail = "the data has values to predict, and `bitfront train` tells classes apart; `bitfront submit` takes \
                      searches of values";
        return Err(Failure::usage(detail));
    }
    let candidate = candidate(options, &dataset)?;
    let data = dataset
        .prepare(&SplitSpec::default())
        .failed_to("split the data")?;
    let recipe = recipe(options)?;

    let started = Instant::now();
    let mut on_epoch = |_: &_| Control::Continue;
    let trained = train(
        &candidate,
        &samples(&data.train),
        &samples(&data.validation),
        &recipe,
        options.seed,
        &mut on_epoch,
        &|| false,
    )
    .map_err(|error| Failure::usage(format!("failed to train the candidate: {error}")))?;
    let train_s = started.elapsed().as_secs_f64();
    let scores = bitfront_worker::score(
        &candidate,
        &trained.weights,
        &data,
        &DesignOptions::default(),
        &|| false,
    )
    .failed_to("score the candidate")?;
    view::json(&json!({
        "candidate": candidate,
        "candidate_digest": candidate.digest(),
        "data_digest": dataset.digest,
        "seed": options.seed,
        "engine_version": ENGINE_VERSION,
        "recipe": recipe,
        "train_s": train_s,
        "scores": scores,
    }));
    Ok(Exit::Ok)
}

fn samples(table: &Table) -> Samples<'_> {
    Samples {
        x: &table.x,
        y: Targets::Classes(&table.y),
        rows: table.rows,
        columns: table.columns,
    }
}

/// The recipe: from its file, or the default; in either case with the epochs that the command names.
fn recipe(options: &Train) -> Outcome<Recipe> {
    let mut recipe = match &options.recipe {
        Some(path) => json_file(path, "recipe")?,
        None => Recipe::default(),
    };
    recipe.epochs = options.epochs.unwrap_or(recipe.epochs);
    if recipe.distillation.is_some() {
        let detail =
            "/distillation has no teacher here: `bitfront submit` takes searches that distil";
        return Err(Failure::usage(detail));
    }
    recipe.check().map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failure::usage(format!("the recipe cannot be used: {}", faults.join("; ")))
    })?;
    Ok(recipe)
}

/// What a JSON file holds.
fn json_file<T: DeserializeOwned>(path: &Path, what: &str) -> Outcome<T> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("failed to read {}: {error}", path.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{} is not a {what}: {error}", path.display())))
}

/// The candidate: from its file, or a seed trial of the network `inputs-16-16-classes`, the demo's.
fn candidate(options: &Train, dataset: &Dataset) -> Outcome<Candidate> {
    if let Some(path) = &options.candidate {
        return json_file(path, "candidate");
    }
    let (inputs, classes) = (dataset.features.len(), dataset.classes.len());
    let seed = options.uniform.map_or_else(
        || json!({ "float": true }),
        |bits| json!({ "uniform_bits": bits }),
    );
    let file = json!({
        "apiVersion": "v1",
        "kind": "Search",
        "name": "train",
        "dataset": "here",
        "model": { "mlp": [inputs, 16, 16, classes] },
        "search_space": { "seed_trials": [seed] },
        "objectives": ["accuracy", "lut_estimate"],
        "budget": { "trials": 2 },
    });
    let info = DatasetInfo {
        inputs,
        classes,
        digest: dataset.digest.clone(),
        ..DatasetInfo::default()
    };
    let search = read(&file, Some(&info)).map_err(|faults| {
        Failure::usage(
            faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        )
    })?;
    search
        .seed_trials
        .into_iter()
        .next()
        .map(|seed| seed.candidate)
        .ok_or_else(|| Failure::general("failed to make the candidate"))
}
