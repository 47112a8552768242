//! Register stages: at the ports, in front of every kernel, and where a delay asks for them.

use super::DelayModel;
use super::build::Combinational;
use super::node::{Node, Operand, Operation, StepMark, Value, Wire};
use super::softmax::SoftmaxMark;
use super::timing::delay_ps;
use bitfront_network::Interval;
use std::collections::HashMap;

/// A graph with registers.
pub(crate) struct Pipelined {
    pub(crate) nodes: Vec<Node>,
    pub(crate) steps: Vec<StepMark>,
    pub(crate) outputs: Vec<Operand>,
    pub(crate) softmax: Option<SoftmaxMark>,
    pub(crate) cycles: u32,
}

/// Copies the graph node by node, with every operand delayed to the stage that reads it.
struct Copier {
    nodes: Vec<Node>,
    delayed: HashMap<(Wire, u32), Wire>,
}

impl Copier {
    fn push(&mut self, node: Node) -> Wire {
        let wire = Wire(self.nodes.len() as u32);
        self.nodes.push(node);
        wire
    }

    /// The wire as it is at `stage`. Delay lines are shared; constants need none.
    fn at_stage(&mut self, wire: Wire, stage: u32) -> Wire {
        let node = &self.nodes[wire.0 as usize];
        if node.stage >= stage || matches!(node.operation, Operation::Constant { .. }) {
            return wire;
        }
        if let Some(&known) = self.delayed.get(&(wire, stage)) {
            return known;
        }
        let source = self.at_stage(wire, stage - 1);
        let register = Node {
            operation: Operation::Register { source },
            stage,
            ..self.nodes[source.0 as usize].clone()
        };
        let register = self.push(register);
        self.delayed.insert((wire, stage), register);
        register
    }
}

/// Places the registers.
///
/// The input bus is registered, so logic starts in stage 1. A step that multiplies by a kernel starts
/// one stage behind the last stage of what it reads; any other goes on where its operands are.
/// A node moves to the next stage when its arrival time would pass the budget of a clock period, and behind the inverse of a
/// softmax: all products read it, and synthesis would make its table again in each of their choices.
pub(crate) fn pipeline(graph: Combinational, delays: &DelayModel) -> Pipelined {
    let mut copier = Copier {
        nodes: Vec::with_capacity(2 * graph.nodes.len()),
        delayed: HashMap::new(),
    };
    let mut moved: Vec<Wire> = Vec::with_capacity(graph.nodes.len());
    let mut arrival_ps: Vec<u32> = Vec::with_capacity(graph.nodes.len());
    let inverse = graph.softmax.as_ref().and_then(|mark| mark.inverse);
    let mut nodes = graph.nodes.iter().peekable();
    let mut last_stages: Vec<u32> = Vec::with_capacity(graph.steps.len());
    for (number, (step, registered)) in graph.steps.iter().zip(&graph.registered).enumerate() {
        let read = step.sources.iter().map(|source| match source {
            None => 0,
            Some(step) => last_stages[*step],
        });
        let read = read.fold(0, u32::max);
        let first_stage = if *registered { read + 1 } else { 1 };
        let mut last_stage = if *registered { first_stage } else { read };
        while let Some(node) = nodes.next_if(|node| node.layer == number as u32) {
            let delay = delay_ps(node, &graph.nodes, delays);
            let (stage, arrival) = match node.operation {
                Operation::Input { .. } => (0, 0),
                Operation::Constant { .. } => (first_stage, 0),
                _ => place(
                    node,
                    &copier.nodes,
                    &moved,
                    &arrival_ps,
                    delay,
                    first_stage,
                    delays,
                ),
            };
            let operation = node
                .operation
                .rewired(|wire| copier.at_stage(moved[wire.0 as usize], stage));
            let wire = copier.push(Node {
                operation,
                stage,
                ..node.clone()
            });
            let original = Wire(moved.len() as u32);
            moved.push(wire);
            arrival_ps.push(match inverse {
                Some(Value::Wire(operand)) if operand.wire == original => delays.budget_ps(),
                _ => arrival,
            });
            last_stage = last_stage.max(stage);
        }
        last_stages.push(last_stage);
    }
    let cycles = last_stages.last().map_or(0, |last| last + 1);
    let outputs = graph
        .outputs
        .iter()
        .map(|value| match *value {
            Value::Wire(operand) => Operand {
                wire: copier.at_stage(moved[operand.wire.0 as usize], cycles),
                ..operand
            },
            Value::Constant(value) => Operand {
                wire: copier.push(Node {
                    operation: Operation::Constant { value },
                    range: Interval::point(value),
                    fraction: 0,
                    stage: cycles,
                    layer: graph.steps.len().saturating_sub(1) as u32,
                }),
                shift: 0,
            },
        })
        .collect();
    let place_of = |value: Value| match value {
        Value::Constant(code) => Value::Constant(code),
        Value::Wire(operand) => Value::Wire(Operand {
            wire: moved[operand.wire.0 as usize],
            ..operand
        }),
    };
    let moved_all = |values: Vec<Option<Value>>| {
        let values = values.into_iter().map(|value| value.map(place_of));
        values.collect()
    };
    let softmax = graph.softmax.map(|mut mark| {
        for value in mark.values() {
            *value = value.map(place_of);
        }
        mark
    });
    let steps = graph
        .steps
        .into_iter()
        .map(|mark| StepMark {
            inputs: moved_all(mark.inputs),
            outputs: moved_all(mark.outputs),
            ..mark
        })
        .collect();
    Pipelined {
        nodes: copier.nodes,
        steps,
        outputs,
        softmax,
        cycles,
    }
}

/// The stage of a node and when its result is there, counted from that stage's clock edge.
fn place(
    node: &Node,
    placed: &[Node],
    moved: &[Wire],
    arrival_ps: &[u32],
    delay: u32,
    first_stage: u32,
    delays: &DelayModel,
) -> (u32, u32) {
    let stage_of = |wire: Wire| placed[moved[wire.0 as usize].0 as usize].stage;
    let stage = node
        .operation
        .sources()
        .map(stage_of)
        .fold(first_stage, u32::max);
    let ready = node
        .operation
        .sources()
        .filter(|&wire| stage_of(wire) == stage)
        .map(|wire| arrival_ps[wire.0 as usize])
        .fold(0, u32::max);
    if ready > 0 && ready + delay > delays.budget_ps() {
        (stage + 1, delay)
    } else {
        (stage, ready + delay)
    }
}
