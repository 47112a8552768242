//! Circuits bit by bit: flip-flops and adder cells, equal ones counted once, constant ones not at all.

use super::node::{Node, Operand, Operation};
use super::{Circuit, live};
use bitfront_network::Interval;
use std::collections::{HashMap, HashSet};

/// What a bit of a wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Bit {
    /// A constant.
    Known(bool),
    /// The first bit that carries this signal: node and position.
    Signal(u32, u32),
}

/// What synthesis makes of the wires, as far as it can be told without running it.
struct BitGraph {
    bits: Vec<Vec<Bit>>,
    registers: HashMap<Bit, Bit>,
    adder_cells: HashSet<(Bit, Bit, bool)>,
}

impl Circuit {
    /// Flip-flops of the circuit.
    ///
    /// An adder hands the low bits of one operand through where the other is shifted, so registers
    /// behind it may hold what another register holds already; synthesis merges those, and so does
    /// this count. Bits appended to a code that saturates are all one signal, and bits that nothing
    /// reads are no registers.
    pub fn flip_flops(&self) -> u64 {
        self.bit_graph().registers.len() as u64
    }

    /// LUTs in front of carry chains: one for each different pair of bits that is added or
    /// subtracted.
    ///
    /// A bit whose partner is a constant goes into the chain without one, perhaps through an inverter,
    /// and the copies of two sign bits share one. This makes an adder cheaper than its width.
    pub fn adder_cells(&self) -> u64 {
        self.bit_graph().adder_cells.len() as u64
    }

    fn bit_graph(&self) -> BitGraph {
        let mut graph = BitGraph {
            bits: Vec::with_capacity(self.nodes.len()),
            registers: HashMap::new(),
            adder_cells: HashSet::new(),
        };
        let live = live::bits(self);
        for (index, node) in self.nodes.iter().enumerate() {
            let is_live = |bit: u32| live[index] >> bit.min(63) & 1 == 1;
            let own = |bit: u32| Bit::Signal(index as u32, bit);
            let row = (0..node.width())
                .map(|bit| match &node.operation {
                    Operation::Constant { value } => Bit::Known((value >> bit.min(63)) & 1 == 1),
                    Operation::Register { source } => {
                        match graph.bits[source.0 as usize][bit as usize] {
                            Bit::Known(value) => Bit::Known(value),
                            _ if !is_live(bit) => own(bit),
                            signal @ Bit::Signal(..) => {
                                *graph.registers.entry(signal).or_insert(own(bit))
                            }
                        }
                    }
                    Operation::Add { .. } if !is_live(bit) => own(bit),
                    Operation::Add { .. } => self.added_bit(&mut graph, node, bit, own(bit)),
                    Operation::Steps { codes, .. } => step_bit(codes, bit, own),
                    Operation::Requantize {
                        source,
                        right_shift,
                        range,
                    } => {
                        let appended = right_shift.min(&0).unsigned_abs();
                        if bit < appended {
                            let source = self.node(*source).range;
                            step_bit(&appended_codes(source, appended, *range), bit, own)
                        } else {
                            own(bit)
                        }
                    }
                    Operation::Input { .. } | Operation::Max { .. } => own(bit),
                })
                .collect();
            graph.bits.push(row);
        }
        graph
    }

    /// What bit `bit` of an adder is; notes the LUT in front of its carry chain.
    fn added_bit(&self, graph: &mut BitGraph, node: &Node, bit: u32, own: Bit) -> Bit {
        let Operation::Add {
            left,
            right,
            subtract,
        } = &node.operation
        else {
            return own;
        };
        let (left_bit, right_bit) = (
            self.operand_bit(graph, *left, bit),
            self.operand_bit(graph, *right, bit),
        );
        if bit < free_low_bits(node, &self.nodes) {
            return if left.shift > 0 { right_bit } else { left_bit };
        }
        if let (Bit::Signal(..), Bit::Signal(..)) = (left_bit, right_bit) {
            let pair = (left_bit.min(right_bit), left_bit.max(right_bit), *subtract);
            graph.adder_cells.insert(pair);
        }
        own
    }

    /// Bit `bit` of a shifted and extended operand.
    fn operand_bit(&self, graph: &BitGraph, operand: Operand, bit: u32) -> Bit {
        let node = self.node(operand.wire);
        let Some(bit) = bit.checked_sub(operand.shift) else {
            return Bit::Known(false);
        };
        if let Operation::Constant { value } = node.operation {
            return Bit::Known((value >> bit.min(63)) & 1 == 1);
        }
        if bit >= node.width() && !node.is_signed() {
            return Bit::Known(false);
        }
        graph.bits[operand.wire.0 as usize][bit.min(node.width() - 1) as usize]
    }
}

/// Codes that have all values of the bits appended to a source: none of them set, or those of a bound
/// that it reaches.
fn appended_codes(source: Interval, appended: u32, range: Interval) -> Vec<i64> {
    let bounds = [
        (source.hi << appended > range.hi, range.hi),
        (source.lo << appended < range.lo, range.lo),
    ];
    let reached = bounds.into_iter().filter(|(reached, _)| *reached);
    std::iter::once(0)
        .chain(reached.map(|(_, code)| code))
        .collect()
}

/// What bit `bit` of a step function is: constant, or the first of its bits that toggles as it does.
fn step_bit(codes: &[i64], bit: u32, own: impl Fn(u32) -> Bit) -> Bit {
    let of = |bit: u32| codes.iter().map(move |code| (code >> bit.min(63)) & 1);
    if of(bit).all(|value| value == 0) || of(bit).all(|value| value == 1) {
        return Bit::Known(of(bit).next() == Some(1));
    }
    let first = (0..bit).find(|&earlier| of(earlier).eq(of(bit)));
    own(first.unwrap_or(bit))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appended_bits_of_a_code_that_saturates_are_one_signal() {
        let (source, relu) = (Interval { lo: -8, hi: 7 }, Interval { lo: 0, hi: 15 });
        let own = |bit| Bit::Signal(0, bit);
        let codes = appended_codes(source, 2, relu);
        assert_eq!(
            [0, 1].map(|bit| step_bit(&codes, bit, own)),
            [own(0), own(0)]
        );
        // Not reached: zeros. Two bounds with different bits: two signals.
        let codes = appended_codes(Interval { lo: -8, hi: 3 }, 2, relu);
        assert_eq!(
            [0, 1].map(|bit| step_bit(&codes, bit, own)),
            [Bit::Known(false); 2]
        );
        let codes = appended_codes(source, 2, Interval { lo: -15, hi: 14 });
        assert_eq!(
            [0, 1].map(|bit| step_bit(&codes, bit, own)),
            [own(0), own(1)]
        );
    }
}
