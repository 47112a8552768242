//! How long signals take between registers, by the delay model: where registers go, and the clock that the
//! slowest path would allow. Modelled, not measured.

use super::node::{Node, Operand, Operation};
use super::{Circuit, DelayModel, Requantizer};

impl Circuit {
    /// The longest path between two registers in picoseconds, with the registers' own delay, by the delays
    /// that the circuit was cut by.
    pub fn critical_path_ps(&self) -> u32 {
        let mut arrival_ps: Vec<u32> = Vec::with_capacity(self.nodes.len());
        let mut longest = 0;
        for node in &self.nodes {
            let starts = matches!(
                node.operation,
                Operation::Input { .. } | Operation::Constant { .. } | Operation::Register { .. }
            );
            let arrival = if starts {
                0
            } else {
                let sources = node.operation.sources();
                let ready = sources.map(|wire| arrival_ps[wire.0 as usize]).max();
                ready.unwrap_or(0) + delay_ps(node, &self.nodes, &self.delays)
            };
            longest = longest.max(arrival);
            arrival_ps.push(arrival);
        }
        longest + self.delays.register_ps
    }

    /// The fastest clock that the modelled delays allow, in MHz. Less than the clock that the circuit was
    /// cut for where a single node takes longer than its period.
    pub fn fmax_estimate_mhz(&self) -> f64 {
        1e6 / f64::from(self.critical_path_ps().max(1))
    }
}

/// What a node adds to the arrival of its operands.
pub(crate) fn delay_ps(node: &Node, nodes: &[Node], delays: &DelayModel) -> u32 {
    let width = |operand: &Operand| nodes[operand.wire.0 as usize].width() + operand.shift;
    match &node.operation {
        Operation::Input { .. } | Operation::Constant { .. } | Operation::Register { .. } => 0,
        Operation::Add { .. } => delays.adder_ps(node.width()),
        Operation::Multiply { .. } => delays.multiplier_ps(),
        // Compared are the operands, which may be wider than the larger of them.
        Operation::Max { left, right } => delays.maximum_ps(width(left).max(width(right))),
        Operation::AtLeast { left, right } => delays.adder_ps(width(left).max(width(right))),
        Operation::Select { .. } | Operation::Digit { .. } => delays.table_ps(1),
        Operation::Requantize {
            source,
            right_shift,
            range,
            modes,
        } => {
            let from = nodes[source.0 as usize].range;
            if Requantizer::new(from, *right_shift, *range, *modes).is_wires() {
                0
            } else {
                delays.requantizer_ps(node.width())
            }
        }
        Operation::Table {
            source, dropped, ..
        } => delays.table_ps(nodes[source.0 as usize].width() - dropped),
        Operation::Steps {
            source, thresholds, ..
        } => delays.steps_ps(nodes[source.0 as usize].width(), thresholds.len()),
    }
}
