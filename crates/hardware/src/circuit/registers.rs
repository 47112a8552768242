//! Circuits bit by bit: flip-flops and adder cells, equal ones counted once, constant ones not at all.

use super::bits::{Bit, Bits};
use super::node::Operation;
use super::{Circuit, Wire, live};
use std::collections::HashSet;

impl Circuit {
    /// Flip-flops of the circuit.
    ///
    /// An adder hands the low bits of one operand through where the other has zeros, so registers
    /// behind it may hold what another register holds already, or a constant; synthesis merges those,
    /// and so does this count. Bits of a code that its bounds set together are one signal, and bits that
    /// nothing reads are no registers. The flag of valid rows is one more for each cycle.
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
        let flags = if self.valid { self.cycles } else { 0 };
        kept.len() as u64 + u64::from(flags)
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

    /// LUTs of choices among the multiples of a number: one for each bit that is a signal and that anything depends on.
    ///
    /// A choice reads five bits. That of a pair which an adder adds fits into the LUT in front of its carry chain, with the
    /// other bit of the pair, where nothing else reads it.
    pub(crate) fn digit_cells(&self) -> u64 {
        let is_digit = |wire: Wire| matches!(self.node(wire).operation, Operation::Digit { .. });
        let nodes = (0..self.nodes.len() as u32).map(Wire);
        if !nodes.clone().any(is_digit) {
            return 0;
        }
        let bits = Bits::of(self);
        let live = live::bits(self, &bits);
        let is_own = |wire: Wire, place: u32, bit: Bit| bit == Bit::Signal(wire.0, place);
        let digits = nodes.clone().filter(|wire| is_digit(*wire)).map(|wire| {
            let own = bits.row(wire).iter().zip(0..);
            let own = own.filter(|(bit, place)| {
                is_own(wire, *place, **bit) && live[wire.0 as usize] >> place & 1 == 1
            });
            own.count() as u64
        });
        let mut cells = digits.sum();
        for (index, node) in self.nodes.iter().enumerate() {
            let Operation::Add { left, right, .. } = node.operation else {
                continue;
            };
            // The choice that is taken in is read by this adder alone, as every digit of a product is.
            let Some(digit) = [right, left]
                .into_iter()
                .find(|operand| is_digit(operand.wire))
            else {
                continue;
            };
            for place in bits.passed(index).max(digit.shift)..node.width() {
                let pair = [left, right].map(|operand| bits.of_operand(self, operand, place));
                let both = pair.iter().all(|bit| matches!(bit, Bit::Signal(..)));
                let own = bits.of_operand(self, digit, place);
                cells -= u64::from(both && is_own(digit.wire, place - digit.shift, own));
            }
        }
        cells
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
