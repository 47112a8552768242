//! Models of Keras 2 and 3, and of QKeras.

mod config;
mod layers;
mod quantizers;
mod settings;
mod store;

use std::collections::HashMap;
use std::io::{Cursor, Read as _};

use serde_json::Value;
use zip::ZipArchive;

use self::config::{Model, Node};
use self::store::{Scope, Store};
use crate::error::ImportError;
use crate::graph::{Graph, Tensor};
use crate::limits::{FILE_BYTES, JSON_BYTES, ZIP_ENTRIES};
use crate::{Imported, ends};

/// Reads a model saved as HDF5 (`.h5`) by Keras 2 or 3, with `QKeras` layers or without.
///
/// # Errors
/// [`ImportError`]: a damaged file, all unsupported layers, or all faults of the network.
pub fn read_keras_h5(bytes: &[u8]) -> Result<Imported, ImportError> {
    ImportError::check_size("file", bytes.len() as u64, FILE_BYTES, "bytes")?;
    let (store, header) = Store::open(bytes)?;
    let Some(model) = &header.model else {
        return Err(ImportError::Unknown {
            problem: "an HDF5 file of weights alone, without the model (`model_config`); put it \
                      into a zip with the model's JSON"
                .into(),
        });
    };
    let (node, version) = config::parse(model.as_bytes())?;
    let version = header.version.or(version);
    build(&node, store, version.as_deref(), ".h5")
}

/// Reads a model's JSON (`model.to_json()`) and its weights (`model.save_weights("x.weights.h5")`).
///
/// # Errors
/// As [`read_keras_h5`].
pub fn read_keras_json(json: &[u8], weights: &[u8]) -> Result<Imported, ImportError> {
    ImportError::check_size("weights file", weights.len() as u64, FILE_BYTES, "bytes")?;
    let (node, version) = config::parse(json)?;
    let (store, header) = Store::open(weights)?;
    let version = version.or(header.version);
    build(&node, store, version.as_deref(), "JSON with weights")
}

/// Reads a `.keras` file, or any zip of one model's JSON and its weights as HDF5.
///
/// # Errors
/// As [`read_keras_h5`].
pub fn read_keras_zip(bytes: &[u8]) -> Result<Imported, ImportError> {
    ImportError::check_size("file", bytes.len() as u64, FILE_BYTES, "bytes")?;
    let entries = bytes
        .windows(4)
        .filter(|word| *word == b"PK\x01\x02")
        .count();
    ImportError::check_size("zip file", entries as u64, ZIP_ENTRIES, "entries")?;
    let bad = |e: zip::result::ZipError| ImportError::damaged("zip file", e);
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(bad)?;
    let names: Vec<String> = (0..zip.len())
        .filter_map(|at| {
            let entry = zip.by_index_raw(at).ok()?;
            Some(entry.name().ok()?.into_owned())
        })
        .collect();
    let is_config = |name: &&String| *name == "config.json";
    let is_json = |name: &&String| ends(name, &["json"]) && *name != "metadata.json";
    let find = |test: &dyn Fn(&&String) -> bool| names.iter().find(test).cloned();
    let json = find(&is_config).or_else(|| find(&is_json));
    let weights = find(&|name| ends(name, &["h5", "hdf5"]));
    let (Some(json), Some(weights)) = (json, weights) else {
        return Err(ImportError::Unknown {
            problem: "a zip without a `.json` and an `.h5` file".into(),
        });
    };
    let version = if names.iter().any(|name| name == "metadata.json") {
        let metadata = entry(&mut zip, "metadata.json", JSON_BYTES)?;
        let metadata: Value = serde_json::from_slice(&metadata).unwrap_or_default();
        metadata["keras_version"].as_str().map(str::to_owned)
    } else {
        None
    };
    let (node, written_by) = config::parse(&entry(&mut zip, &json, JSON_BYTES)?)?;
    let (store, header) = Store::open(&entry(&mut zip, &weights, FILE_BYTES)?)?;
    let form = if version.is_some() {
        ".keras"
    } else {
        "JSON with weights"
    };
    let version = version.or(written_by).or(header.version);
    build(&node, store, version.as_deref(), form)
}

/// A file of a zip, as far as it is no longer than accepted.
fn entry(
    zip: &mut ZipArchive<Cursor<&[u8]>>,
    name: &str,
    most: u64,
) -> Result<Vec<u8>, ImportError> {
    let file = zip
        .by_name(name)
        .map_err(|e| ImportError::damaged(name, e))?;
    let mut bytes = Vec::new();
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| ImportError::damaged(name, e))?;
    ImportError::check_size(name, bytes.len() as u64, most, "bytes")?;
    Ok(bytes)
}

fn build(
    node: &Node,
    mut store: Store,
    version: Option<&str>,
    form: &str,
) -> Result<Imported, ImportError> {
    let model = node.model.as_ref().ok_or_else(|| no_layers(node))?;
    let shape = input_shape(model)?;
    let mut graph = Graph::new(shape).map_err(|problem| ImportError::damaged("model", problem))?;
    let quantized = model
        .layers
        .iter()
        .any(|layer| layer.class.starts_with('Q'));
    let mut walk = Walk {
        graph: &mut graph,
        store: &mut store,
    };
    let output = walk.model(model, &[Some(Tensor::Input)], Scope::root())?;
    let (candidate, weights, notes) = graph.finish(output)?;
    let with = if quantized { " with QKeras" } else { "" };
    let version = version.map_or(String::new(), |version| format!(" {version}"));
    Ok(Imported {
        candidate,
        weights,
        source: format!("Keras{version}{with} {form}"),
        notes,
    })
}

fn no_layers(node: &Node) -> ImportError {
    ImportError::damaged("model", format!("`{}` has no layers", node.name))
}

/// Shape of the model's input without the batch.
fn input_shape(model: &Model) -> Result<Vec<usize>, ImportError> {
    let [input] = model.inputs.as_slice() else {
        let problem = format!("it has {} inputs; accepted is one", model.inputs.len());
        return Err(ImportError::damaged("model", problem));
    };
    let layer = model.layers.iter().find(|layer| layer.name == *input);
    let declared = layer.and_then(|layer| {
        if let Some(inner) = &layer.model {
            return input_shape(inner).ok();
        }
        let keys = ["batch_shape", "batch_input_shape"];
        let shape = keys.iter().find_map(|key| layer.config.get(key));
        sizes(shape?)
    });
    declared
        .or_else(|| sizes(model.input_shape.as_ref()?))
        .ok_or_else(|| {
            let problem = "it does not say the shape of its input in numbers; accepted are fixed \
                           shapes, and a batch of any size";
            ImportError::damaged("model", problem)
        })
}

/// `[null, 8, 2]` without the batch.
fn sizes(shape: &Value) -> Option<Vec<usize>> {
    let axes = shape.as_array()?.get(1..)?;
    axes.iter()
        .map(|axis| usize::try_from(axis.as_u64()?).ok())
        .collect()
}

struct Walk<'a> {
    graph: &'a mut Graph,
    store: &'a mut Store,
}

impl Walk<'_> {
    /// Puts a model's layers into the network and gives its output; nothing if a layer before it
    /// was refused.
    fn model(
        &mut self,
        model: &Model,
        inputs: &[Option<Tensor>],
        mut scope: Scope,
    ) -> Result<Option<Tensor>, ImportError> {
        let places: Vec<store::Place> = model
            .layers
            .iter()
            .map(|layer| scope.place(&layer.class, &layer.name))
            .collect();
        let mut done: HashMap<&str, Option<Tensor>> = HashMap::new();
        let mut waiting: Vec<usize> = (0..model.layers.len()).collect();
        while !waiting.is_empty() {
            let before = waiting.len();
            let mut later = Vec::new();
            for at in waiting {
                let layer = &model.layers[at];
                let reads: Option<Vec<Option<Tensor>>> = match (
                    model.inputs.iter().position(|name| *name == layer.name),
                    &layer.reads,
                ) {
                    (Some(input), _) => Some(vec![inputs.get(input).copied().flatten()]),
                    (None, Ok(names)) => {
                        let of = |name: &String| done.get(name.as_str()).copied();
                        names.iter().map(of).collect()
                    }
                    (None, Err(_)) => Some(vec![None]),
                };
                let Some(reads) = reads else {
                    later.push(at);
                    continue;
                };
                let tensor = self.layer(layer, &reads, &places[at])?;
                if done.insert(&layer.name, tensor).is_some() {
                    let problem = format!("two layers are named `{}`", layer.name);
                    return Err(ImportError::damaged("model", problem));
                }
            }
            if later.len() == before {
                let problem = format!("nothing leads to `{}`", model.layers[later[0]].name);
                return Err(ImportError::damaged("model", problem));
            }
            waiting = later;
        }
        let [output] = model.outputs.as_slice() else {
            let problem = format!("it has {} outputs; accepted is one", model.outputs.len());
            return Err(ImportError::damaged("model", problem));
        };
        done.get(output.as_str()).copied().ok_or_else(|| {
            ImportError::damaged("model", format!("its output `{output}` is no layer"))
        })
    }

    fn layer(
        &mut self,
        layer: &Node,
        inputs: &[Option<Tensor>],
        place: &store::Place,
    ) -> Result<Option<Tensor>, ImportError> {
        if let Err(reason) = &layer.reads {
            self.graph.refuse(&layer.name, &layer.class, reason);
        }
        if let Some(model) = &layer.model {
            let scope = Scope::inside(place, self.store);
            return self.model(model, inputs, scope);
        }
        if layer.class == "InputLayer" {
            return Ok(inputs.first().copied().flatten());
        }
        let trained = layers::has_weights(&layer.class);
        let arrays = if trained {
            self.store.arrays(place)?
        } else {
            store::Arrays::default()
        };
        let known: Option<Vec<Tensor>> = inputs.iter().copied().collect();
        let placed = layers::plan(layer, arrays).and_then(|plan| {
            let known = known.as_ref();
            known
                .map(|inputs| plan.place(layer, self.graph, inputs))
                .transpose()
        });
        match placed {
            Ok(tensor) => Ok(tensor),
            Err(reason) => {
                self.graph.refuse(&layer.name, &layer.class, reason);
                Ok(None)
            }
        }
    }
}
