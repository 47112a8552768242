//! A QKeras model: architecture as Keras' JSON, weights as the HDF5 file that Keras loads.
//!
//! The rule this module keeps: Keras computes in f32, so every value and every partial sum must be an
//! integer of at most 24 bits times a power of two, which f32 adds in any order. A kernel or bias
//! keeps its quantizer and its trained weights where those give the program's numbers; otherwise
//! (scales found from the tensor, folded or following normalisations, families that QKeras has not)
//! the program's numbers stand on a `quantized_bits` grid.

mod layers;
mod quantizers;
mod weights;

use bitfront_network::{IntegerOperation, IntegerProgram, Source, TensorFormat};
use serde_json::{Value, json};

use crate::error::Refusals;
use crate::{ExportError, File, Trained};

const FORMAT: &str = "qkeras";

/// Name of the input layer.
const INPUT: &str = "input";

/// A Keras layer on its way to JSON and HDF5.
struct KerasLayer {
    class: &'static str,
    name: String,
    config: Value,
    /// Names of the layers that it reads.
    reads: Vec<String>,
    /// Name within the layer, shape, values.
    weights: Vec<(&'static str, Vec<usize>, Vec<f32>)>,
}

/// The model's files.
///
/// # Errors
/// [`ExportError::Refused`] with every layer that QKeras has no exact form for.
pub(crate) fn files(
    trained: &Trained<'_>,
    program: &IntegerProgram,
) -> Result<Vec<File>, ExportError> {
    let mut writer = Writer {
        trained: *trained,
        program,
        layers: Vec::new(),
        input: String::new(),
        ends: Vec::new(),
        refusals: Refusals::default(),
    };
    writer.read_input();
    for index in 0..program.layers.len() {
        let end = writer.layer(index);
        writer.ends.push(end);
    }
    let last = writer.ends.last().unwrap_or(&writer.input).clone();
    let layers = std::mem::take(&mut writer.layers);
    let weights = match weights::file(&layers) {
        Ok(bytes) => bytes,
        Err(problem) => {
            writer.refusals.add("network", problem);
            Vec::new()
        }
    };
    writer.refusals.none(FORMAT, ())?;
    let model = model(&layers, &last);
    let model = serde_json::to_string_pretty(&model).unwrap_or_default() + "\n";
    Ok(vec![
        File::text("network.qkeras.json", model),
        File {
            name: "weights.h5",
            bytes: weights,
        },
        File::text("load.py", include_str!("load.py").to_owned()),
    ])
}

/// A functional model of Keras 2.
fn model(layers: &[KerasLayer], last: &str) -> Value {
    let described = layers.iter().map(|layer| {
        let reads: Vec<Value> = layer.reads.iter().map(|n| json!([n, 0, 0, {}])).collect();
        let nodes = if reads.is_empty() {
            json!([])
        } else {
            json!([reads])
        };
        json!({
            "class_name": layer.class, "name": layer.name, "config": layer.config,
            "inbound_nodes": nodes,
        })
    });
    json!({
        "class_name": "Functional",
        "config": {
            "name": "bitfront", "trainable": true, "layers": described.collect::<Vec<_>>(),
            "input_layers": [[INPUT, 0, 0]], "output_layers": [[last, 0, 0]],
        },
        "keras_version": weights::KERAS, "backend": weights::BACKEND,
    })
}

/// A program on its way to a model.
struct Writer<'a> {
    trained: Trained<'a>,
    program: &'a IntegerProgram,
    layers: Vec<KerasLayer>,
    /// The Keras layer that has the quantized input.
    input: String,
    /// The Keras layer that has each layer's values.
    ends: Vec<String>,
    refusals: Refusals,
}

impl Writer<'_> {
    fn read_input(&mut self) {
        let mut shape = vec![Value::Null];
        shape.extend(self.program.input.shape.iter().map(|axis| json!(axis)));
        self.layers.push(KerasLayer {
            class: "InputLayer",
            name: INPUT.into(),
            config: json!({"batch_input_shape": shape, "dtype": "float32", "name": INPUT}),
            reads: Vec::new(),
            weights: Vec::new(),
        });
        let quantizer = self.program.candidate.input_quantizer;
        if !quantizer.is_uniform() {
            let reason = format!(
                "has `{quantizer}`, which changes numbers on its own grid; accepted are grids that \
                 round to the nearest and clip"
            );
            self.refusals.add("input", reason);
        }
        let name = "input_quantizer".to_owned();
        self.input = self.activation("input", name, &quantizer, INPUT.into());
    }

    fn format(&self, source: Source) -> &TensorFormat {
        match source {
            Source::Input => &self.program.input,
            Source::Layer(at) => &self.program.layers[at].output,
        }
    }

    /// The Keras layer that has a source's values.
    fn end(&self, source: Source) -> String {
        match source {
            Source::Input => self.input.clone(),
            Source::Layer(at) => self.ends[at].clone(),
        }
    }

    /// The affine layer that goes into linear layer `index`: its only reader.
    fn affine_behind(&self, index: usize) -> Option<usize> {
        let reads = |layer: &bitfront_network::IntegerLayer| {
            layer
                .sources
                .iter()
                .filter(|s| **s == Source::Layer(index))
                .count()
        };
        let layers = &self.program.layers;
        let mut readers = (0..layers.len()).filter(|at| reads(&layers[*at]) > 0);
        let reader = readers.next()?;
        let affine = matches!(layers[reader].operation, IntegerOperation::Affine { .. });
        let linear = matches!(layers[index].operation, IntegerOperation::Linear(_));
        (affine && linear && readers.next().is_none()).then_some(reader)
    }
}

/// A layer's name as Keras takes it; those of the model's own layers get a mark.
fn plain(name: &str) -> String {
    let mut text: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let taken = matches!(text.as_str(), INPUT | "input_quantizer");
    if taken || !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        text.insert_str(0, "layer_");
    }
    text
}
