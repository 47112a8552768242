//! The linear steps of a program, element by element: which inputs meet which coefficients.
//!
//! The circuit is built from these maps and proven against them. Elements of a tensor are counted
//! row-major, channels last; a step that reads several tensors counts them one behind the other.

use bitfront_network::{
    IntegerLayer, IntegerOperation, IntegerProgram, Linear, Source, Taps, TensorFormat,
};

/// `(sum of weight * input) * multiplier << shift) + constant`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Input elements with their weights; weights of zero are left out.
    pub(crate) weights: Vec<(usize, i64)>,
    pub(crate) multiplier: i64,
    pub(crate) shift: u32,
    pub(crate) constant: i64,
    /// Fraction bits of the result.
    pub(crate) fraction: i32,
}

/// A linear step. Rows of a group read about the same inputs, so that they can share sums; the rows of
/// all groups, one behind the other, are the output elements in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LinearMap {
    pub(crate) groups: Vec<Vec<Row>>,
}

/// A step of a layer; all but separable convolutions have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The whole layer.
    Whole,
    /// The first step of a separable convolution.
    Depthwise,
    /// The second.
    Pointwise,
}

impl Row {
    /// The coefficient that a weight comes to in the result.
    pub(crate) fn coefficient(&self, weight: i64) -> i64 {
        (weight * self.multiplier) << self.shift
    }
}

/// Formats of what a layer reads.
pub(crate) fn source_formats<'a>(
    program: &'a IntegerProgram,
    layer: &IntegerLayer,
) -> Vec<&'a TensorFormat> {
    let format = |source: &Source| match source {
        Source::Input => &program.input,
        Source::Layer(index) => &program.layers[*index].output,
    };
    layer.sources.iter().map(format).collect()
}

impl LinearMap {
    /// The map of a step; `None` where it is not linear or only moves values.
    pub(crate) fn of(program: &IntegerProgram, layer: &IntegerLayer, step: Step) -> Option<Self> {
        let sources = source_formats(program, layer);
        let output = &layer.output;
        let groups = match (&layer.operation, step) {
            (IntegerOperation::Linear(linear), _) => linear_groups(linear, output),
            (
                IntegerOperation::Separable {
                    depthwise, between, ..
                },
                Step::Depthwise,
            ) => linear_groups(depthwise, between),
            (IntegerOperation::Separable { pointwise, .. }, _) => linear_groups(pointwise, output),
            (
                IntegerOperation::Affine {
                    multiplier,
                    product_shift,
                    offset,
                },
                _,
            ) => {
                let row = |element: usize| {
                    let channel = element % multiplier.len().max(1);
                    let weights = [(element, multiplier[channel])];
                    let weights = weights.into_iter().filter(|(_, weight)| *weight != 0);
                    vec![Row {
                        weights: weights.collect(),
                        multiplier: 1,
                        shift: product_shift[channel],
                        constant: offset[channel],
                        fraction: output.fraction[channel],
                    }]
                };
                (0..output.size()).map(row).collect()
            }
            (IntegerOperation::Add { shift }, _) => {
                let (count, channels) = (output.size(), output.channels());
                let row = |element: usize| {
                    let channel = element % channels;
                    let weight = |(source, shift): (usize, &Vec<u32>)| {
                        (source * count + element, 1_i64 << shift[channel])
                    };
                    vec![plain_row(
                        shift.iter().enumerate().map(weight).collect(),
                        output.fraction[channel],
                    )]
                };
                (0..count).map(row).collect()
            }
            (
                IntegerOperation::Mean {
                    geometry,
                    reciprocal,
                },
                _,
            ) => {
                let channels = sources.first().map_or(1, |format| format.channels());
                let row = |element: usize| {
                    let (position, channel) = (element / channels, element % channels);
                    let weights: Vec<(usize, i64)> = (0..geometry.taps())
                        .filter_map(|tap| geometry.source(position, tap))
                        .map(|from| (from * channels + channel, 1))
                        .collect();
                    let multiplier = reciprocal.get(weights.len()).copied().unwrap_or(0);
                    vec![Row {
                        multiplier,
                        ..plain_row(weights, output.fraction[channel])
                    }]
                };
                (0..geometry.positions() * channels).map(row).collect()
            }
            _ => return None,
        };
        Some(Self { groups })
    }

    /// All rows, in the order of the output elements.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.groups.iter().flatten()
    }
}

fn plain_row(weights: Vec<(usize, i64)>, fraction: i32) -> Row {
    Row {
        weights,
        multiplier: 1,
        shift: 0,
        constant: 0,
        fraction,
    }
}

/// One group for each output position; for depthwise convolutions one for each channel of it.
fn linear_groups(linear: &Linear, output: &TensorFormat) -> Vec<Vec<Row>> {
    let (inputs, outputs) = (linear.inputs, linear.outputs);
    let weight = |input: usize, kernel: usize| linear.kernel[kernel] << linear.input_shift[input];
    let row = |channel: usize, weights: &mut dyn Iterator<Item = (usize, i64)>| Row {
        weights: weights.filter(|(_, weight)| *weight != 0).collect(),
        multiplier: linear.multiplier[channel],
        shift: linear.product_shift[channel],
        constant: linear.bias[channel],
        fraction: output.fraction[channel],
    };
    match &linear.taps {
        Taps::Dense => {
            let positions = output.size() / outputs.max(1);
            let group = |position: usize| {
                let row = |channel: usize| {
                    let mut weights = (0..inputs)
                        .map(|i| (position * inputs + i, weight(i, i * outputs + channel)));
                    row(channel, &mut weights)
                };
                (0..outputs).map(row).collect()
            };
            (0..positions).map(group).collect()
        }
        Taps::Window(geometry) => {
            let group = |position: usize| {
                let taps: Vec<(usize, usize)> = (0..geometry.taps())
                    .filter_map(|tap| Some((tap, geometry.source(position, tap)?)))
                    .collect();
                let row = |channel: usize| {
                    let mut weights = taps.iter().flat_map(|&(tap, from)| {
                        (0..inputs).map(move |i| {
                            let kernel = (tap * inputs + i) * outputs + channel;
                            (from * inputs + i, weight(i, kernel))
                        })
                    });
                    row(channel, &mut weights)
                };
                (0..outputs).map(row).collect()
            };
            (0..geometry.positions()).map(group).collect()
        }
        Taps::Depthwise(geometry) => {
            let multiplier = outputs / inputs.max(1);
            let group = |position: usize, input: usize| {
                let row = |m: usize| {
                    let mut weights = (0..geometry.taps()).filter_map(|tap| {
                        let from = geometry.source(position, tap)?;
                        let kernel = (tap * inputs + input) * multiplier + m;
                        Some((from * inputs + input, weight(input, kernel)))
                    });
                    row(input * multiplier + m, &mut weights)
                };
                (0..multiplier).map(row).collect()
            };
            (0..geometry.positions())
                .flat_map(|position| (0..inputs).map(move |input| group(position, input)))
                .collect()
        }
    }
}
