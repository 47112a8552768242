//! From an integer program to a combinational graph, step by step.

use super::activation::{Activated, Activation};
use super::adders::linear;
use super::digits::signed_digits;
use super::linear_map::{LinearMap, Step, source_formats};
use super::maximum::max_pool;
use super::movement::moved;
use super::node::{Node, Operand, Operation, Port, StepMark, Value, Wire};
use super::{Circuit, DelayModel, pipeline};
use bitfront_network::{
    ActivationRule, Head, IntegerLayer, IntegerOperation, IntegerProgram, Interval, Linear, Source,
    Taps, TensorFormat,
};

/// How a circuit is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildOptions {
    /// Delays that registers are placed by.
    pub delays: DelayModel,
}

/// Why a program has no circuit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("layer {layer} has no circuit: {reason}")]
pub struct BuildError {
    /// Name of the layer; `softmax` for the tables of the head.
    pub layer: String,
    /// What is in the way, and what is accepted.
    pub reason: String,
}

/// Most two-operand nodes (signed digits and comparisons, before any are shared): several times what
/// the largest devices hold.
const MOST_OPERATIONS: usize = 1 << 19;

/// Most products of a layer that are looked at.
const MOST_PRODUCTS: usize = 1 << 22;

/// A graph without registers, and what drives its outputs.
pub(crate) struct Combinational {
    pub(crate) nodes: Vec<Node>,
    pub(crate) steps: Vec<StepMark>,
    /// Whether each step has registers in front of it: those that multiply by a kernel.
    pub(crate) registered: Vec<bool>,
    pub(crate) outputs: Vec<Value>,
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
    /// [`BuildError`] for activations that are neither uniform nor step functions, for a softmax by
    /// tables, and for networks of more than 2^19 digits and comparisons, which fit no device.
    pub fn build_with(
        program: &IntegerProgram,
        options: &BuildOptions,
    ) -> Result<Self, BuildError> {
        let mut graph = combinational(program)?;
        remove_unread(&mut graph);
        let outputs = graph.outputs.iter().map(|value| match *value {
            Value::Constant(code) => Interval::point(code),
            Value::Wire(operand) => {
                shifted(graph.nodes[operand.wire.0 as usize].range, operand.shift)
            }
        });
        let outputs = Port::pack(outputs.map(|range| (range, program.output_fraction)));
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
        })
    }
}

fn shifted(range: Interval, shift: u32) -> Interval {
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

fn combinational(program: &IntegerProgram) -> Result<Combinational, BuildError> {
    if let Head::Softmax { tables: Some(_) } = program.candidate.head {
        return Err(BuildError {
            layer: "softmax".to_owned(),
            reason: "its tables are not built yet; accepted is a head that ends in logits"
                .to_owned(),
        });
    }
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
    let wire = |index: usize| {
        Value::Wire(Operand {
            wire: Wire(index as u32),
            shift: 0,
        })
    };
    let mut builder = Builder {
        program,
        inputs: (0..nodes.len()).map(wire).collect(),
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
    let outputs = outputs.map(|(value, shift)| match *value {
        Value::Constant(code) => Value::Constant(code << shift),
        Value::Wire(operand) => Value::Wire(Operand {
            shift: operand.shift + shift,
            ..operand
        }),
    });
    Ok(Combinational {
        outputs: outputs.collect(),
        nodes: builder.nodes,
        steps: builder.steps,
        registered: builder.registered,
    })
}

struct Builder<'a> {
    program: &'a IntegerProgram,
    nodes: Vec<Node>,
    steps: Vec<StepMark>,
    registered: Vec<bool>,
    /// What carries the network's input.
    inputs: Vec<Value>,
    /// What carries each layer's values.
    values: Vec<Vec<Value>>,
    /// The step that gives each layer's values.
    last_steps: Vec<usize>,
    /// Digits and comparisons so far.
    operations: usize,
}

impl Builder<'_> {
    fn layer(&mut self, index: usize) -> Result<(), BuildError> {
        let program = self.program;
        let layer = &program.layers[index];
        let sources: Vec<Option<usize>> = layer
            .sources
            .iter()
            .map(|source| match source {
                Source::Input => None,
                Source::Layer(at) => Some(self.last_steps[*at]),
            })
            .collect();
        let read: Vec<&[Value]> = layer
            .sources
            .iter()
            .map(|source| match source {
                Source::Input => self.inputs.as_slice(),
                Source::Layer(at) => self.values[*at].as_slice(),
            })
            .collect();
        let inputs = read.concat();
        let formats = source_formats(program, layer);
        if let Some(values) = moved(&layer.operation, &formats, &read, Value::Constant(0)) {
            self.mark(index, Step::Whole, sources, inputs, values, false);
        } else {
            match &layer.operation {
                IntegerOperation::Separable {
                    depthwise,
                    pointwise,
                    ..
                } => {
                    self.check_products(layer, &[depthwise, pointwise])?;
                    let between = self.linear(layer, Step::Depthwise, &inputs)?;
                    self.mark(
                        index,
                        Step::Depthwise,
                        sources,
                        inputs,
                        between.clone(),
                        true,
                    );
                    let own = vec![Some(self.steps.len() - 1)];
                    let values = self.linear(layer, Step::Pointwise, &between)?;
                    self.mark(index, Step::Pointwise, own, between, values, true);
                }
                IntegerOperation::Activation(rule) => {
                    let values = self.activation(layer, rule, formats[0], &inputs)?;
                    self.mark(index, Step::Whole, sources, inputs, values, false);
                }
                IntegerOperation::MaxPool(geometry) => {
                    let count = geometry.positions() * geometry.taps() * formats[0].channels();
                    self.count(layer, count)?;
                    let step = self.steps.len() as u32;
                    let values = max_pool(&mut self.nodes, geometry, formats[0], &inputs, step);
                    self.mark(index, Step::Whole, sources, inputs, values, false);
                }
                operation => {
                    let kernel = match operation {
                        IntegerOperation::Linear(linear) => {
                            self.check_products(layer, &[linear])?;
                            true
                        }
                        _ => false,
                    };
                    let values = self.linear(layer, Step::Whole, &inputs)?;
                    self.mark(index, Step::Whole, sources, inputs, values, kernel);
                }
            }
        }
        self.last_steps.push(self.steps.len() - 1);
        let values = self.steps[self.steps.len() - 1].outputs.iter();
        self.values.push(values.copied().flatten().collect());
        Ok(())
    }

    fn mark(
        &mut self,
        layer: usize,
        step: Step,
        sources: Vec<Option<usize>>,
        inputs: Vec<Value>,
        outputs: Vec<Value>,
        registered: bool,
    ) {
        self.steps.push(StepMark {
            layer,
            step,
            sources,
            inputs: inputs.into_iter().map(Some).collect(),
            outputs: outputs.into_iter().map(Some).collect(),
        });
        self.registered.push(registered);
    }

    fn linear(
        &mut self,
        layer: &IntegerLayer,
        step: Step,
        inputs: &[Value],
    ) -> Result<Vec<Value>, BuildError> {
        let Some(map) = LinearMap::of(self.program, layer, step) else {
            return Err(BuildError {
                layer: layer.name.clone(),
                reason: "it is no sum of products".to_owned(),
            });
        };
        let digits = |row: &super::linear_map::Row| {
            let weights = row
                .weights
                .iter()
                .map(|(_, weight)| signed_digits(*weight).len());
            weights.sum::<usize>() + signed_digits(row.multiplier).len()
        };
        self.count(layer, map.rows().map(digits).sum())?;
        let step = self.steps.len() as u32;
        Ok(linear(&mut self.nodes, &map, inputs, step))
    }

    fn activation(
        &mut self,
        layer: &IntegerLayer,
        rule: &ActivationRule,
        format: &TensorFormat,
        inputs: &[Value],
    ) -> Result<Vec<Value>, BuildError> {
        let mut values = Vec::with_capacity(inputs.len());
        for (element, value) in inputs.iter().enumerate() {
            let channel = element % format.channels();
            let activation = Activation {
                rule,
                channel,
                fraction: format.fraction[channel],
            };
            let range = match value {
                Value::Constant(code) => Interval::point(*code),
                Value::Wire(operand) => self.nodes[operand.wire.0 as usize].range,
            };
            let Some(activated) = activation.of(*value, range) else {
                let quantizer = match rule {
                    ActivationRule::Function(quantizer) => quantizer.to_string(),
                    _ => "its quantizer".to_owned(),
                };
                return Err(BuildError {
                    layer: layer.name.clone(),
                    reason: format!(
                        "{quantizer} has no circuit yet; accepted are uniform quantizers and step \
                         functions"
                    ),
                });
            };
            values.push(match activated {
                Activated::Known(code) => Value::Constant(code),
                Activated::Node(operation, range) => {
                    let wire = Wire(self.nodes.len() as u32);
                    self.nodes.push(Node {
                        operation,
                        range,
                        fraction: layer.output.fraction[channel],
                        stage: 0,
                        layer: self.steps.len() as u32,
                    });
                    Value::Wire(Operand { wire, shift: 0 })
                }
            });
        }
        Ok(values)
    }

    fn check_products(&self, layer: &IntegerLayer, linear: &[&Linear]) -> Result<(), BuildError> {
        let products = |linear: &&Linear| {
            let positions = match &linear.taps {
                Taps::Dense => layer.output.size() / layer.output.channels(),
                Taps::Window(geometry) | Taps::Depthwise(geometry) => geometry.positions(),
            };
            positions.saturating_mul(linear.kernel.len())
        };
        let products = linear.iter().map(products).fold(0, usize::saturating_add);
        if products > MOST_PRODUCTS {
            return Err(BuildError {
                layer: layer.name.clone(),
                reason: format!(
                    "it has {products} products; accepted are at most {MOST_PRODUCTS} a layer"
                ),
            });
        }
        Ok(())
    }

    fn count(&mut self, layer: &IntegerLayer, operations: usize) -> Result<(), BuildError> {
        self.operations = self.operations.saturating_add(operations);
        if self.operations > MOST_OPERATIONS {
            return Err(BuildError {
                layer: layer.name.clone(),
                reason: format!(
                    "with it the network has {} digits of weights and comparisons; accepted are at \
                     most {MOST_OPERATIONS}",
                    self.operations
                ),
            });
        }
        Ok(())
    }
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
    for step in &mut graph.steps {
        for value in step.inputs.iter_mut().chain(&mut step.outputs) {
            *value = value.as_ref().and_then(moved);
        }
    }
}
