//! `bitfront validate`: every fault of a search file and the size of its space, without a coordinator.

use bitfront_dataset::Dataset;
use bitfront_hardware::device::Devices;
use bitfront_search::Search;
use bitfront_search::file::{DatasetInfo, Fault, ModelInfo, SearchFile, model_name, read_among};
use serde_json::{Value, json};

use super::{coordinator, model};
use crate::args::{Global, Validate};
use crate::document::Document;
use crate::exit::{Exit, Failure, Outcome};
use crate::view;

pub(super) fn run(global: &Global, options: &Validate) -> Outcome {
    let Some(file) = options.file.as_ref().filter(|_| !options.schema) else {
        view::print(&bitfront_search::file::json_schema_text());
        return Ok(Exit::Ok);
    };
    let document = Document::open(file, &options.overrides)?;
    let data = options.data.as_deref().map(|path| {
        let dataset = Dataset::open(path).map_err(|error| {
            Failure::usage(format!("failed to open --data {}: {error}", path.display()))
        })?;
        Ok(DatasetInfo {
            inputs: dataset.features.len(),
            classes: dataset.classes.len(),
            digest: dataset.digest,
            targets: dataset.targets.len(),
            has_test_rows: dataset.test.is_some(),
            features: dataset.features,
        })
    });
    let model = options.model.as_deref().map(model::info).transpose()?;
    let devices = coordinator::devices(options.devices.as_deref())?;
    let data = data.transpose()?;
    match resolve(&document.value, data.as_ref(), model.as_ref(), &devices) {
        Ok(search) => {
            print(global, options, &document.value, &search);
            Ok(Exit::Ok)
        }
        Err(faults) if global.json => {
            view::json(&json!({ "valid": false, "faults": faults }));
            Ok(Exit::Usage)
        }
        Err(faults) => Err(document.faults(&faults)),
    }
}

/// Resolves a file for a data set, or for the one that its own network or the imported model describes.
fn resolve(
    value: &Value,
    data: Option<&DatasetInfo>,
    model: Option<&ModelInfo>,
    devices: &Devices,
) -> Result<Search, Vec<Fault>> {
    let of_model = |file: &SearchFile| match model.filter(|_| file.model.import.is_some()) {
        Some(model) => {
            DatasetInfo::of_shape(file, model.candidate.inputs(), model.candidate.outputs())
        }
        None => DatasetInfo::of_model(file),
    };
    let resolved = match (data, SearchFile::from_value(value)) {
        (Some(info), _) => read_among(value, Some(info), model, devices),
        (None, Ok(file)) => read_among(value, Some(&of_model(&file)), model, devices),
        // The faults of meaning that can be found besides; that no data set is registered is not one here.
        (None, Err(_)) => read_among(value, None, model, devices).map_err(|mut faults| {
            faults.retain(|fault| {
                !(fault.pointer == "/dataset" && fault.detail.ends_with("is not registered"))
            });
            faults
        }),
    };
    resolved.map_err(|faults| {
        let unknown = model_name(value).filter(|_| model.is_none());
        faults
            .into_iter()
            .map(|fault| match unknown {
                Some(name) if fault.pointer == "/model/import" => not_at_hand(name),
                _ => fault,
            })
            .collect()
    })
}

/// Only a coordinator knows what is registered.
fn not_at_hand(name: &str) -> Fault {
    let detail = format!("model `{name}`: only a coordinator knows what is registered");
    Fault::new("/model/import", detail).suggest("name its file with --model FILE")
}

fn print(global: &Global, options: &Validate, file: &Value, search: &Search) {
    let size = search.space.size();
    // Without a data set the number of inputs may be open, and with it the first layer's weights.
    let inputs_known = options.data.is_some()
        || file.pointer("/model/mlp").is_some()
        || file.pointer("/model/import").is_some()
        || file.pointer("/model/inputs/features").is_some()
        || file.pointer("/model/inputs/shape").is_some();
    let parameters = inputs_known.then(|| search.network.parameters());
    let network = &search.network.float;
    let network = match parameters {
        Some(parameters) => format!(
            "{} inputs, {} layers, {parameters} parameters",
            network.inputs(),
            network.layers.len()
        ),
        None => format!(
            "{} layers; the inputs are the data set's (--data FILE counts the parameters)",
            network.layers.len()
        ),
    };
    if global.json || options.full {
        view::json(&json!({
            "valid": true,
            "name": search.name,
            "space_size": size.to_string(),
            "free_choices": search.space.free_variables(),
            "parameters": parameters,
            "digest": search.digest(),
            "resolved": search,
        }));
        return;
    }
    view::line(&format!("{} has no faults", search.name));
    let labels: Vec<&str> = search
        .seed_trials
        .iter()
        .map(|seed| seed.label.as_str())
        .collect();
    let objectives: Vec<&str> = search
        .objectives
        .iter()
        .map(|objective| objective.metric.name())
        .collect();
    for (name, value) in [
        (
            "space",
            format!(
                "{size} candidates in {} free choices",
                search.space.free_variables()
            ),
        ),
        ("network", network),
        ("objectives", objectives.join(", ")),
        (
            "seed trials",
            if labels.is_empty() {
                "none".to_owned()
            } else {
                labels.join(", ")
            },
        ),
        (
            "budget",
            format!(
                "{} trials, window of {}",
                search.budget.trials, search.budget.parallel
            ),
        ),
        (
            "reproducible",
            if search.is_reproducible() {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
        ),
    ] {
        view::line(&format!("  {name:<13}{value}"));
    }
}
