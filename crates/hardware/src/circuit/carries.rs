//! Carry cells of four bits and logic levels, as Yosys maps a circuit.
//!
//! An adder is a LUT in front of each bit and a chain of cells behind them; a path enters the chain at one
//! bit and leaves it at another. What Yosys' optimiser folds into other LUTs is not followed, so levels
//! are an estimate: `bench/estimates` has the error of both.

use super::bits::{Bit, Bits};
use super::node::{Node, Operand, Operation};
use super::requantizer::Requantizer;
use super::{Circuit, Wire, live};

/// Bits of a carry cell.
const CELL_BITS: u32 = 4;
/// Inputs of a LUT.
const LUT_INPUTS: u32 = 6;

impl Circuit {
    /// Carry cells of four bits.
    pub fn carry_estimate(&self) -> u64 {
        let bits = Bits::of(self);
        let live = live::bits(self, &bits);
        let chain = |(index, node): (usize, &Node)| {
            let width = match &node.operation {
                Operation::Add { .. } if bits.is_merged(index) => 0,
                Operation::Add { .. } => {
                    let top = (64 - live[index].leading_zeros()).min(node.width());
                    top.saturating_sub(bits.passed(index))
                }
                Operation::Max { left, right } | Operation::AtLeast { left, right } => {
                    self.compared_width(*left, *right)
                }
                Operation::Requantize {
                    source,
                    right_shift,
                    range,
                    modes,
                } => {
                    let from = self.node(*source).range;
                    let rule = Requantizer::new(from, *right_shift, *range, *modes);
                    if bits.rounds(self, *source, &rule) {
                        rule.inside.width().max(1)
                    } else {
                        0
                    }
                }
                _ => 0,
            };
            u64::from(width.div_ceil(CELL_BITS))
        };
        self.nodes.iter().enumerate().map(chain).sum()
    }

    /// Cells on the longest path between registers, a carry cell counted like a LUT.
    pub fn levels_estimate(&self) -> u32 {
        let bits = Bits::of(self);
        let mut levels: Vec<Vec<u32>> = Vec::with_capacity(self.nodes.len());
        let mut longest = 0;
        for (index, node) in self.nodes.iter().enumerate() {
            let row = self.levels_of(index, node, &bits, &levels);
            longest = row
                .iter()
                .fold(longest, |longest, &level| longest.max(level));
            levels.push(row);
        }
        longest
    }

    /// Levels of each bit of a node.
    fn levels_of(&self, index: usize, node: &Node, bits: &Bits, levels: &[Vec<u32>]) -> Vec<u32> {
        let width = node.width();
        let all = |wire: Wire| levels[wire.0 as usize].iter().copied().max().unwrap_or(0);
        let of = |operand: Operand, bit: u32| match bits.of_operand(self, operand, bit) {
            Bit::Known(_) => 0,
            Bit::Signal(..) => {
                let row = &levels[operand.wire.0 as usize];
                let bit = bit.saturating_sub(operand.shift) as usize;
                row[bit.min(row.len() - 1)]
            }
        };
        match &node.operation {
            Operation::Input { .. } | Operation::Constant { .. } | Operation::Register { .. } => {
                vec![0; width as usize]
            }
            Operation::Add {
                left,
                right,
                subtract,
            } => {
                let latest = |bit| of(*left, bit).max(of(*right, bit));
                if bits.is_merged(index) {
                    // A row of full adders: sum and carry of each bit.
                    return (0..width)
                        .map(|bit| 1 + latest(bit).max(latest(bit.saturating_sub(1))))
                        .collect();
                }
                let passed = bits.passed(index);
                let enter = |bit| {
                    let is_signal =
                        |operand| matches!(bits.of_operand(self, operand, bit), Bit::Signal(..));
                    let alone = !is_signal(*right) || !is_signal(*left) && !subtract;
                    latest(bit) + u32::from(!alone)
                };
                let chained = chain((passed..width).map(enter));
                (0..passed).map(latest).chain(chained).collect()
            }
            Operation::Multiply { source, .. } => vec![all(*source) + 1; width as usize],
            Operation::Max { left, right } | Operation::AtLeast { left, right } => {
                let compared = self.compared_width(*left, *right);
                let enter = |bit| of(*left, bit).max(of(*right, bit)) + 1;
                let bit = chain((0..compared).map(enter)).last().copied().unwrap_or(0);
                let selects = u32::from(matches!(node.operation, Operation::Max { .. }));
                vec![bit + selects; width as usize]
            }
            Operation::Select { chosen, high, low } => {
                let bit = |bit| of(*high, bit).max(of(*low, bit)).max(all(*chosen)) + 1;
                (0..width).map(bit).collect()
            }
            Operation::Digit {
                multiplier,
                once,
                thrice,
                ..
            } => {
                let bit = |bit: u32| {
                    let once = of(*once, bit).max(of(*once, bit.saturating_sub(1)));
                    once.max(of(*thrice, bit)).max(all(*multiplier)) + 1
                };
                (0..width).map(bit).collect()
            }
            Operation::Requantize {
                source,
                right_shift,
                range,
                modes,
            } => {
                let from = self.node(*source).range;
                let rule = Requantizer::new(from, *right_shift, *range, *modes);
                let mut sum = all(*source);
                if bits.rounds(self, *source, &rule) {
                    let half = match rule.deciding_bits() {
                        0 | 1 => sum,
                        several => sum + reduced(several),
                    };
                    let of = |bit: u32| {
                        let whole = Operand {
                            wire: *source,
                            shift: 0,
                        };
                        of(whole, (bit + rule.dropped).saturating_sub(rule.appended))
                    };
                    let inside = rule.inside.width().max(1);
                    let enter = |bit| if bit == 0 { half } else { of(bit) };
                    sum = chain((0..inside).map(enter)).last().copied().unwrap_or(sum);
                }
                let above = rule.floor.width().saturating_sub(width);
                let selects = rule.compares_above() || rule.compares_below();
                let selected = if selects { reduced(above + 1) } else { 0 };
                vec![sum + selected; width as usize]
            }
            Operation::Table {
                source, dropped, ..
            } => {
                let above = (self.node(*source).width() - dropped).saturating_sub(LUT_INPUTS);
                vec![all(*source) + 1 + above; width as usize]
            }
            Operation::Steps {
                source, thresholds, ..
            } => {
                let compared = reduced(self.node(*source).width());
                let parity = reduced(thresholds.len() as u32);
                vec![all(*source) + compared + parity; width as usize]
            }
        }
    }

    /// Bits of the subtraction behind a maximum, its borrow with them.
    fn compared_width(&self, left: Operand, right: Operand) -> u32 {
        let signed = [left, right].iter().any(|o| self.node(o.wire).is_signed());
        let bits = |operand: Operand| {
            let node = self.node(operand.wire);
            node.width() + operand.shift + u32::from(signed && !node.is_signed())
        };
        bits(left).max(bits(right)) + 1
    }
}

/// Levels of LUTs that reduce so many bits to one; at least one.
fn reduced(mut bits: u32) -> u32 {
    let mut levels = 1;
    while bits > LUT_INPUTS {
        bits = bits.div_ceil(LUT_INPUTS);
        levels += 1;
    }
    levels
}

/// Levels behind each bit of a carry chain, from those in front of it, the lowest bit first.
fn chain(enter: impl Iterator<Item = u32>) -> Vec<u32> {
    // The chain may be entered at every bit, and costs a level for each cell on the way.
    let enter: Vec<u32> = enter.collect();
    let mut carried = 0;
    let mut left = Vec::with_capacity(enter.len());
    for cell in enter.chunks(CELL_BITS as usize) {
        for &level in cell {
            carried = carried.max(level);
            left.push(carried + 1);
        }
        carried += 1;
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carry_takes_a_level_for_each_cell_it_crosses() {
        assert_eq!(chain([1; 9].into_iter()), [2, 2, 2, 2, 3, 3, 3, 3, 4]);
        // A late bit is entered where it is.
        let late = [1, 1, 1, 1, 7, 1, 1, 1, 1];
        assert_eq!(chain(late.into_iter()), [2, 2, 2, 2, 8, 8, 8, 8, 9]);
        assert_eq!([1, 6, 7, 36, 37].map(reduced), [1, 1, 2, 2, 3]);
    }
}
