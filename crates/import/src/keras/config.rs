//! The model description of Keras: which layers there are and what each reads.

use serde_json::Value;

use crate::error::ImportError;
use crate::limits::{JSON_BYTES, LAYERS};

/// A model or a layer of it.
#[derive(Debug)]
pub(crate) struct Node {
    /// Type (`Dense`, `QConv2D`, `Functional`).
    pub(crate) class: String,
    /// Name, unique in its model.
    pub(crate) name: String,
    /// Settings.
    pub(crate) config: Value,
    /// Names of what it reads, or why that cannot be said.
    pub(crate) reads: Result<Vec<String>, String>,
    /// The layers, if it is a model itself.
    pub(crate) model: Option<Model>,
}

/// The layers of a model.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) layers: Vec<Node>,
    /// Names of the layers that stand for the inputs.
    pub(crate) inputs: Vec<String>,
    /// Names of the layers whose values are the outputs.
    pub(crate) outputs: Vec<String>,
    /// Shape of an input with its batch axis, where no input layer says it.
    pub(crate) input_shape: Option<Value>,
}

/// Parses the text of a model; also the version of Keras that it names.
pub(crate) fn parse(text: &[u8]) -> Result<(Node, Option<String>), ImportError> {
    let what = "Keras model description";
    ImportError::check_size(what, text.len() as u64, JSON_BYTES, "bytes")?;
    let value: Value = serde_json::from_slice(text).map_err(|e| ImportError::damaged(what, e))?;
    let version = value["keras_version"].as_str().map(str::to_owned);
    let mut count = 0;
    let node = node(value, &mut count).map_err(|problem| ImportError::damaged(what, problem))?;
    if node.model.is_none() {
        let problem = format!(
            "it describes a `{}`; accepted are Sequential and Functional models",
            node.class
        );
        return Err(ImportError::damaged(what, problem));
    }
    Ok((node, version))
}

/// Classes that hold layers.
const MODELS: [&str; 3] = ["Sequential", "Functional", "Model"];

fn node(mut value: Value, count: &mut usize) -> Result<Node, String> {
    *count += 1;
    if *count > LAYERS {
        return Err(format!("it has more than {LAYERS} layers"));
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let class = text(&value["class_name"]).ok_or("a layer has no `class_name`")?;
    let mut config = value["config"].take();
    let name = text(&value["name"])
        .or_else(|| text(&config["name"]))
        .unwrap_or_else(|| class.to_lowercase());
    let reads = reads(&value["inbound_nodes"]);
    // A subclassed or custom model has no layer list: it is a layer of an unknown kind.
    let has_layers = config.is_array() || config["layers"].is_array();
    let model = if MODELS.contains(&class.as_str()) && has_layers {
        Some(model(class == "Sequential", &mut config, count)?)
    } else {
        None
    };
    Ok(Node {
        class,
        name,
        config,
        reads,
        model,
    })
}

fn model(sequential: bool, config: &mut Value, count: &mut usize) -> Result<Model, String> {
    // The earliest files of Keras 2 write a sequential model as a bare list.
    let list = if config.is_array() {
        config.take()
    } else {
        config["layers"].take()
    };
    let Value::Array(list) = list else {
        return Err("a model has no list of layers".into());
    };
    let mut layers = list
        .into_iter()
        .map(|layer| node(layer, count))
        .collect::<Result<Vec<_>, _>>()?;
    if layers.is_empty() {
        return Err("a model has no layers".into());
    }
    if !sequential {
        return Ok(Model {
            layers,
            inputs: ends(&config["input_layers"])?,
            outputs: ends(&config["output_layers"])?,
            input_shape: None,
        });
    }
    let mut before = None;
    for layer in &mut layers {
        layer.reads = Ok(before.into_iter().collect());
        before = Some(layer.name.clone());
    }
    let first = &layers[0];
    let declared = [
        &first.config["batch_input_shape"],
        &config["build_input_shape"],
    ];
    let input_shape = declared.into_iter().find(|shape| shape.is_array()).cloned();
    Ok(Model {
        inputs: vec![first.name.clone()],
        outputs: before.into_iter().collect(),
        layers,
        input_shape,
    })
}

/// Names in `[["a", 0, 0], ["b", 0, 0]]` or, for a single one, `["a", 0, 0]`.
fn ends(value: &Value) -> Result<Vec<String>, String> {
    if let Some((name, _)) = reference(value) {
        return Ok(vec![name]);
    }
    let list = value
        .as_array()
        .ok_or("a model has no list of its inputs or outputs")?;
    list.iter()
        .map(|entry| reference(entry).map(|(name, _)| name))
        .collect::<Option<_>>()
        .ok_or_else(|| "an input or output of a model has no name".into())
}

/// A layer's name and the index of its output in `["name", node, output, ...]`.
fn reference(value: &Value) -> Option<(String, u64)> {
    let name = value.get(0)?.as_str()?;
    Some((name.to_owned(), value.get(2)?.as_u64()?))
}

/// Names of what a layer of a functional model reads.
fn reads(nodes: &Value) -> Result<Vec<String>, String> {
    let Some(nodes) = nodes.as_array() else {
        return Ok(Vec::new());
    };
    let node = match nodes.as_slice() {
        [] => return Ok(Vec::new()),
        [node] => node,
        more => {
            return Err(format!("is applied {} times; accepted is once", more.len()));
        }
    };
    let mut found = Vec::new();
    if node.is_object() {
        tensors(&node["args"], &mut found)?;
        let mut named = Vec::new();
        tensors(&node["kwargs"], &mut named)?;
        if !named.is_empty() {
            return Err("takes tensors by keyword; accepted is by position".into());
        }
        return Ok(found);
    }
    // Keras 2: a list of references, or one reference alone.
    let references = match node.as_array() {
        Some(_) if reference(node).is_some() => std::slice::from_ref(node),
        Some(list) => list.as_slice(),
        None => return Err("has inputs in an unknown form".into()),
    };
    for entry in references {
        let (name, output) = reference(entry).ok_or("has inputs in an unknown form")?;
        if output != 0 {
            return Err(format!("reads a further output of `{name}`"));
        }
        let keywords = entry.get(3).and_then(Value::as_object);
        if keywords.is_some_and(|keywords| keywords.values().any(|v| reference(v).is_some())) {
            return Err("takes tensors by keyword; accepted is by position".into());
        }
        found.push(name);
    }
    Ok(found)
}

/// Names behind all tensor references in a value of Keras 3.
fn tensors(value: &Value, found: &mut Vec<String>) -> Result<(), String> {
    match value {
        Value::Array(list) => list.iter().try_for_each(|entry| tensors(entry, found)),
        Value::Object(_) if value["class_name"] == "__keras_tensor__" => {
            let (name, output) = reference(&value["config"]["keras_history"])
                .ok_or("has inputs in an unknown form")?;
            if output != 0 {
                return Err(format!("reads a further output of `{name}`"));
            }
            found.push(name);
            Ok(())
        }
        Value::Object(map) => map.values().try_for_each(|entry| tensors(entry, found)),
        _ => Ok(()),
    }
}
