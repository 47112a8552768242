//! Which bits of each wire anything depends on.

use super::bits::{Bit, Bits};
use super::node::{Operand, Operation};
use super::requantizer::{Requantizer, low_bits as up_to};
use super::table::Table;
use super::{Circuit, Wire};
use bitfront_quantizer::FixedRounding;

impl Circuit {
    /// A mask for each input word: bit `n` is set where an output depends on bit `n` of the word.
    pub(crate) fn live_inputs(&self) -> Vec<u64> {
        let live = bits(self, &Bits::of(self));
        let mut masks = vec![0; self.inputs().len()];
        for (node, live) in self.nodes().iter().zip(live) {
            if let Operation::Input { index } = node.operation {
                masks[index] |= live;
            }
        }
        masks
    }
}

/// A mask for each node: bit `n` is set where an output of the circuit depends on bit `n` of the wire.
pub(crate) fn bits(circuit: &Circuit, known: &Bits) -> Vec<u64> {
    let nodes = circuit.nodes();
    let mut live: Vec<u64> = whole_sums(circuit)
        .into_iter()
        .zip(nodes)
        .map(|(whole, node)| if whole { up_to(node.width()) } else { 0 })
        .collect();
    for (port, operand) in circuit.outputs().iter().zip(circuit.output_operands()) {
        read(&mut live, circuit, *operand, up_to(port.width));
    }
    for (index, node) in nodes.iter().enumerate().rev() {
        let mask: u64 = live[index];
        if mask == 0 {
            continue;
        }
        match &node.operation {
            Operation::Input { .. } | Operation::Constant { .. } => {}
            Operation::Register { source } => live[source.0 as usize] |= mask,
            Operation::Add { left, right, .. } => {
                // Carries reach a bit from all below it; low bits that pass hand theirs through.
                let below = up_to(64 - mask.leading_zeros());
                let free = up_to(known.passed(index));
                let needed = if mask & !free == 0 {
                    mask
                } else {
                    below & !free | mask
                };
                read(&mut live, circuit, *left, needed);
                read(&mut live, circuit, *right, needed);
            }
            Operation::Multiply { source, .. } => {
                // A bit of a product depends on those of its source up to it.
                let whole = Operand {
                    wire: *source,
                    shift: 0,
                };
                read(&mut live, circuit, whole, up_to(64 - mask.leading_zeros()));
            }
            Operation::Select { chosen, high, low } => {
                live[chosen.0 as usize] |= 1;
                read(&mut live, circuit, *high, mask);
                read(&mut live, circuit, *low, mask);
            }
            Operation::Digit {
                multiplier,
                bit,
                once,
                thrice,
            } => {
                let choice = known.choice(circuit, *multiplier, *bit);
                let bits = if choice.may_be(2) || choice.may_be(3) {
                    3
                } else {
                    1
                };
                live[multiplier.0 as usize] |= bits << bit & all(circuit, *multiplier);
                let multiples = [(1, *once, mask), (2, *once, mask >> 1), (3, *thrice, mask)];
                for (times, operand, mask) in multiples {
                    if choice.may_be(times) {
                        read(&mut live, circuit, operand, mask);
                    }
                }
            }
            Operation::Max { left, right } | Operation::AtLeast { left, right } => {
                for operand in [*left, *right] {
                    read(&mut live, circuit, operand, u64::MAX);
                }
            }
            Operation::Requantize {
                source,
                right_shift,
                range,
                modes,
            } => {
                let from = circuit.node(*source).range;
                let rule = Requantizer::new(from, *right_shift, *range, *modes);
                let floor = rule.read_floor_bits() >> rule.appended;
                let whole = Operand {
                    wire: *source,
                    shift: 0,
                };
                let is = |bit, value| known.of_operand(circuit, whole, bit) == Bit::Known(value);
                let mut mask = floor << rule.dropped;
                if known.rounds(circuit, *source, &rule) {
                    let below = rule.dropped - 1;
                    mask |= 1 << below;
                    // A half and more rounds up, whatever the bits below one that is set.
                    let half_alone = modes.rounding == FixedRounding::Rnd;
                    if !half_alone && !(0..below).any(|bit| is(bit, true)) {
                        mask |= up_to(below);
                    }
                    if rule.rounds_by_sign() {
                        mask |= 1 << 63;
                    }
                }
                read(&mut live, circuit, whole, mask);
            }
            operation @ Operation::Table { .. } => {
                if let Some((source, dropped, table)) = Table::of(nodes, operation) {
                    live[source.0 as usize] |= table.read_bits(mask) << dropped;
                }
            }
            Operation::Steps {
                source, thresholds, ..
            } => {
                let zeros = thresholds
                    .iter()
                    .map(|threshold| threshold.trailing_zeros());
                let unread = up_to(
                    zeros
                        .min()
                        .unwrap_or(0)
                        .min(circuit.node(*source).width() - 1),
                );
                live[source.0 as usize] |= all(circuit, *source) & !unread;
            }
        }
    }
    live
}

/// Which adders keep all their bits, though a requantizer behind them cuts the highest off.
///
/// Without those, Yosys finds adders of one width behind each other and makes a compressor of them: two
/// and a half times the LUTs of their carry chains.
pub(crate) fn whole_sums(circuit: &Circuit) -> Vec<bool> {
    let nodes = circuit.nodes();
    let mut whole = vec![false; nodes.len()];
    for node in nodes {
        let Operation::Requantize {
            source,
            right_shift,
            range,
            modes,
        } = node.operation
        else {
            continue;
        };
        let mut wire = source;
        let rule = Requantizer::new(circuit.node(wire).range, right_shift, range, modes);
        while let Operation::Register { source } = circuit.node(wire).operation {
            wire = source;
        }
        let is_sum = matches!(circuit.node(wire).operation, Operation::Add { .. });
        whole[wire.0 as usize] |= rule.cuts() && is_sum;
    }
    whole
}

/// Marks the bits of a wire that carry those of a shifted and extended operand.
fn read(live: &mut [u64], circuit: &Circuit, operand: Operand, mask: u64) {
    let node = circuit.node(operand.wire);
    let mask = mask.checked_shr(operand.shift).unwrap_or(0);
    let own = all(circuit, operand.wire);
    let sign = if mask & !own != 0 && node.is_signed() {
        own ^ own >> 1
    } else {
        0
    };
    live[operand.wire.0 as usize] |= mask & own | sign;
}

fn all(circuit: &Circuit, wire: Wire) -> u64 {
    up_to(circuit.node(wire).width())
}
