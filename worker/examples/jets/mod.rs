//! The jet networks of the benches: a search over one space for given hidden layers, and the weights of one draw from it.

use bitfront_dataset::{Dataset, Prepared, Table};
use bitfront_network::Weights;
use bitfront_search::Search;
use bitfront_search::file::{DatasetInfo, read};
use bitfront_search::sampler::{Proposed, trial_seed};
use bitfront_training::{Control, Recipe, Samples, Targets, train};
use serde_json::{Value, json};
use std::error::Error;

/// The search of a file, its network's hidden layers and its seed replaced.
pub(crate) fn search(
    file: &str,
    dataset: &Dataset,
    hidden: &[usize],
    seed: u64,
) -> Result<Search, Box<dyn Error>> {
    let info = DatasetInfo {
        inputs: dataset.features.len(),
        classes: dataset.classes.len(),
        digest: dataset.digest.clone(),
        ..DatasetInfo::default()
    };
    let mut value: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    value["model"]["layers"] = layers(hidden, info.classes);
    let mut search = read(&value, Some(&info)).map_err(|e| format!("{file}: {e:?}"))?;
    search.seed = seed;
    Ok(search)
}

/// The layers of a search file's network.
fn layers(hidden: &[usize], classes: usize) -> Value {
    let mut layers = Vec::new();
    for (index, units) in hidden.iter().enumerate() {
        let number = index + 1;
        layers.push(json!({ "name": format!("fc{number}"), "dense": units }));
        layers.push(json!({ "name": format!("relu{number}"), "activation": "relu" }));
    }
    layers.push(json!({ "name": "output", "dense": classes }));
    layers.push(json!({ "name": "softmax", "activation": "softmax" }));
    Value::Array(layers)
}

/// The trained weights of a proposed candidate.
pub(crate) fn trained(
    search: &Search,
    proposed: &Proposed,
    data: &Prepared,
) -> Result<Weights, Box<dyn Error>> {
    let recipe = Recipe {
        epochs: search.training.epochs,
        batch_size: search.training.batch_size as usize,
        learning_rate: search.training.optimizer.learning_rate as f32,
        ..Recipe::default()
    };
    let trained = train(
        &proposed.candidate,
        &samples(&data.train),
        &samples(&data.validation),
        &recipe,
        trial_seed(search.seed, &proposed.digest, 0),
        &mut |_| Control::Continue,
        &|| false,
    )?;
    Ok(trained.weights)
}

fn samples(table: &Table) -> Samples<'_> {
    Samples {
        x: &table.x,
        y: Targets::Classes(&table.y),
        rows: table.rows,
        columns: table.columns,
    }
}
