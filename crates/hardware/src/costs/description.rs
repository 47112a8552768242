//! What the cost models read: a typed list of layers with the formats of their numbers.
//!
//! Layers that move values without arithmetic (flatten, padding, dropout) are not listed: who reads
//! them reads what they read. Of padded zeros every cost model but the circuit's counts each
//! product, as the original does.

use bitfront_network::{Candidate, Geometry, Head, Operation, Source};
use bitfront_quantizer::{Alpha, Quantizer};

/// How a number is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// The original's float.
    Float,
    /// By a quantizer.
    Quantized(Quantizer),
    /// A constant of so many significant bits with a shift of its own: what a real scale becomes
    /// when a network is frozen. The original has floats there, and so have the `qtools` modes.
    Constant {
        /// Significant bits.
        bits: u32,
    },
}

/// A tensor of weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Number of values.
    pub values: usize,
    /// How each is held.
    pub format: Format,
}

/// What a layer computes, as the cost models see it.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerKind {
    /// Dense and convolution layers: each value is a sum of products of values and weights.
    Sums {
        /// Products of each sum.
        fan_in: usize,
        /// The kernel.
        kernel: Parameter,
        /// The bias.
        bias: Option<Parameter>,
        /// Significant bits of the constant that each sum is multiplied by (frozen `alpha='auto'`).
        scale_bits: Option<u32>,
    },
    /// A scale and an offset a channel.
    BatchNorm {
        /// The scales.
        scale: Parameter,
        /// The offsets.
        offset: Parameter,
    },
    /// A quantized activation layer.
    Activation {
        /// How its values are held.
        format: Format,
    },
    /// A quantized activation layer whose channels have their own formats.
    ChannelActivation {
        /// How each channel's values are held.
        formats: Vec<Format>,
    },
    /// The largest of `taps` values.
    MaxPool {
        /// Values under a window.
        taps: usize,
    },
    /// The mean of `taps` values.
    AveragePool {
        /// Values under a window.
        taps: usize,
        /// Significant bits of the reciprocal; a window of a power of two (and no border) has none.
        reciprocal_bits: Option<u32>,
    },
    /// The sum of what is read.
    Add,
    /// What is read, side by side.
    Concatenate,
    /// The closing softmax of the original's networks. A circuit ends in logits and has none, so
    /// only the `qtools` energy modes and the size in bits look at it.
    Softmax,
}

/// One layer as the cost models see it.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerDescription {
    /// Name, unique in the network. The steps of a separable convolution are `name.depthwise` and
    /// `name.pointwise`.
    pub name: String,
    /// What it reads.
    pub sources: Vec<Source>,
    /// Number of values it hands on.
    pub outputs: usize,
    /// What it computes.
    pub kind: LayerKind,
}

/// A network as the cost models see it.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkDescription {
    /// Number of input values.
    pub inputs: usize,
    /// Quantizer of the input (`QTools`' source quantizer).
    pub input: Quantizer,
    /// Layers, each behind what it reads; the last one gives the outputs.
    pub layers: Vec<LayerDescription>,
}

impl Format {
    /// The format of a quantizer; `None` and the float references are floats.
    pub fn of(quantizer: Option<Quantizer>) -> Self {
        match quantizer {
            None | Some(Quantizer::Float | Quantizer::Relu) => Self::Float,
            Some(quantizer) => Self::Quantized(quantizer),
        }
    }
}

impl LayerKind {
    /// A dense layer with the original's float where a quantizer is missing; `bias` is `None`
    /// without a bias.
    pub fn dense(
        inputs: usize,
        units: usize,
        kernel: Option<Quantizer>,
        bias: Option<Option<Quantizer>>,
    ) -> Self {
        Self::Sums {
            fan_in: inputs,
            kernel: Parameter::new(inputs * units, kernel),
            bias: bias.map(|bias| Parameter::new(units, bias)),
            scale_bits: None,
        }
    }

    /// A batch normalisation with a quantizer on scales and offsets; floats where they are missing.
    pub fn batch_norm(
        channels: usize,
        scale: Option<Quantizer>,
        offset: Option<Quantizer>,
    ) -> Self {
        Self::BatchNorm {
            scale: Parameter::new(channels, scale),
            offset: Parameter::new(channels, offset),
        }
    }
}

impl Parameter {
    fn new(values: usize, quantizer: Option<Quantizer>) -> Self {
        Self {
            values,
            format: Format::of(quantizer),
        }
    }
}

impl NetworkDescription {
    /// Layers in a row: name, number of values, kind.
    pub fn chain(inputs: usize, input: Quantizer, layers: Vec<(String, usize, LayerKind)>) -> Self {
        let layers = layers
            .into_iter()
            .enumerate()
            .map(|(index, (name, outputs, kind))| LayerDescription {
                name,
                sources: vec![index.checked_sub(1).map_or(Source::Input, Source::Layer)],
                outputs,
                kind,
            })
            .collect();
        Self {
            inputs,
            input,
            layers,
        }
    }

    /// Number of values of a source.
    pub fn values(&self, source: Source) -> usize {
        match source {
            Source::Input => self.inputs,
            Source::Layer(index) => self.layers[index].outputs,
        }
    }

    /// The description of a candidate; a softmax closes it where its head is one.
    ///
    /// # Panics
    /// If the candidate's graph has faults ([`Candidate::check`]).
    pub fn of(candidate: &Candidate) -> Self {
        let (inputs, shapes) = (candidate.first_input_shapes(), candidate.shapes());
        let mut layers: Vec<LayerDescription> = Vec::new();
        // What carries the values of each of the candidate's layers.
        let mut carriers: Vec<Source> = Vec::new();
        for (index, layer) in candidate.layers.iter().enumerate() {
            let sources = candidate.sources(index).unwrap_or_default();
            let mut sources: Vec<Source> = sources
                .into_iter()
                .map(|source| match source {
                    Source::Input => Source::Input,
                    Source::Layer(at) => carriers[at],
                })
                .collect();
            let steps = steps(candidate, &layer.operation, &inputs[index], &shapes[index]);
            for (step, outputs, kind) in steps {
                let carrier = Source::Layer(layers.len());
                layers.push(LayerDescription {
                    name: format!("{}{step}", layer.name),
                    sources: std::mem::replace(&mut sources, vec![carrier]),
                    outputs,
                    kind,
                });
            }
            carriers.push(sources.first().copied().unwrap_or(Source::Input));
        }
        if let (Head::Softmax { .. }, Some(carrier)) = (candidate.head, carriers.last()) {
            layers.push(LayerDescription {
                name: "softmax".to_owned(),
                sources: vec![*carrier],
                outputs: candidate.outputs(),
                kind: LayerKind::Softmax,
            });
        }
        Self {
            inputs: candidate.inputs(),
            input: candidate.input_quantizer,
            layers,
        }
    }
}

/// The listed steps of a layer: suffix of the name, number of values, kind.
fn steps(
    candidate: &Candidate,
    operation: &Operation,
    input: &[usize],
    output: &[usize],
) -> Vec<(&'static str, usize, LayerKind)> {
    let size = |shape: &[usize]| shape.iter().product::<usize>();
    let channels = |shape: &[usize]| shape.last().copied().unwrap_or(1);
    let geometry = operation.geometry(input).ok();
    let taps = geometry.map_or(1, |geometry| geometry.taps());
    let sums = |fan_in: usize, outputs: usize, kernel: &Quantizer, bias: &Option<Quantizer>| {
        // Freezing makes a constant of a real scale.
        let scaled = kernel.alpha() == Alpha::Auto;
        LayerKind::Sums {
            fan_in,
            kernel: Parameter::new(fan_in * outputs, Some(*kernel)),
            bias: bias.map(|bias| Parameter::new(outputs, Some(bias))),
            scale_bits: scaled.then_some(candidate.scale_bits),
        }
    };
    let (read, written) = (channels(input), channels(output));
    let kind = match operation {
        Operation::Dense { kernel, bias, .. } => sums(read, written, kernel, bias),
        Operation::Conv { kernel, bias, .. } => sums(taps * read, written, kernel, bias),
        Operation::DepthwiseConv { kernel, bias, .. } => sums(taps, written, kernel, bias),
        Operation::SeparableConv {
            multiplier,
            depthwise_kernel,
            pointwise_kernel,
            bias,
            ..
        } => {
            let between = read * multiplier;
            let positions = geometry.map_or(1, |geometry| geometry.positions());
            return vec![
                (
                    ".depthwise",
                    positions * between,
                    sums(taps, between, depthwise_kernel, &None),
                ),
                (
                    ".pointwise",
                    size(output),
                    sums(between, written, pointwise_kernel, bias),
                ),
            ];
        }
        Operation::MaxPool { .. } => LayerKind::MaxPool { taps },
        Operation::AveragePool {
            reciprocal_bits, ..
        }
        | Operation::GlobalAveragePool { reciprocal_bits } => LayerKind::AveragePool {
            taps,
            reciprocal_bits: needs_reciprocal(geometry).then_some(*reciprocal_bits),
        },
        Operation::BatchNorm {
            scale_bits,
            offset_bits,
            ..
        } => {
            let constants = |bits: u32| Parameter {
                values: written,
                format: Format::Constant { bits },
            };
            LayerKind::BatchNorm {
                scale: constants(*scale_bits),
                offset: constants(*offset_bits),
            }
        }
        Operation::Add => LayerKind::Add,
        Operation::Concatenate => LayerKind::Concatenate,
        Operation::Activation { quantizer } => LayerKind::Activation {
            format: Format::of(Some(*quantizer)),
        },
        Operation::ChannelActivation { quantizers } => LayerKind::ChannelActivation {
            formats: quantizers
                .iter()
                .map(|one| Format::of(Some(*one)))
                .collect(),
        },
        Operation::Flatten | Operation::ZeroPadding { .. } | Operation::Dropout { .. } => {
            return Vec::new();
        }
    };
    vec![("", size(output), kind)]
}

/// Whether some window's count is no power of two.
fn needs_reciprocal(geometry: Option<Geometry>) -> bool {
    geometry.is_some_and(|g| !g.taps().is_power_of_two() || g.reads_border())
}
