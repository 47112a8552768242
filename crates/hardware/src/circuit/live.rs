//! Which bits of each wire anything depends on.

use super::bits::{Bit, Bits};
use super::node::{Operand, Operation};
use super::requantizer::{Requantizer, low_bits as up_to};
use super::{Circuit, Wire};

/// A mask for each node: bit `n` is set where an output of the circuit depends on bit `n` of the wire.
pub(crate) fn bits(circuit: &Circuit, known: &Bits) -> Vec<u64> {
    let nodes = circuit.nodes();
    let mut live = vec![0; nodes.len()];
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
            Operation::Max { left, right } => {
                for operand in [*left, *right] {
                    read(&mut live, circuit, operand, u64::MAX);
                }
            }
            Operation::Requantize {
                source,
                right_shift,
                range,
            } => {
                let from = circuit.node(*source).range;
                let rule = Requantizer::new(from, *right_shift, *range);
                let floor = rule.read_floor_bits() >> rule.appended;
                let whole = Operand {
                    wire: *source,
                    shift: 0,
                };
                let is = |bit, value| known.of_operand(circuit, whole, bit) == Bit::Known(value);
                let mut mask = floor << rule.dropped;
                if rule.dropped > 0 && !is(rule.dropped - 1, false) {
                    let below = rule.dropped - 1;
                    mask |= 1 << below;
                    // A half and more rounds up, whatever the bits below one that is set.
                    if !(0..below).any(|bit| is(bit, true)) {
                        mask |= up_to(below);
                    }
                }
                read(&mut live, circuit, whole, mask);
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
