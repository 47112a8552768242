//! The exact number of flip-flops: register bits, equal ones counted once, constant ones not at all.

use super::Circuit;
use super::node::{Node, Operand, Operation};
use std::collections::HashMap;

/// What a bit of a wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Bit {
    /// A constant.
    Known,
    /// The first bit that carries this signal: node and position.
    Signal(u32, u32),
}

impl Circuit {
    /// Flip-flops of the circuit.
    ///
    /// An adder hands the low bits of one operand through where the other is shifted, so registers
    /// behind it may hold what another register holds already; synthesis merges those, and so does
    /// this count.
    pub fn flip_flops(&self) -> u64 {
        let mut bits: Vec<Vec<Bit>> = Vec::with_capacity(self.nodes.len());
        let mut registers: HashMap<Bit, Bit> = HashMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let own = |bit: u32| Bit::Signal(index as u32, bit);
            let row = (0..node.width())
                .map(|bit| match &node.operation {
                    Operation::Constant { .. } => Bit::Known,
                    Operation::Register { source } => match bits[source.0 as usize][bit as usize] {
                        Bit::Known => Bit::Known,
                        signal @ Bit::Signal(..) => *registers.entry(signal).or_insert(own(bit)),
                    },
                    Operation::Add { .. } => {
                        passed_through(node, bit, &self.nodes, &bits).unwrap_or(own(bit))
                    }
                    Operation::Input { .. }
                    | Operation::Requantize { .. }
                    | Operation::Steps { .. } => own(bit),
                })
                .collect();
            bits.push(row);
        }
        registers.len() as u64
    }
}

/// The operand's bit that an adder hands through at `bit`, if it does.
fn passed_through(node: &Node, bit: u32, nodes: &[Node], bits: &[Vec<Bit>]) -> Option<Bit> {
    if bit >= free_low_bits(node, nodes) {
        return None;
    }
    let Operation::Add { left, right, .. } = &node.operation else {
        return None;
    };
    let source = if left.shift > 0 { right } else { left };
    bits[source.wire.0 as usize].get(bit as usize).copied()
}

/// Low bits of an adder that need no logic: those below the shifted operand, unless they are
/// subtracted from nothing, and those where a constant operand has zeros.
pub(crate) fn free_low_bits(node: &Node, nodes: &[Node]) -> u32 {
    let Operation::Add {
        left,
        right,
        subtract,
    } = &node.operation
    else {
        return 0;
    };
    let width = |operand: &Operand| nodes[operand.wire.0 as usize].width();
    if left.shift > 0 && *subtract {
        return 0;
    }
    let shift = left.shift.max(right.shift);
    let low = if left.shift > 0 { right } else { left };
    shift.min(width(low)).min(node.width())
}
