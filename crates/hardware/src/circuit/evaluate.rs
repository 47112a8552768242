//! Evaluation of a circuit in 64-bit integers.

use super::activation::{requantized, step};
use super::node::{Node, Operand, Operation};
use super::{Circuit, Ranges, Wire};

impl Circuit {
    /// Output codes of one row of input codes, the logits or what the circuit makes of them; registers are transparent here.
    ///
    /// Of a circuit within ranges of data, rows outside them give some codes, not surely those of its RTL.
    ///
    /// # Panics
    /// Unless there is one code for each input, within its port's range.
    pub fn evaluate(&self, input_codes: &[i64]) -> Vec<i64> {
        assert_eq!(input_codes.len(), self.inputs.len(), "one code an input");
        for (code, port) in input_codes.iter().zip(&self.inputs) {
            assert!(
                (port.range.lo..=port.range.hi).contains(code),
                "input code {code} outside {:?}",
                port.range
            );
        }
        let wraps = self.ranges() == Ranges::Data;
        let mut values: Vec<i64> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let at = |wire: Wire| values[wire.0 as usize];
            let shifted = |operand: Operand| at(operand.wire) << operand.shift;
            let value = match &node.operation {
                Operation::Input { index } => input_codes[*index],
                Operation::Constant { value } => *value,
                Operation::Register { source } => at(*source),
                Operation::Add {
                    left,
                    right,
                    subtract,
                } => {
                    let (left, right) = (shifted(*left), shifted(*right));
                    if *subtract {
                        left - right
                    } else {
                        left + right
                    }
                }
                Operation::Multiply { source, factor } => at(*source) * factor,
                Operation::Max { left, right } => shifted(*left).max(shifted(*right)),
                Operation::AtLeast { left, right } => i64::from(shifted(*left) >= shifted(*right)),
                Operation::Select { chosen, high, low } => {
                    shifted(if at(*chosen) == 1 { *high } else { *low })
                }
                Operation::Digit {
                    multiplier,
                    bit,
                    once,
                    thrice,
                } => match at(*multiplier) >> bit & 3 {
                    0 => 0,
                    3 => shifted(*thrice),
                    times => times * shifted(*once),
                },
                Operation::Requantize {
                    source,
                    right_shift,
                    range,
                    modes,
                } => requantized(at(*source), *right_shift, *range, *modes),
                Operation::Steps {
                    source,
                    thresholds,
                    codes,
                } => step(at(*source), thresholds, codes),
                Operation::Table {
                    source,
                    dropped,
                    first,
                    codes,
                } => {
                    let address = (at(*source) >> dropped) - first;
                    let last = codes.len() as i64 - 1;
                    codes[if wraps {
                        address.clamp(0, last)
                    } else {
                        address
                    } as usize]
                }
            };
            if wraps {
                values.push(wrapped(value, node));
                continue;
            }
            debug_assert!(
                (node.range.lo..=node.range.hi).contains(&value),
                "{value} outside its interval: {node:?}"
            );
            values.push(value);
        }
        self.output_operands
            .iter()
            .map(|operand| values[operand.wire.0 as usize] << operand.shift)
            .collect()
    }
}

/// What a node's wire makes of a value: its lowest bits.
fn wrapped(value: i64, node: &Node) -> i64 {
    let unused = 64 - node.width().min(64);
    if node.is_signed() {
        value << unused >> unused
    } else {
        ((value as u64) << unused >> unused) as i64
    }
}
