//! A candidate: a layer graph with a quantizer in every place where a number is stored.

use std::fmt::Write as _;

use bitfront_quantizer::{Quantizer, Role};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::head::Head;
use crate::operation::{Operation, Part};

/// A network with a quantizer on its input, on every kernel and bias and in every activation layer.
///
/// Layers stand in an order in which each reads only earlier ones. The last layer's values are the
/// network's outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// Shape of one input, channels last: `[features]`, `[length, channels]` or
    /// `[height, width, channels]`.
    pub input_shape: Vec<usize>,
    /// Quantizer of the standardised input.
    pub input_quantizer: Quantizer,
    /// Layers, each behind the ones it reads.
    pub layers: Vec<Layer>,
    /// What the outputs mean.
    pub head: Head,
    /// Significant bits of the constants that scales of `alpha='auto'` become at freeze, 1 to 24.
    #[serde(default = "default_scale_bits")]
    pub scale_bits: u32,
}

/// Significant bits of a frozen `alpha='auto'` scale where a candidate does not say.
pub const SCALE_BITS: u32 = 12;

fn default_scale_bits() -> u32 {
    SCALE_BITS
}

/// A named layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Name, unique in the network (`fc1`); `input` is the network's input.
    pub name: String,
    /// Names of what it reads; empty: the layer before it (the network's input for the first).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// What it computes.
    pub operation: Operation,
}

/// What a layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The network's input.
    Input,
    /// An earlier layer, by its index.
    Layer(usize),
}

/// A tensor of weights that a candidate needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Index of its layer.
    pub layer: usize,
    /// Which of the layer's tensors.
    pub part: Part,
    /// Shape, row-major.
    pub shape: Vec<usize>,
}

/// What a layer holds and does, for one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Name.
    pub name: String,
    /// Kind, as in JSON.
    pub kind: &'static str,
    /// Shape of its values.
    pub output_shape: Vec<usize>,
    /// Number of weights, running statistics included.
    pub parameters: u64,
    /// Multiplications of an input value by a weight.
    pub multiplications: u64,
}

impl Layer {
    /// A layer that reads the one before it.
    pub fn new(name: impl Into<String>, operation: Operation) -> Self {
        Self {
            name: name.into(),
            inputs: Vec::new(),
            operation,
        }
    }
}

impl Candidate {
    /// What layer `index` reads.
    ///
    /// # Errors
    /// The name that no earlier layer has.
    pub fn sources(&self, index: usize) -> Result<Vec<Source>, &str> {
        let layer = &self.layers[index];
        if layer.inputs.is_empty() {
            return Ok(vec![
                index.checked_sub(1).map_or(Source::Input, Source::Layer),
            ]);
        }
        let find = |name: &'_ String| {
            if name == INPUT {
                return Some(Source::Input);
            }
            let earlier = &self.layers[..index];
            earlier
                .iter()
                .position(|layer| layer.name == *name)
                .map(Source::Layer)
        };
        layer
            .inputs
            .iter()
            .map(|name| find(name).ok_or(name.as_str()))
            .collect()
    }

    /// Shapes of all layers' values.
    ///
    /// # Panics
    /// If the graph has faults ([`Candidate::check`]).
    pub fn shapes(&self) -> Vec<Vec<usize>> {
        let mut shapes: Vec<Vec<usize>> = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let sources = self.sources(index).unwrap_or_else(|name| {
                panic!("{} reads `{name}`, which is no earlier layer", layer.name)
            });
            let inputs: Vec<&[usize]> = sources
                .iter()
                .map(|source| shape_of(*source, &self.input_shape, &shapes))
                .collect();
            let shape = layer.operation.output_shape(&inputs);
            shapes.push(shape.unwrap_or_else(|problem| panic!("{} {problem}", layer.name)));
        }
        shapes
    }

    /// Shapes of what each layer reads first.
    ///
    /// # Panics
    /// As [`Candidate::shapes`].
    pub fn first_input_shapes(&self) -> Vec<Vec<usize>> {
        let shapes = self.shapes();
        let first = |index: usize| {
            let source = self.sources(index).expect("checked by `shapes`")[0];
            shape_of(source, &self.input_shape, &shapes).to_vec()
        };
        (0..self.layers.len()).map(first).collect()
    }

    /// Number of input values.
    pub fn inputs(&self) -> usize {
        self.input_shape.iter().product()
    }

    /// Number of output values.
    ///
    /// # Panics
    /// As [`Candidate::shapes`].
    pub fn outputs(&self) -> usize {
        self.shapes()
            .last()
            .map_or(0, |shape| shape.iter().product())
    }

    /// All tensors of weights, layer by layer.
    ///
    /// # Panics
    /// As [`Candidate::shapes`].
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let inputs = self.first_input_shapes();
        let of = |(index, (layer, shape)): (usize, (&Layer, &Vec<usize>))| {
            layer
                .operation
                .parts(shape)
                .into_iter()
                .map(move |(part, shape)| TensorSpec {
                    layer: index,
                    part,
                    shape,
                })
        };
        self.layers
            .iter()
            .zip(&inputs)
            .enumerate()
            .flat_map(of)
            .collect()
    }

    /// Shapes, parameters and multiplications of all layers.
    ///
    /// # Panics
    /// As [`Candidate::shapes`].
    pub fn summary(&self) -> Vec<LayerSummary> {
        let (inputs, outputs) = (self.first_input_shapes(), self.shapes());
        let size = |shape: &[usize]| shape.iter().product::<usize>() as u64;
        let of = |((layer, input), output): ((&Layer, &Vec<usize>), &Vec<usize>)| {
            let parts = layer.operation.parts(input);
            let parameters = parts.iter().map(|(_, shape)| size(shape)).sum();
            let channels = |shape: &[usize]| shape.last().copied().unwrap_or(1).max(1) as u64;
            // Each output position uses every weight of a kernel once.
            let positions = size(output) / channels(output);
            let kernels: u64 = parts
                .iter()
                .filter(|(part, _)| {
                    matches!(
                        part,
                        Part::Kernel | Part::DepthwiseKernel | Part::PointwiseKernel
                    )
                })
                .map(|(_, shape)| size(shape))
                .sum();
            let multiplications = match layer.operation {
                Operation::BatchNorm { .. } => size(output),
                _ => positions * kernels,
            };
            LayerSummary {
                name: layer.name.clone(),
                kind: layer.operation.kind(),
                output_shape: output.clone(),
                parameters,
                multiplications,
            }
        };
        self.layers
            .iter()
            .zip(&inputs)
            .zip(&outputs)
            .map(of)
            .collect()
    }

    /// All quantizers with their places: `input`, `fc1.kernel`, `fc1.bias`, `relu1`, and `relu1[3]`
    /// where channels have their own.
    pub fn quantizers(&self) -> Vec<(String, Role, Quantizer)> {
        let mut all = vec![(INPUT.to_owned(), Role::Input, self.input_quantizer)];
        for layer in &self.layers {
            let channelwise = matches!(layer.operation, Operation::ChannelActivation { .. });
            for (at, (place, quantizer)) in layer.operation.quantizers().into_iter().enumerate() {
                let name = match place.part {
                    Some(part) => format!("{}.{part}", layer.name),
                    None if channelwise => format!("{}[{at}]", layer.name),
                    None => layer.name.clone(),
                };
                all.push((name, place.role, quantizer));
            }
        }
        all
    }

    /// Whether this is a float reference (any quantizer is `float` or `relu`): it can be trained
    /// and its accuracy measured, but it has no integer form and no hardware cost.
    pub fn is_float(&self) -> bool {
        let float = |q: &Quantizer| matches!(q, Quantizer::Float | Quantizer::Relu);
        self.quantizers().iter().any(|(_, _, q)| float(q))
    }

    /// Lowercase hex sha-256 of the candidate's JSON (fields in declaration order, canonical
    /// quantizer strings): equal candidates have equal digests, however they were written.
    pub fn digest(&self) -> String {
        let json = serde_json::to_vec(self).expect("a candidate has only string keys");
        Sha256::digest(&json)
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }
}

/// The name of the network's input.
pub(crate) const INPUT: &str = "input";

pub(crate) fn shape_of<'a>(
    source: Source,
    input: &'a [usize],
    layers: &'a [Vec<usize>],
) -> &'a [usize] {
    match source {
        Source::Input => input,
        Source::Layer(index) => &layers[index],
    }
}
