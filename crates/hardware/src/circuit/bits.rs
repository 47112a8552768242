//! What every bit of a circuit is: a constant, a copy of another bit, or a signal of its own.
//!
//! Synthesis keeps one register for equal signals and none for constants. What it can see is followed
//! here: low bits that an adder hands through, bits that a bound of a code sets together, and registers
//! of equal bits. What it cannot see is not: Yosys makes one multi-operand sum of an adder and another
//! that alone reads it whole, and does not look into that for constants.

use super::node::{Node, Operand, Operation};
use super::requantizer::Requantizer;
use super::table::Table;
use super::{Circuit, Wire};
use bitfront_quantizer::{FixedRounding, Overflow};
use std::collections::HashMap;

/// What a bit of a wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Bit {
    /// A constant.
    Known(bool),
    /// The first bit that carries this signal: node and position.
    Signal(u32, u32),
}

/// Two bits that choose among four, and the highest number that they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    bits: [Bit; 2],
    most: u32,
}

impl Choice {
    /// Whether they may be this number.
    pub(crate) fn may_be(self, number: u32) -> bool {
        let mut bits = self.bits.iter().zip(0..);
        number <= self.most
            && bits.all(|(bit, place)| !matches!(bit, Bit::Known(known) if *known != (number >> place & 1 == 1)))
    }
}

/// The bits of all wires.
pub(crate) struct Bits {
    rows: Vec<Vec<Bit>>,
    passed: Vec<u32>,
    merged: Vec<bool>,
}

impl Bits {
    /// Follows the bits of a circuit from its inputs on.
    pub(crate) fn of(circuit: &Circuit) -> Self {
        let mut bits = Self {
            rows: Vec::with_capacity(circuit.nodes().len()),
            passed: vec![0; circuit.nodes().len()],
            merged: vec![false; circuit.nodes().len()],
        };
        let mut registers = HashMap::new();
        let mut products = HashMap::new();
        let mut selected = HashMap::new();
        let reads = reads(circuit);
        for (index, node) in circuit.nodes().iter().enumerate() {
            let own = |bit: u32| Bit::Signal(index as u32, bit);
            let all = 0..node.width();
            let row = match &node.operation {
                Operation::Constant { value } => all.map(|bit| constant_bit(*value, bit)).collect(),
                Operation::Register { source } => bits
                    .row(*source)
                    .iter()
                    .zip(all)
                    .map(|(&bit, place)| match bit {
                        Bit::Known(_) => bit,
                        Bit::Signal(..) => *registers.entry(bit).or_insert(own(place)),
                    })
                    .collect(),
                Operation::Add { .. } => {
                    let passed = bits.passed_through(circuit, node, &reads);
                    bits.passed[index] = passed.len() as u32;
                    let rest = (passed.len() as u32..node.width()).map(own);
                    passed.iter().copied().chain(rest).collect()
                }
                Operation::Steps { codes, .. } => {
                    all.map(|bit| step_bit(codes, bit, own)).collect()
                }
                operation @ Operation::Table { codes, .. } => {
                    let table = Table::of(circuit.nodes(), operation);
                    let bit = |bit| {
                        let copied = table.and_then(|(source, dropped, table)| {
                            let from = table.address_bit(bit)?;
                            Some(bits.row(source)[(from + dropped) as usize])
                        });
                        copied.unwrap_or_else(|| step_bit(codes, bit, own))
                    };
                    all.map(bit).collect()
                }
                Operation::Requantize {
                    source,
                    right_shift,
                    range,
                    modes,
                } => {
                    let from = circuit.node(*source).range;
                    let rule = Requantizer::new(from, *right_shift, *range, *modes);
                    bits.requantized(circuit, *source, &rule, node.width(), own)
                }
                Operation::Multiply { source, factor } => {
                    // An odd factor keeps as many zeros below as its source has; above them a block hides all.
                    let from = bits.row(*source);
                    let zeros = from.iter().take_while(|bit| **bit == Bit::Known(false));
                    let zeros = zeros.count() as u32;
                    let fresh = || {
                        (0..zeros)
                            .map(|_| Bit::Known(false))
                            .chain((zeros..node.width()).map(own))
                    };
                    // Equal products are one block.
                    let key = (from.to_vec(), circuit.node(*source).is_signed(), *factor);
                    let row: &Vec<Bit> = products.entry(key).or_insert_with(|| fresh().collect());
                    row.clone()
                }
                Operation::Select { chosen, high, low } => {
                    let bit = |place| {
                        let high = bits.of_operand(circuit, *high, place);
                        let low = bits.of_operand(circuit, *low, place);
                        let chosen = bits.row(*chosen)[0];
                        match (high, low) {
                            _ if high == low => high,
                            (Bit::Known(true), Bit::Known(false)) => chosen,
                            _ => *selected.entry((chosen, high, low)).or_insert(own(place)),
                        }
                    };
                    all.map(bit).collect()
                }
                Operation::Digit {
                    multiplier,
                    bit: place,
                    once,
                    thrice,
                } => {
                    let choice = bits.choice(circuit, *multiplier, *place);
                    let bit = |bit| {
                        let multiple = |times: u32| match (times, bit) {
                            (0, _) | (2, 0) => Bit::Known(false),
                            (2, bit) => bits.of_operand(circuit, *once, bit - 1),
                            (3, bit) => bits.of_operand(circuit, *thrice, bit),
                            (_, bit) => bits.of_operand(circuit, *once, bit),
                        };
                        let mut open = (0..4).filter(|times| choice.may_be(*times)).map(multiple);
                        let first = open.next().unwrap_or(Bit::Known(false));
                        if open.all(|other| other == first) {
                            first
                        } else {
                            own(bit)
                        }
                    };
                    all.map(bit).collect()
                }
                Operation::Input { .. } | Operation::Max { .. } | Operation::AtLeast { .. } => {
                    all.map(own).collect()
                }
            };
            bits.rows.push(row);
        }
        bits
    }

    /// The bits of a wire, the lowest first.
    pub(crate) fn row(&self, wire: Wire) -> &[Bit] {
        &self.rows[wire.0 as usize]
    }

    /// How many low bits of an adder need no logic; 0 for other nodes.
    pub(crate) fn passed(&self, node: usize) -> u32 {
        self.passed[node]
    }

    /// Whether a node is an adder that becomes one sum with the adder that reads it.
    pub(crate) fn is_merged(&self, node: usize) -> bool {
        self.merged[node]
    }

    /// Whether a requantizer of a wire ever rounds up: the highest bit that it drops is not zero, or
    /// any of them where it goes towards zero.
    pub(crate) fn rounds(&self, circuit: &Circuit, source: Wire, rule: &Requantizer) -> bool {
        let whole = Operand {
            wire: source,
            shift: 0,
        };
        let first = match rule.modes.rounding {
            FixedRounding::Trn => return false,
            FixedRounding::TrnZero => 0,
            _ => rule.dropped.saturating_sub(1),
        };
        (first..rule.dropped).any(|bit| self.of_operand(circuit, whole, bit) != Bit::Known(false))
    }

    /// What two bits of a wire, from `bit` on, may choose.
    pub(crate) fn choice(&self, circuit: &Circuit, wire: Wire, bit: u32) -> Choice {
        let of = |bit| self.of_operand(circuit, Operand { wire, shift: 0 }, bit);
        let most = circuit.node(wire).range.hi >> bit;
        Choice {
            bits: [of(bit), of(bit + 1)],
            most: most.min(3) as u32,
        }
    }

    /// Bit `bit` of a shifted and extended operand.
    pub(crate) fn of_operand(&self, circuit: &Circuit, operand: Operand, bit: u32) -> Bit {
        let node = circuit.node(operand.wire);
        let Some(bit) = bit.checked_sub(operand.shift) else {
            return Bit::Known(false);
        };
        if let Operation::Constant { value } = node.operation {
            return constant_bit(value, bit);
        }
        if bit >= node.width() && !node.is_signed() {
            return Bit::Known(false);
        }
        self.row(operand.wire)[bit.min(node.width() - 1) as usize]
    }

    /// Low bits of an adder that are bits of an operand: as long as the other has zeros there (or both
    /// ones that cancel), no carry arises.
    fn passed_through(&mut self, circuit: &Circuit, node: &Node, reads: &[u32]) -> Vec<Bit> {
        let Operation::Add {
            left,
            right,
            subtract,
        } = node.operation
        else {
            return Vec::new();
        };
        let is_merged = |operand| is_merged(circuit, node, operand, reads);
        let merged = [left, right].map(|operand| (operand.wire, is_merged(operand)));
        for (wire, is_merged) in merged {
            self.merged[wire.0 as usize] |= is_merged;
        }
        if merged.iter().any(|(_, is_merged)| *is_merged) {
            return Vec::new();
        }
        let pass = |bit| {
            let left = self.of_operand(circuit, left, bit);
            match (left, self.of_operand(circuit, right, bit)) {
                (_, Bit::Known(false)) => Some(left),
                (Bit::Known(false), right) if !subtract => Some(right),
                (Bit::Known(true), Bit::Known(true)) if subtract => Some(Bit::Known(false)),
                _ => None,
            }
        };
        (0..node.width()).map_while(pass).collect()
    }

    /// Bits of a code. Where nothing is rounded, each is that of the source or of the bounds, and those
    /// that have the same in all three places are one signal.
    fn requantized(
        &self,
        circuit: &Circuit,
        source: Wire,
        rule: &Requantizer,
        width: u32,
        own: impl Fn(u32) -> Bit,
    ) -> Vec<Bit> {
        let of_source = |bit| {
            self.of_operand(
                circuit,
                Operand {
                    wire: source,
                    shift: 0,
                },
                bit,
            )
        };
        let zero = Bit::Known(false);
        let is_rounded = self.rounds(circuit, source, rule);
        let flips = rule.modes.overflow == Overflow::WrapSm || rule.modes.saturated_bits > 0;
        let bound = |reached: bool, code: i64, bit| {
            let code = if rule.saturates() { code } else { 0 };
            reached.then(|| constant_bit(code, bit))
        };
        let mut first = HashMap::new();
        (0..width)
            .map(|bit| {
                if is_rounded || flips {
                    return own(bit);
                }
                let inside = match bit.checked_sub(rule.appended) {
                    Some(bit) => of_source(bit + rule.dropped),
                    None => zero,
                };
                let above = bound(rule.compares_above(), rule.range.hi, bit);
                let below = bound(rule.compares_below(), rule.range.lo, bit);
                if [above, below].into_iter().flatten().all(|b| b == inside) {
                    return inside;
                }
                *first.entry((inside, above, below)).or_insert(own(bit))
            })
            .collect()
    }
}

/// How many operands, registers and outputs read each wire.
fn reads(circuit: &Circuit) -> Vec<u32> {
    let mut reads = vec![0; circuit.nodes().len()];
    let sources = circuit
        .nodes()
        .iter()
        .flat_map(|node| node.operation.sources());
    let outputs = circuit.output_operands().iter().map(|operand| operand.wire);
    for wire in sources.chain(outputs) {
        reads[wire.0 as usize] += 1;
    }
    reads
}

/// Whether an adder's operand is a sum that becomes one with it: nothing else reads it, no sign is
/// repeated and no zeros are appended, and it does not rely on being cut to its width.
fn is_merged(circuit: &Circuit, node: &Node, operand: Operand, reads: &[u32]) -> bool {
    let from = circuit.node(operand.wire);
    let Operation::Add {
        left,
        right,
        subtract,
    } = from.operation
    else {
        return false;
    };
    let largest =
        |operand: Operand| (1_u128 << (circuit.node(operand.wire).width() + operand.shift)) - 1;
    let is_cut = subtract || (largest(left) + largest(right)) >> from.width() != 0;
    operand.shift == 0
        && reads[operand.wire.0 as usize] == 1
        && (from.width() == node.width() || !from.is_signed() && !is_cut)
}

fn constant_bit(value: i64, bit: u32) -> Bit {
    Bit::Known((value >> bit.min(63)) & 1 == 1)
}

/// What bit `bit` of a function with such codes is: constant, or the first of its bits that is always the same.
fn step_bit(codes: &[i64], bit: u32, own: impl Fn(u32) -> Bit) -> Bit {
    let of = |bit: u32| codes.iter().map(move |code| (code >> bit.min(63)) & 1);
    if of(bit).all(|value| value == 0) || of(bit).all(|value| value == 1) {
        return Bit::Known(of(bit).next() == Some(1));
    }
    let first = (0..bit).find(|&earlier| of(earlier).eq(of(bit)));
    own(first.unwrap_or(bit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::{DelayModel, Multipliers};
    use bitfront_network::Interval;
    use bitfront_quantizer::Modes;

    fn interval(lo: i64, hi: i64) -> Interval {
        Interval { lo, hi }
    }

    fn node(operation: Operation, range: Interval) -> Node {
        Node {
            operation,
            range,
            fraction: 0,
            stage: 0,
            layer: 0,
        }
    }

    fn circuit(nodes: Vec<Node>) -> Circuit {
        Circuit {
            nodes,
            inputs: Vec::new(),
            outputs: Vec::new(),
            output_operands: Vec::new(),
            steps: Vec::new(),
            cycles: 0,
            delays: DelayModel::default(),
            multipliers: Multipliers::Luts,
            output: crate::circuit::OutputForm::Logits,
            valid: false,
            softmax: None,
            observed: None,
        }
    }

    fn operand(wire: u32, shift: u32) -> Operand {
        Operand {
            wire: Wire(wire),
            shift,
        }
    }

    /// Bits of a code behind a source of which each bit is a signal, above `zeros` that are none.
    fn code(source: Interval, zeros: u32, right_shift: i32, range: Interval) -> Vec<Bit> {
        let codes = Operation::Requantize {
            source: Wire(2),
            right_shift,
            range,
            modes: Modes::NEAREST_EVEN,
        };
        let sum = Operation::Add {
            left: operand(0, zeros),
            right: operand(1, 0),
            subtract: false,
        };
        let nodes = vec![
            node(
                Operation::Input { index: 0 },
                interval(source.lo >> zeros, source.hi >> zeros),
            ),
            node(Operation::Constant { value: 0 }, interval(0, 0)),
            node(sum, source),
            node(codes, interval(range.lo, range.hi)),
        ];
        Bits::of(&circuit(nodes)).row(Wire(3)).to_vec()
    }

    #[test]
    fn bits_that_the_bounds_of_a_code_set_together_are_one_signal() {
        let own = |bit| Bit::Signal(3, bit);
        let relu = interval(0, 15);
        let saturating = code(interval(-8, 7), 0, -2, relu);
        assert_eq!(saturating, [own(0), own(0), own(2), own(3)]);
        // Not reached: zeros. Two bounds with different bits: two signals.
        let inside = code(interval(-8, 3), 0, -2, relu);
        assert_eq!(
            inside,
            [Bit::Known(false), Bit::Known(false), own(2), own(3)]
        );
        let both = code(interval(-8, 7), 0, -2, interval(-15, 14));
        assert_eq!(both[..2], [own(0), own(1)]);
        // Zeros of the source, as appended ones; behind a rounding they are not followed.
        let zeros = code(interval(-32, 28), 2, 0, relu);
        assert_eq!(zeros, [own(0), own(0), own(2), own(3)]);
        let rounded = code(interval(-32, 28), 1, 2, interval(0, 3));
        assert_eq!(rounded, [own(0), own(1)]);
    }

    #[test]
    fn low_bits_pass_an_adder_until_a_carry_may_arise() {
        // 3 - 4x, then that plus 4y: the lowest two bits are ones.
        let sum = |left, right, subtract| Operation::Add {
            left,
            right,
            subtract,
        };
        let nodes = vec![
            node(Operation::Constant { value: -1 }, interval(-1, -1)),
            node(Operation::Input { index: 0 }, interval(0, 3)),
            node(sum(operand(0, 0), operand(1, 2), true), interval(-13, -1)),
            node(sum(operand(2, 0), operand(1, 2), false), interval(-1, -1)),
            // 2x - (-1) borrows at once.
            node(sum(operand(1, 1), operand(0, 0), true), interval(1, 7)),
            // 4x + (8x + 4x) at the same width: one sum of three.
            node(sum(operand(1, 3), operand(1, 2), false), interval(0, 36)),
            node(sum(operand(1, 2), operand(5, 0), false), interval(0, 48)),
        ];
        let circuit = circuit(nodes);
        let bits = Bits::of(&circuit);
        assert_eq!(
            bits.row(Wire(2))[..3],
            [Bit::Known(true), Bit::Known(true), Bit::Signal(2, 2)]
        );
        assert_eq!(bits.row(Wire(3)), [Bit::Known(true)]);
        assert_eq!([2, 4, 5, 6].map(|adder| bits.passed(adder)), [2, 0, 3, 0]);
    }
}
