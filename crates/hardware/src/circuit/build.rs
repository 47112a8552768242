//! From an integer program to a combinational graph.

use super::activation::activate;
use super::digits::signed_digits;
use super::node::{LayerMark, Node, Operand, Operation, Port, Value, Wire};
use super::sharing::{Literal, Pair, share};
use super::sum_tree::{LinearForm, Shared, SumBuilder, Term};
use super::{Circuit, DelayModel, pipeline};
use bitfront_network::{IntegerLayer, IntegerProgram, Interval};

/// How a circuit is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildOptions {
    /// Delays that registers are placed by.
    pub delays: DelayModel,
}

/// A graph without registers, and what drives its outputs.
pub(crate) struct Combinational {
    pub(crate) nodes: Vec<Node>,
    pub(crate) layers: Vec<LayerMark>,
    pub(crate) outputs: Vec<Value>,
}

impl Circuit {
    /// The circuit of a program, pipelined for the default clock.
    pub fn build(program: &IntegerProgram) -> Self {
        Self::build_with(program, &BuildOptions::default())
    }

    /// The circuit of a program.
    pub fn build_with(program: &IntegerProgram, options: &BuildOptions) -> Self {
        let mut graph = combinational(program);
        remove_unread(&mut graph);
        let outputs = graph.outputs.iter().map(|value| match *value {
            Value::Constant(code) => Interval { lo: code, hi: code },
            Value::Wire(operand) => {
                shifted(graph.nodes[operand.wire.0 as usize].range, operand.shift)
            }
        });
        let fraction = program.layers.last().map_or(0, |l| l.output.fraction);
        let outputs = Port::pack(outputs.map(|range| (range, fraction)));
        let pipelined = pipeline::pipeline(graph, &options.delays);
        Self {
            nodes: pipelined.nodes,
            inputs: Port::pack(
                (0..program.candidate.inputs)
                    .map(|_| (program.input.range, program.input.fraction)),
            ),
            outputs,
            output_operands: pipelined.outputs,
            layers: pipelined.layers,
            cycles: pipelined.cycles,
        }
    }
}

fn shifted(range: Interval, shift: u32) -> Interval {
    Interval {
        lo: range.lo << shift,
        hi: range.hi << shift,
    }
}

fn combinational(program: &IntegerProgram) -> Combinational {
    let mut nodes: Vec<Node> = (0..program.candidate.inputs)
        .map(|index| Node {
            operation: Operation::Input { index },
            range: program.input.range,
            fraction: program.input.fraction,
            stage: 0,
            layer: 0,
        })
        .collect();
    let mut values: Vec<Value> = (0..nodes.len())
        .map(|index| {
            Value::Wire(Operand {
                wire: Wire(index as u32),
                shift: 0,
            })
        })
        .collect();
    let mut layers = Vec::new();
    for (number, layer) in program.layers.iter().enumerate() {
        let accumulators = accumulators(&mut nodes, layer, &values, number as u32);
        let outputs = (0..layer.outputs)
            .map(|j| activate(&mut nodes, layer, j, accumulators[j], number as u32))
            .collect();
        let inputs = std::mem::replace(&mut values, outputs);
        layers.push(LayerMark {
            inputs: inputs.into_iter().map(Some).collect(),
            accumulators: accumulators.into_iter().map(Some).collect(),
        });
    }
    Combinational {
        nodes,
        layers,
        outputs: values,
    }
}

/// What carries each accumulator of a layer, in units of the accumulator.
fn accumulators(
    nodes: &mut Vec<Node>,
    layer: &IntegerLayer,
    values: &[Value],
    number: u32,
) -> Vec<Value> {
    let ranges: Vec<Interval> = values
        .iter()
        .map(|value| match *value {
            Value::Constant(code) => Interval { lo: code, hi: code },
            Value::Wire(operand) => nodes[operand.wire.0 as usize].range,
        })
        .collect();
    let mut rows: Vec<Vec<Literal>> = (0..layer.outputs)
        .map(|j| literals(layer, values, j))
        .collect();
    let pairs = share(&mut rows, &ranges);
    let mut builder = SumBuilder {
        nodes,
        inputs: &ranges,
        layer: number,
        shared: Shared::new(),
        fraction: layer.input.fraction,
    };
    let mut symbols: Vec<Option<Term>> = values.iter().enumerate().map(input_term).collect();
    for Pair { first, second } in pairs {
        let pair = match (term(&symbols, first), term(&symbols, second)) {
            (Some(first), Some(second)) => Some(builder.add(&first, &second)),
            _ => None,
        };
        symbols.push(pair);
    }
    rows.iter()
        .enumerate()
        .map(|(j, row)| {
            let terms = row.iter().filter_map(|&literal| term(&symbols, literal));
            builder.fraction = layer.accumulator_fraction[j];
            builder.sum(terms.collect(), known_part(layer, values, j))
        })
        .collect()
}

/// The signed digits of output `j`'s weights, in units of its accumulator.
fn literals(layer: &IntegerLayer, values: &[Value], j: usize) -> Vec<Literal> {
    let mut row = Vec::new();
    for (symbol, value) in values.iter().enumerate() {
        if let Value::Wire(operand) = value {
            for digit in signed_digits(layer.kernel[symbol * layer.outputs + j]) {
                row.push(Literal {
                    symbol,
                    shift: operand.shift + digit.shift + layer.product_shift[j],
                    negative: digit.negative,
                });
            }
        }
    }
    row
}

/// Bias and products of known inputs of output `j`, in units of its accumulator.
fn known_part(layer: &IntegerLayer, values: &[Value], j: usize) -> i64 {
    let products = values.iter().enumerate().map(|(i, value)| match value {
        Value::Constant(code) => {
            (code * layer.kernel[i * layer.outputs + j]) << layer.product_shift[j]
        }
        Value::Wire(_) => 0,
    });
    (layer.bias[j] << layer.bias_shift[j]) + products.sum::<i64>()
}

/// An input's wire as a term; its own shift is part of each literal.
fn input_term((input, value): (usize, &Value)) -> Option<Term> {
    let Value::Wire(operand) = *value else {
        return None;
    };
    Some(Term {
        operand: Operand {
            shift: 0,
            ..operand
        },
        negative: false,
        depth: 0,
        form: LinearForm {
            coefficients: [(input, 1)].into(),
            constant: 0,
        },
    })
}

/// A literal as a term.
fn term(symbols: &[Option<Term>], literal: Literal) -> Option<Term> {
    let mut term = symbols[literal.symbol].clone()?;
    term.operand.shift += literal.shift;
    term.negative ^= literal.negative;
    Some(term)
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
    for layer in &mut graph.layers {
        for value in layer.inputs.iter_mut().chain(&mut layer.accumulators) {
            *value = value.as_ref().and_then(moved);
        }
    }
}
