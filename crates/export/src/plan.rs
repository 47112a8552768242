//! An integer program as plain loops over constants, for code in any language.
//!
//! The rule this module keeps: shifts and multipliers are folded into the constants, which changes
//! no sum: every finished sum and every partial sum is one of the program's, and those stay within
//! 2^53.

use bitfront_network::{
    Axis, Geometry, Head, IntegerLayer, IntegerOperation, IntegerProgram, Interval, Linear,
    SoftmaxProgram, Source, Taps, TensorFormat,
};

use crate::error::{ExportError, Refusals};
use crate::plan_activation::{Rule, rule};

/// Where a step reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Input,
    Step(usize),
}

/// One step: it reads whole tensors and writes one.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) sources: Vec<Slot>,
    pub(crate) action: Action,
}

/// What a step does; `channels` is the last axis of what it reads.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Sums of products and a bias under a window; a depthwise output `c * m + k` reads channel `c`.
    Sums {
        window: Geometry,
        depthwise: bool,
        inputs: usize,
        outputs: usize,
        kernel: Vec<i64>,
        bias: Vec<i64>,
    },
    Maxima {
        window: Geometry,
        channels: usize,
    },
    /// Sums under a window times a factor by the number of elements.
    Means {
        window: Geometry,
        channels: usize,
        factor: Vec<i64>,
    },
    /// The element of each place; -1 is a zero.
    Gather(Vec<i64>),
    Copy,
    /// `x * factor + offset`, channel by channel.
    Scale {
        factor: Vec<i64>,
        offset: Vec<i64>,
    },
    /// Sum of the sources, each times a factor a channel.
    Add(Vec<Vec<i64>>),
    /// Channels of each source.
    Concatenate(Vec<usize>),
    Activation {
        channels: usize,
        rule: Rule,
    },
}

/// A whole network.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) input_fraction: i32,
    pub(crate) input_range: Interval,
    /// Whether inputs are rounded to the nearest code, ties to even, and clipped.
    pub(crate) input_rounds: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) output_fraction: i32,
    pub(crate) classifies: bool,
    pub(crate) softmax: Option<SoftmaxProgram>,
}

impl Plan {
    pub(crate) fn of(program: &IntegerProgram, format: &'static str) -> Result<Self, ExportError> {
        let mut planner = Planner {
            program,
            steps: Vec::new(),
            results: Vec::new(),
            refusals: Refusals::default(),
        };
        for layer in &program.layers {
            planner.layer(layer);
        }
        planner.align();
        let quantizer = program.candidate.input_quantizer;
        let plan = Self {
            inputs: program.inputs(),
            outputs: program.outputs(),
            input_fraction: program.input.fraction.first().copied().unwrap_or(0),
            input_range: program.input.hull(),
            input_rounds: quantizer.is_uniform(),
            steps: planner.steps,
            output_fraction: program.output_fraction,
            classifies: matches!(program.candidate.head, Head::Softmax { .. }),
            softmax: program.softmax(),
        };
        planner.refusals.none(format, plan)
    }
}

struct Planner<'a> {
    program: &'a IntegerProgram,
    steps: Vec<Step>,
    /// The step that has each layer's values.
    results: Vec<Slot>,
    refusals: Refusals,
}

impl Planner<'_> {
    fn push(&mut self, name: &str, sources: Vec<Slot>, action: Action) -> Slot {
        self.steps.push(Step {
            name: name.to_owned(),
            sources,
            action,
        });
        Slot::Step(self.steps.len() - 1)
    }

    fn layer(&mut self, layer: &IntegerLayer) {
        let program = self.program;
        let formats: Vec<&TensorFormat> = layer
            .sources
            .iter()
            .map(|source| match source {
                Source::Input => &program.input,
                Source::Layer(at) => &program.layers[*at].output,
            })
            .collect();
        let sources: Vec<Slot> = layer
            .sources
            .iter()
            .map(|source| match source {
                Source::Input => Slot::Input,
                Source::Layer(at) => self.results[*at],
            })
            .collect();
        let name = layer.name.as_str();
        let input = formats[0];
        let channels = input.channels();
        let action = match &layer.operation {
            IntegerOperation::Linear(linear) => sums(linear, input),
            IntegerOperation::Separable {
                depthwise,
                between,
                pointwise,
            } => {
                let first = sums(depthwise, input);
                let middle = self.push(name, sources, first);
                let slot = self.push(name, vec![middle], sums(pointwise, between));
                self.results.push(slot);
                return;
            }
            IntegerOperation::MaxPool(window) => Action::Maxima {
                window: *window,
                channels,
            },
            IntegerOperation::Mean {
                geometry,
                reciprocal,
            } => Action::Means {
                window: *geometry,
                channels,
                factor: reciprocal.clone(),
            },
            IntegerOperation::Reshape => Action::Copy,
            IntegerOperation::ZeroPadding { border } => {
                Action::Gather(padded(&input.shape, border))
            }
            IntegerOperation::Affine {
                multiplier,
                product_shift,
                offset,
            } => {
                let factors = multiplier.iter().zip(product_shift).zip(&input.range);
                Action::Scale {
                    factor: factors
                        .map(|((m, s), range)| factor(*m, *s, *range))
                        .collect(),
                    offset: offset.clone(),
                }
            }
            IntegerOperation::Add { shift } => {
                let factors = shift.iter().zip(&formats).map(|(shift, format)| {
                    let channels = shift.iter().zip(&format.range);
                    channels.map(|(s, range)| factor(1, *s, *range)).collect()
                });
                Action::Add(factors.collect())
            }
            IntegerOperation::Concatenate => {
                Action::Concatenate(formats.iter().map(|f| f.channels()).collect())
            }
            IntegerOperation::Activation(own) => match rule(own, input) {
                Ok(rule) => Action::Activation { channels, rule },
                Err(reason) => {
                    self.refusals.add(name, reason);
                    Action::Copy
                }
            },
        };
        let slot = self.push(name, sources, action);
        self.results.push(slot);
    }

    /// Brings the last layer's channels to the common fraction.
    fn align(&mut self) {
        let program = self.program;
        let (Some(last), Some(slot)) = (program.layers.last(), self.results.last()) else {
            return;
        };
        let format = &last.output;
        let common = program.output_fraction;
        if format.fraction.iter().all(|f| *f == common) {
            return;
        }
        let channels = format.fraction.iter().zip(&format.range);
        let factor = channels.map(|(own, range)| {
            let shift = (common - own).clamp(0, 63).unsigned_abs();
            factor(1, shift, *range)
        });
        let action = Action::Scale {
            factor: factor.collect(),
            offset: vec![0; format.channels()],
        };
        let slot = *slot;
        self.push("outputs", vec![slot], action);
    }
}

/// `multiplier << shift` for values within `range`; a value that is always zero has the factor zero,
/// every other factor fits because its products do.
fn factor(multiplier: i64, shift: u32, range: Interval) -> i64 {
    if range == Interval::point(0) || multiplier == 0 {
        0
    } else {
        multiplier << shift.min(62)
    }
}

fn sums(linear: &Linear, input: &TensorFormat) -> Action {
    let (inputs, outputs) = (linear.inputs, linear.outputs);
    let (window, depthwise) = match linear.taps {
        Taps::Dense => (positions(input.size() / inputs.max(1)), false),
        Taps::Window(window) => (window, false),
        Taps::Depthwise(window) => (window, true),
    };
    let weight = |(at, code): (usize, &i64)| {
        let j = at % outputs;
        let i = if depthwise {
            j / (outputs / inputs)
        } else {
            at / outputs % inputs
        };
        if *code == 0 {
            return 0;
        }
        let scaled = factor(*code, linear.input_shift[i], input.range[i]);
        let product = i128::from(scaled) * i128::from(linear.multiplier[j]);
        (product << linear.product_shift[j].min(62)) as i64
    };
    Action::Sums {
        window,
        depthwise,
        inputs,
        outputs,
        kernel: linear.kernel.iter().enumerate().map(weight).collect(),
        bias: linear.bias.clone(),
    }
}

/// A window of one element over so many positions.
fn positions(count: usize) -> Geometry {
    Geometry {
        rows: Axis::ONE,
        columns: Axis {
            input: count,
            output: count,
            ..Axis::ONE
        },
    }
}

/// The element of a tensor of shape `shape` at each place of the padded one.
fn padded(shape: &[usize], border: &[[usize; 2]]) -> Vec<i64> {
    let (height, width, channels) = match *shape {
        [height, width, channels] => (height, width, channels),
        [width, channels] => (1, width, channels),
        _ => (1, 1, shape.iter().product()),
    };
    let [above, below] = if border.len() > 1 { border[0] } else { [0, 0] };
    let [left, right] = border.last().copied().unwrap_or([0, 0]);
    let mut places = Vec::new();
    for y in 0..above + height + below {
        for x in 0..left + width + right {
            let inside = (above..above + height).contains(&y) && (left..left + width).contains(&x);
            for c in 0..channels {
                places.push(if inside {
                    (((y - above) * width + x - left) * channels + c) as i64
                } else {
                    -1
                });
            }
        }
    }
    places
}
