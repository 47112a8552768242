//! Register stages: at the ports, behind every layer, and inside a layer where its delay asks for it.

use super::DelayModel;
use super::build::Combinational;
use super::node::{LayerMark, Node, Operand, Operation, Value, Wire};
use bitfront_network::Interval;
use std::collections::HashMap;

/// A graph with registers.
pub(crate) struct Pipelined {
    pub(crate) nodes: Vec<Node>,
    pub(crate) layers: Vec<LayerMark>,
    pub(crate) outputs: Vec<Operand>,
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
/// The input bus is registered, so layer 0 starts in stage 1; each layer starts one stage behind the
/// last stage of the layer before. Within a layer a node moves to the next stage when its arrival
/// time would pass the budget of a clock period.
pub(crate) fn pipeline(graph: Combinational, delays: &DelayModel) -> Pipelined {
    let mut copier = Copier {
        nodes: Vec::with_capacity(2 * graph.nodes.len()),
        delayed: HashMap::new(),
    };
    let mut moved: Vec<Wire> = Vec::with_capacity(graph.nodes.len());
    let mut arrival_ps: Vec<u32> = Vec::with_capacity(graph.nodes.len());
    let mut first_stage = 1;
    let mut last_stage = 1;
    let mut layer = 0;
    for node in &graph.nodes {
        if node.layer != layer {
            // A layer without nodes of its own still takes its stage.
            first_stage = last_stage + (node.layer - layer);
            last_stage = first_stage;
            layer = node.layer;
        }
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
        moved.push(wire);
        arrival_ps.push(arrival);
        last_stage = last_stage.max(stage);
    }
    let trailing = (graph.layers.len() as u32).saturating_sub(layer + 1);
    let cycles = last_stage + trailing + 1;
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
                    range: Interval {
                        lo: value,
                        hi: value,
                    },
                    fraction: 0,
                    stage: cycles,
                    layer,
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
    let layers = graph
        .layers
        .into_iter()
        .map(|mark| LayerMark {
            inputs: mark.inputs.into_iter().map(|v| v.map(place_of)).collect(),
            accumulators: mark
                .accumulators
                .into_iter()
                .map(|v| v.map(place_of))
                .collect(),
        })
        .collect();
    Pipelined {
        nodes: copier.nodes,
        layers,
        outputs,
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

fn delay_ps(node: &Node, nodes: &[Node], delays: &DelayModel) -> u32 {
    match &node.operation {
        Operation::Input { .. } | Operation::Constant { .. } | Operation::Register { .. } => 0,
        Operation::Add { .. } => delays.adder_ps(node.width()),
        Operation::Requantize { .. } => delays.requantizer_ps(node.width()),
        Operation::Steps {
            source, thresholds, ..
        } => delays.steps_ps(nodes[source.0 as usize].width(), thresholds.len()),
    }
}
