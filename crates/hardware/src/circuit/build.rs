//! From an integer program to a combinational graph, step by step.

use super::arg_max::arg_max;
use super::node::{Node, Operand, Operation, Port, StepMark, Value, Wire};
use super::output::OutputForm;
use super::softmax::{SoftmaxMark, softmax};
use super::steps::Builder;
use super::{Circuit, DelayModel, Multipliers, Observed, Ranges, pipeline};
use crate::adder_graph;
use bitfront_network::{IntegerProgram, Interval};

/// How a circuit is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildOptions {
    /// Delays that registers are placed by.
    pub delays: DelayModel,
    /// What adder graphs are searched for: fewest bits, or bounded depth.
    pub adders: adder_graph::Options,
    /// Which products are made of adders and which in DSP blocks.
    pub multipliers: Multipliers,
    /// What the output bus carries.
    pub output: OutputForm,
    /// Whether it says which outputs are rows: `in_valid` beside the inputs comes out as `out_valid`.
    pub valid: bool,
    /// What the ranges of sums are taken from; those of data are handed to [`Circuit::build_within`].
    pub ranges: Ranges,
}

impl Default for BuildOptions {
    /// One adder level beyond the least: without a bound, half a percent fewer LUTs take an eighth more
    /// cycles and a fifth more flip-flops.
    fn default() -> Self {
        Self {
            delays: DelayModel::default(),
            adders: adder_graph::Options {
                extra_depth: Some(1),
                ..adder_graph::Options::default()
            },
            multipliers: Multipliers::Luts,
            output: OutputForm::Logits,
            valid: false,
            ranges: Ranges::Proven,
        }
    }
}

impl BuildOptions {
    /// For a clock in MHz, with so many adder levels beyond the least, or any number (`None`) where only the price
    /// matters; products are made of adders.
    pub fn new(clock_mhz: f64, extra_depth: Option<u32>) -> Self {
        Self {
            delays: DelayModel::at_mhz(clock_mhz),
            adders: adder_graph::Options {
                extra_depth,
                ..adder_graph::Options::default()
            },
            ..Self::default()
        }
    }
}

/// Why a program has no circuit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("layer {layer} has no circuit: {reason}")]
pub struct BuildError {
    /// Name of the layer; `softmax` for the tables of the head, `ranges` for those of data that is not there.
    pub layer: String,
    /// What is in the way, and what is accepted.
    pub reason: String,
}

/// A graph without registers, and what drives its outputs.
pub(crate) struct Combinational {
    pub(crate) nodes: Vec<Node>,
    pub(crate) steps: Vec<StepMark>,
    /// Whether each step has registers in front of it: those that multiply by a kernel.
    pub(crate) registered: Vec<bool>,
    pub(crate) outputs: Vec<Value>,
    pub(crate) softmax: Option<SoftmaxMark>,
}

impl Circuit {
    /// The circuit of a program, pipelined for the default clock.
    ///
    /// # Errors
    /// As [`Circuit::build_with`].
    pub fn build(program: &IntegerProgram) -> Result<Self, BuildError> {
        Self::build_with(program, &BuildOptions::default())
    }

    /// The circuit of a program.
    ///
    /// # Errors
    /// [`BuildError`] for activations that are neither uniform nor step functions nor narrow, for an output that the
    /// network's head has not, for networks of more than 2^19 digits and comparisons, which fit no device, and for ranges
    /// of data.
    pub fn build_with(
        program: &IntegerProgram,
        options: &BuildOptions,
    ) -> Result<Self, BuildError> {
        match options.ranges {
            Ranges::Proven => Self::build_from(program, options, None),
            Ranges::Data => Err(BuildError {
                layer: "ranges".to_owned(),
                reason: "`data` takes the train rows, which are not here; accepted: `proven`"
                    .to_owned(),
            }),
        }
    }

    /// The circuit of a program whose sums are no wider than `observed`, ranges of the same program: equal to integer
    /// inference on every row that stays within these, and on no other for certain.
    ///
    /// # Errors
    /// As [`Circuit::build_with`], but for ranges of data.
    pub fn build_within(
        program: &IntegerProgram,
        options: &BuildOptions,
        observed: &Observed,
    ) -> Result<Self, BuildError> {
        Self::build_from(program, options, Some(observed))
    }

    fn build_from(
        program: &IntegerProgram,
        options: &BuildOptions,
        observed: Option<&Observed>,
    ) -> Result<Self, BuildError> {
        let mut graph = combinational(program, options, observed)?;
        remove_unread(&mut graph);
        let outputs = graph.outputs.iter().map(|value| value.range(&graph.nodes));
        let fraction = options.output.fraction(program);
        let outputs = Port::pack(outputs.map(|range| (range, fraction)));
        let pipelined = pipeline::pipeline(graph, &options.delays);
        Ok(Self {
            nodes: pipelined.nodes,
            inputs: Port::pack((0..program.input.size()).map(|element| {
                let channel = element % program.input.channels();
                (
                    program.input.range[channel],
                    program.input.fraction[channel],
                )
            })),
            outputs,
            output_operands: pipelined.outputs,
            steps: pipelined.steps,
            cycles: pipelined.cycles,
            delays: options.delays,
            multipliers: options.multipliers,
            output: options.output,
            valid: options.valid,
            softmax: pipelined.softmax.map(Box::new),
            observed: observed.cloned(),
        })
    }
}

/// What an interval is behind a left shift.
pub(crate) fn shifted(range: Interval, shift: u32) -> Interval {
    Interval {
        lo: range.lo << shift,
        hi: range.hi << shift,
    }
}

/// Left shifts that bring each element of the last layer to the fraction of the logits.
pub(crate) fn logit_shifts(program: &IntegerProgram) -> Vec<u32> {
    let format = program.layers.last().map_or(&program.input, |l| &l.output);
    let shift = |element: usize| {
        let fraction = format.fraction[element % format.channels()];
        (program.output_fraction - fraction).max(0).unsigned_abs()
    };
    (0..format.size()).map(shift).collect()
}

fn combinational(
    program: &IntegerProgram,
    options: &BuildOptions,
    observed: Option<&Observed>,
) -> Result<Combinational, BuildError> {
    let input = &program.input;
    let nodes: Vec<Node> = (0..input.size())
        .map(|index| Node {
            operation: Operation::Input { index },
            range: input.range[index % input.channels()],
            fraction: input.fraction[index % input.channels()],
            stage: 0,
            layer: 0,
        })
        .collect();
    let value = |index: usize| input_value(program, index, Wire(index as u32));
    let mut builder = Builder {
        program,
        search: options.adders,
        multipliers: options.multipliers,
        observed,
        inputs: (0..nodes.len()).map(value).collect(),
        nodes,
        steps: Vec::new(),
        registered: Vec::new(),
        values: Vec::new(),
        last_steps: Vec::new(),
        operations: 0,
    };
    for index in 0..program.layers.len() {
        builder.layer(index)?;
    }
    let values = builder.values.last().unwrap_or(&builder.inputs);
    let outputs = values.iter().zip(logit_shifts(program));
    let outputs = outputs.map(|(value, shift)| value.shifted(shift));
    let mut outputs: Vec<Value> = outputs.collect();
    let last = builder.steps.len().saturating_sub(1) as u32;
    let mut mark = None;
    options.output.check(&program.candidate)?;
    match options.output {
        OutputForm::Logits => {}
        OutputForm::ArgMax => {
            let index = arg_max(&mut builder.nodes, &outputs, last, program.output_fraction);
            outputs = vec![index];
        }
        OutputForm::Softmax => {
            if let Some(tables) = program.softmax() {
                let (probabilities, parts) = softmax(&mut builder.nodes, &outputs, last, &tables);
                (outputs, mark) = (probabilities, Some(parts));
            }
        }
    }
    Ok(Combinational {
        outputs,
        nodes: builder.nodes,
        steps: builder.steps,
        registered: builder.registered,
        softmax: mark,
    })
}

/// What carries an input element: its wire, unless its range leaves only one code.
pub(crate) fn input_value(program: &IntegerProgram, element: usize, wire: Wire) -> Value {
    let range = program.input.range[element % program.input.channels()];
    if range.lo == range.hi {
        return Value::Constant(range.lo);
    }
    Value::Wire(Operand { wire, shift: 0 })
}

/// Drops every node that no output depends on.
fn remove_unread(graph: &mut Combinational) {
    let mut read = vec![false; graph.nodes.len()];
    for value in &graph.outputs {
        if let Value::Wire(operand) = value {
            read[operand.wire.0 as usize] = true;
        }
    }
    for index in (0..graph.nodes.len()).rev() {
        if read[index] {
            for source in graph.nodes[index].operation.sources() {
                read[source.0 as usize] = true;
            }
        }
    }
    let mut position = vec![None; graph.nodes.len()];
    let mut kept = Vec::new();
    for (index, node) in std::mem::take(&mut graph.nodes).into_iter().enumerate() {
        if !read[index] {
            continue;
        }
        position[index] = Some(Wire(kept.len() as u32));
        let operation = node
            .operation
            .rewired(|wire| position[wire.0 as usize].unwrap_or(wire));
        kept.push(Node { operation, ..node });
    }
    graph.nodes = kept;
    let moved = |value: &Value| match *value {
        Value::Constant(code) => Some(Value::Constant(code)),
        Value::Wire(operand) => {
            position[operand.wire.0 as usize].map(|wire| Value::Wire(Operand { wire, ..operand }))
        }
    };
    graph.outputs = graph.outputs.iter().filter_map(moved).collect();
    let steps = graph.steps.iter_mut();
    let of_steps = steps.flat_map(|step| step.inputs.iter_mut().chain(&mut step.outputs));
    let of_softmax = graph.softmax.iter_mut().flat_map(SoftmaxMark::values);
    for value in of_steps.chain(of_softmax) {
        *value = value.as_ref().and_then(moved);
    }
}
