//! The search file: what a user writes, read with all faults at once.
//!
//! A file becomes a [`Search`] in two steps. `structure` holds the JSON against the
//! schema that editors read too ([`json_schema`]): unknown keys, wrong types, values out of range,
//! quantizers that do not parse. [`resolve()`] then follows the names (pools, layers, metrics), fills in
//! the defaults and checks that every quantizer can be scored exactly where it may stand. [`read`]
//! does both.
//!
//! The rule this module keeps (promise P8): an option that cannot be honoured is a [`Fault`] that
//! names its place by JSON pointer, what is wrong, and what would be accepted. Nothing in a file
//! fetches anything or calls an address: there are no such keys.

mod defaults;
mod export;
mod fault;
mod pointer;
mod resolve;
mod structure;
mod types;
mod words;

pub use defaults::default_pools;
pub use export::{json_schema, json_schema_text};
pub use fault::Fault;
pub use resolve::{DatasetInfo, ModelInfo, resolve};
pub use types::*;

use crate::Search;
use bitfront_hardware::device::Devices;
use serde_json::Value;

impl SearchFile {
    /// Reads a search file from JSON.
    ///
    /// # Errors
    /// Every structural fault: unknown keys, wrong types, values out of range, bad quantizers.
    pub fn from_value(value: &Value) -> Result<Self, Vec<Fault>> {
        let faults = structure::check(value);
        if faults.is_empty() {
            typed(value)
        } else {
            Err(faults)
        }
    }

    /// Reads a search file from JSON text.
    ///
    /// # Errors
    /// As [`SearchFile::from_value`]; text that is not JSON is one fault at the root.
    pub fn parse_json(text: &str) -> Result<Self, Vec<Fault>> {
        let value = serde_json::from_str(text)
            .map_err(|error| vec![Fault::new("", format!("not JSON: {error}"))])?;
        Self::from_value(&value)
    }
}

/// The data set a file names, whatever else is wrong with it: what to look up before [`read`].
pub fn dataset_name(value: &Value) -> Option<&str> {
    let dataset = value.get("dataset")?;
    dataset
        .as_str()
        .or_else(|| dataset.get("name").and_then(Value::as_str))
}

/// The registered model a file imports, whatever else is wrong with it: what to look up before
/// [`read_with`].
pub fn model_name(value: &Value) -> Option<&str> {
    value.pointer("/model/import").and_then(Value::as_str)
}

/// [`read_with`] for a file that imports no model.
///
/// # Errors
/// As [`read_with`].
pub fn read(value: &Value, dataset: Option<&DatasetInfo>) -> Result<Search, Vec<Fault>> {
    read_with(value, dataset, None)
}

/// [`read_among`] the devices that come with the program.
///
/// # Errors
/// As [`read_among`].
pub fn read_with(
    value: &Value,
    dataset: Option<&DatasetInfo>,
    model: Option<&ModelInfo>,
) -> Result<Search, Vec<Fault>> {
    read_among(value, dataset, model, Devices::known())
}

/// Reads and resolves a search file. `dataset` describes the data set it names
/// ([`dataset_name`]) and `model` the model it imports ([`model_name`]), `None` if none of this name
/// is registered. `devices` are those it may name without saying what they hold.
///
/// # Errors
/// Every fault, structural ones first. Where unknown keys are all that is wrong with the structure,
/// the rest of the file is resolved without them, so that its faults are told too.
pub fn read_among(
    value: &Value,
    dataset: Option<&DatasetInfo>,
    model: Option<&ModelInfo>,
    devices: &Devices,
) -> Result<Search, Vec<Fault>> {
    let mut faults = structure::check(value);
    let Some(known) = structure::without_unknown_keys(value, &faults) else {
        return Err(with_dataset_fault(faults, value, dataset));
    };
    let file = match typed(&known) {
        Ok(file) => file,
        Err(more) => {
            faults.extend(more);
            return Err(with_dataset_fault(faults, value, dataset));
        }
    };
    let Some(info) = dataset else {
        // Without the data set's shape the model's own is taken, to find the other faults.
        faults = with_dataset_fault(faults, value, None);
        faults.extend(
            resolve(&file, &DatasetInfo::of_model(&file), model, devices)
                .err()
                .unwrap_or_default(),
        );
        return Err(faults);
    };
    match resolve(&file, info, model, devices) {
        Ok(search) if faults.is_empty() => Ok(search),
        Ok(_) => Err(faults),
        Err(more) => {
            faults.extend(more);
            Err(faults)
        }
    }
}

fn with_dataset_fault(
    mut faults: Vec<Fault>,
    value: &Value,
    dataset: Option<&DatasetInfo>,
) -> Vec<Fault> {
    if let (None, Some(name)) = (dataset, dataset_name(value)) {
        faults.push(
            Fault::new("/dataset", format!("data set `{name}` is not registered"))
                .suggest("register it with `bitfront dataset add FILE`"),
        );
    }
    faults
}

/// The typed form; what the structure check lets through and the types refuse is one fault.
fn typed(value: &Value) -> Result<SearchFile, Vec<Fault>> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer::from_path(error.path());
        vec![Fault::new(pointer, error.into_inner().to_string())]
    })
}

#[cfg(test)]
mod tests;
