//! The layers of a program as steps of a graph.

use super::activation::{Activated, Activation};
use super::adders::linear;
use super::digits::signed_digits;
use super::linear_map::{LinearMap, Step, source_formats};
use super::maximum::max_pool;
use super::movement::moved;
use super::multiplier::Multipliers;
use super::node::{Node, Operand, StepMark, Value, Wire};
use super::table::MOST_ADDRESS_BITS;
use super::{BuildError, Observed};
use crate::adder_graph;
use bitfront_network::{
    ActivationRule, IntegerLayer, IntegerOperation, IntegerProgram, Interval, Linear, Source, Taps,
    TensorFormat,
};
use std::collections::HashMap;

/// Most two-operand nodes (signed digits and comparisons, before any are shared): several times what
/// the largest devices hold.
const MOST_OPERATIONS: usize = 1 << 19;

/// Most products of a layer that are looked at.
const MOST_PRODUCTS: usize = 1 << 22;

/// Builds a graph layer by layer.
pub(crate) struct Builder<'a> {
    pub(crate) program: &'a IntegerProgram,
    /// How adder graphs are searched.
    pub(crate) search: adder_graph::Options,
    /// Which products are made of adders.
    pub(crate) multipliers: Multipliers,
    /// What sums are narrowed to, where that is asked for.
    pub(crate) observed: Option<&'a Observed>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) steps: Vec<StepMark>,
    pub(crate) registered: Vec<bool>,
    /// What carries the network's input.
    pub(crate) inputs: Vec<Value>,
    /// What carries each layer's values.
    pub(crate) values: Vec<Vec<Value>>,
    /// The step that gives each layer's values.
    pub(crate) last_steps: Vec<usize>,
    /// Digits and comparisons so far.
    pub(crate) operations: usize,
}

impl Builder<'_> {
    /// Appends a layer's steps.
    pub(crate) fn layer(&mut self, index: usize) -> Result<(), BuildError> {
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
                    check_products(layer, &[depthwise, pointwise])?;
                    let between = self.linear(index, Step::Depthwise, &inputs)?;
                    self.mark(
                        index,
                        Step::Depthwise,
                        sources,
                        inputs,
                        between.clone(),
                        true,
                    );
                    let own = vec![Some(self.steps.len() - 1)];
                    let values = self.linear(index, Step::Pointwise, &between)?;
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
                            check_products(layer, &[linear])?;
                            true
                        }
                        _ => false,
                    };
                    let values = self.linear(index, Step::Whole, &inputs)?;
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
        index: usize,
        step: Step,
        inputs: &[Value],
    ) -> Result<Vec<Value>, BuildError> {
        let layer = &self.program.layers[index];
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
        let number = self.steps.len() as u32;
        let values = linear(
            &mut self.nodes,
            &map,
            inputs,
            number,
            &self.search,
            self.multipliers,
        );
        let values = values.map_err(|error| BuildError {
            layer: layer.name.clone(),
            reason: error.to_string(),
        })?;
        if let Some(observed) = self.observed {
            observed.narrow(&mut self.nodes, index, step, &values);
        }
        Ok(values)
    }

    fn activation(
        &mut self,
        layer: &IntegerLayer,
        rule: &ActivationRule,
        format: &TensorFormat,
        inputs: &[Value],
    ) -> Result<Vec<Value>, BuildError> {
        let positions = inputs.len() / format.channels().max(1);
        self.count(layer, positions.saturating_mul(comparisons(rule)))?;
        let mut values = Vec::with_capacity(inputs.len());
        let mut made: HashMap<Option<Wire>, Vec<Wire>> = HashMap::new();
        for (element, value) in inputs.iter().enumerate() {
            let channel = element % format.channels();
            let activation = Activation::new(rule, channel, format.fraction[channel]);
            let range = match value {
                Value::Constant(code) => Interval::point(*code),
                Value::Wire(operand) => self.nodes[operand.wire.0 as usize].range,
            };
            let Some(activated) = activation.of(*value, range) else {
                let quantizer = match activation.rule {
                    ActivationRule::Function(quantizer) => quantizer.to_string(),
                    _ => "its quantizer".to_owned(),
                };
                return Err(BuildError {
                    layer: layer.name.clone(),
                    reason: format!(
                        "{quantizer} is no step function of its accumulator, of {} bits; accepted are uniform \
                         quantizers, step functions of at most 8192 steps, and others behind at most \
                         {MOST_ADDRESS_BITS} bits",
                        range.width()
                    ),
                });
            };
            values.push(match activated {
                Activated::Known(code) => Value::Constant(code),
                Activated::Wire(operand) => Value::Wire(operand),
                Activated::Node(operation, range, shift) => {
                    // Equal activations of one accumulator are one node.
                    let read = operation.sources().next();
                    let equal: &mut Vec<Wire> = made.entry(read).or_default();
                    let known = equal
                        .iter()
                        .find(|wire| self.nodes[wire.0 as usize].operation == operation);
                    let wire = known.copied().unwrap_or_else(|| {
                        let wire = Wire(self.nodes.len() as u32);
                        self.nodes.push(Node {
                            operation,
                            range,
                            fraction: layer.output.fraction[channel] - shift as i32,
                            stage: 0,
                            layer: self.steps.len() as u32,
                        });
                        equal.push(wire);
                        wire
                    });
                    Value::Wire(Operand { wire, shift })
                }
            });
        }
        Ok(values)
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

/// Refuses layers of more products than are looked at.
fn check_products(layer: &IntegerLayer, linear: &[&Linear]) -> Result<(), BuildError> {
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

/// Comparisons that a position's activations are at most made of.
fn comparisons(rule: &ActivationRule) -> usize {
    match rule {
        ActivationRule::Steps { thresholds, .. } => thresholds.iter().map(Vec::len).sum(),
        ActivationRule::Channels(rules) => rules.iter().map(comparisons).sum(),
        ActivationRule::Uniform { .. } | ActivationRule::Function(_) => 0,
    }
}
