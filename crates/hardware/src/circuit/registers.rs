//! Circuits bit by bit: flip-flops and adder cells, equal ones counted once, constant ones not at all.

use super::bits::{Bit, Bits};
use super::node::Operation;
use super::{Circuit, live};
use std::collections::HashSet;

impl Circuit {
    /// Flip-flops of the circuit.
    ///
    /// An adder hands the low bits of one operand through where the other has zeros, so registers
    /// behind it may hold what another register holds already, or a constant; synthesis merges those,
    /// and so does this count. Bits of a code that its bounds set together are one signal, and bits that
    /// nothing reads are no registers.
    pub fn flip_flops(&self) -> u64 {
        let bits = Bits::of(self);
        let live = live::bits(self, &bits);
        let mut kept = HashSet::new();
        for (node, live) in self.nodes.iter().zip(live) {
            if let Operation::Register { source } = node.operation {
                let signals = bits.row(source).iter().enumerate();
                let read = signals.filter(|(place, _)| live >> place & 1 == 1);
                kept.extend(read.filter_map(|(_, bit)| match bit {
                    Bit::Known(_) => None,
                    Bit::Signal(..) => Some(*bit),
                }));
            }
        }
        kept.len() as u64
    }

    /// LUTs in front of carry chains: one for each different pair of bits that is added or
    /// subtracted.
    ///
    /// A bit whose partner is a constant goes into the chain without one, perhaps through an inverter,
    /// and the copies of two sign bits share one. This makes an adder cheaper than its width.
    pub fn adder_cells(&self) -> u64 {
        let bits = Bits::of(self);
        let live = live::bits(self, &bits);
        let mut pairs = HashSet::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let Operation::Add {
                left,
                right,
                subtract,
            } = node.operation
            else {
                continue;
            };
            for bit in bits.passed(index)..node.width() {
                let left = bits.of_operand(self, left, bit);
                let right = bits.of_operand(self, right, bit);
                let both = matches!((left, right), (Bit::Signal(..), Bit::Signal(..)));
                if both && live[index] >> bit.min(63) & 1 == 1 {
                    pairs.insert((left.min(right), left.max(right), subtract));
                }
            }
        }
        pairs.len() as u64
    }

    /// Bits of all adders, without the low ones that pass through.
    pub(crate) fn adder_bits(&self) -> u64 {
        let bits = Bits::of(self);
        let adders = self.nodes.iter().enumerate();
        let adders = adders.filter(|(_, node)| matches!(node.operation, Operation::Add { .. }));
        adders
            .map(|(index, node)| u64::from(node.width() - bits.passed(index)))
            .sum()
    }
}
