//! Activations in the graph: requantizers, step functions and tables, and what they compute.

use super::node::{Operand, Operation, Value, Wire};
use super::table::{MOST_ADDRESS_BITS, Table};
use crate::lut_estimate::{comparator_bits, table_is_cheaper};
use bitfront_network::{ActivationRule, Interval};
use bitfront_quantizer::{Modes, Overflow};

/// What one channel's activation makes of an accumulator with `fraction` bits right of the point.
pub(crate) struct Activation<'a> {
    pub(crate) rule: &'a ActivationRule,
    pub(crate) channel: usize,
    /// Fraction bits of the accumulator.
    pub(crate) fraction: i32,
}

/// What carries the codes of an activation.
pub(crate) enum Activated {
    /// There is only one code.
    Known(i64),
    /// The accumulator itself: nothing is rounded and nothing saturates.
    Wire(Operand),
    /// A node, the interval of its integers, and the left shift from them to codes.
    Node(Operation, Interval, u32),
}

impl<'a> Activation<'a> {
    /// What channel `channel` of a layer makes of accumulators with `fraction` bits.
    pub(crate) fn new(rule: &'a ActivationRule, channel: usize, fraction: i32) -> Self {
        let (rule, channel) = rule.of_channel(channel);
        Self {
            rule,
            channel,
            fraction,
        }
    }

    /// The code of a known accumulator; `None` for rules without one.
    pub(crate) fn code(&self, value: i64) -> Option<i64> {
        match self.rule {
            ActivationRule::Uniform {
                fraction,
                range,
                modes,
            } => Some(requantized(value, self.fraction - fraction, *range, *modes)),
            ActivationRule::Steps { thresholds, codes } => {
                let channel = self.channel;
                Some(step(value, &thresholds[channel], &codes[channel]))
            }
            ActivationRule::Function(_) => {
                Some(self.rule.apply(self.channel, value, self.fraction))
            }
            ActivationRule::Channels(_) => None,
        }
    }

    /// The activation of a value; `range` is that of its wire. `None` for rules without a circuit.
    pub(crate) fn of(&self, value: Value, range: Interval) -> Option<Activated> {
        let Operand { wire, shift } = match value {
            Value::Constant(value) => return self.code(value).map(Activated::Known),
            Value::Wire(operand) => operand,
        };
        let operation = match self.rule {
            ActivationRule::Uniform {
                fraction,
                range: grid,
                modes,
            } => {
                let right_shift = self.fraction - fraction - shift as i32;
                return Some(uniform(wire, right_shift, range, *grid, *modes));
            }
            ActivationRule::Steps { thresholds, codes } => {
                // In units of the unshifted wire, and only those thresholds that the interval leaves
                // open.
                let unit = 1_i64 << shift;
                let scaled: Vec<i64> = thresholds[self.channel]
                    .iter()
                    .map(|&t| t.div_euclid(unit) + i64::from(t.rem_euclid(unit) != 0))
                    .collect();
                let first = scaled.partition_point(|&t| t <= range.lo);
                let end = scaled.partition_point(|&t| t <= range.hi);
                steps_or_table(
                    wire,
                    range,
                    scaled[first..end].to_vec(),
                    codes[self.channel][first..=end].to_vec(),
                )
            }
            ActivationRule::Function(_) => {
                // A shifted code is that of the value on the bus.
                table(wire, range, 0, |value| self.code(value << shift))?
            }
            ActivationRule::Channels(_) => return None,
        };
        let (Operation::Steps { codes, .. } | Operation::Table { codes, .. }) = &operation else {
            return None;
        };
        let image = hull(codes);
        Some(if image.lo == image.hi {
            Activated::Known(image.lo)
        } else {
            Activated::Node(operation, image, 0)
        })
    }
}

fn hull(codes: &[i64]) -> Interval {
    Interval {
        lo: codes.iter().copied().min().unwrap_or(0),
        hi: codes.iter().copied().max().unwrap_or(0),
    }
}

/// A step function behind a wire in `range`, by comparators or as a table, whichever takes fewer LUTs.
fn steps_or_table(wire: Wire, range: Interval, thresholds: Vec<i64>, codes: Vec<i64>) -> Operation {
    let width = range.width().max(1);
    let code_bits = hull(&codes).width().max(1);
    // Zeros below all thresholds are read by none.
    let zeros = thresholds
        .iter()
        .map(|threshold| threshold.trailing_zeros());
    let dropped = zeros.min().unwrap_or(0).min(width - 1);
    let of_address = |address: i64| Some(step(address << dropped, &thresholds, &codes));
    if let Some(tabled) = table(wire, range, dropped, of_address)
        && let Operation::Table {
            first,
            codes: entries,
            ..
        } = &tabled
    {
        let cells = Table::new(width, range.is_signed(), dropped, *first, entries).cells(code_bits);
        let compared = comparator_bits(width, &thresholds, &codes, code_bits);
        if table_is_cheaper(cells, compared) {
            return tabled;
        }
    }
    Operation::Steps {
        source: wire,
        thresholds,
        codes,
    }
}

/// A table of what `code` gives for each `value >> dropped` of a wire in `range`; `None` where that has too many bits,
/// or no code.
fn table(
    wire: Wire,
    range: Interval,
    dropped: u32,
    code: impl Fn(i64) -> Option<i64>,
) -> Option<Operation> {
    if range.width().max(1) - dropped > MOST_ADDRESS_BITS {
        return None;
    }
    let first = range.lo >> dropped;
    let codes: Option<Vec<i64>> = (first..=range.hi >> dropped).map(code).collect();
    Some(Operation::Table {
        source: wire,
        dropped,
        first,
        codes: codes?,
    })
}

/// A uniform quantizer behind a wire in `range`. Bits appended on the right are left to whoever reads
/// the codes, unless a code at either end of the grid has some of them set.
fn uniform(
    wire: Wire,
    right_shift: i32,
    range: Interval,
    grid: Interval,
    modes: Modes,
) -> Activated {
    let (from, codes) = ((range.lo, range.hi), (grid.lo, grid.hi));
    let (lo, hi) = modes.image(from, -right_shift, codes);
    if lo == hi {
        return Activated::Known(lo);
    }
    let image = Interval { lo, hi };
    let modes = modes.simplified(from, -right_shift, codes);
    // All ones, or the bits of an extreme, are put below by these alone.
    let flips = modes.overflow == Overflow::WrapSm || modes.saturated_bits > 0;
    // Further to the right a number is a sign alone, and further to the left these see nothing of it.
    let least = if flips {
        -(grid.width() as i32) - 1
    } else {
        i32::MIN
    };
    let right_shift = right_shift.clamp(least, range.width() as i32 + 1);
    let appended = right_shift.min(0).unsigned_abs();
    let zeros = if flips || image.lo.trailing_zeros().min(image.hi.trailing_zeros()) < appended {
        0
    } else {
        appended
    };
    let image = Interval {
        lo: image.lo >> zeros,
        hi: image.hi >> zeros,
    };
    let is_same = modes == Modes::NEAREST_EVEN && image == range;
    if right_shift + zeros as i32 == 0 && is_same {
        return Activated::Wire(Operand { wire, shift: zeros });
    }
    let operation = Operation::Requantize {
        source: wire,
        right_shift: right_shift + zeros as i32,
        range: Interval {
            lo: -(-grid.lo >> zeros),
            hi: grid.hi >> zeros,
        },
        modes,
    };
    Activated::Node(operation, image, zeros)
}

/// `value * 2^-right_shift`, rounded and fitted into the range.
pub(crate) fn requantized(value: i64, right_shift: i32, range: Interval, modes: Modes) -> i64 {
    if modes != Modes::NEAREST_EVEN {
        return modes.code(value.into(), -right_shift, (range.lo, range.hi));
    }
    let rounded = if right_shift <= 0 {
        i128::from(value) << right_shift.unsigned_abs().min(64)
    } else if right_shift > 64 {
        0
    } else {
        let value = i128::from(value);
        let floor = value >> right_shift;
        let rest = value - (floor << right_shift);
        let half = 1_i128 << (right_shift - 1);
        floor + i128::from(rest > half || (rest == half && floor & 1 == 1))
    };
    rounded.clamp(range.lo.into(), range.hi.into()) as i64
}

/// `codes[number of thresholds <= value]`.
pub(crate) fn step(value: i64, thresholds: &[i64], codes: &[i64]) -> i64 {
    codes[thresholds.partition_point(|&threshold| threshold <= value)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIRE: Wire = Wire(0);

    fn behind(lo: i64, hi: i64, right_shift: i32, grid: (i64, i64)) -> Activated {
        let grid = Interval {
            lo: grid.0,
            hi: grid.1,
        };
        uniform(
            WIRE,
            right_shift,
            Interval { lo, hi },
            grid,
            Modes::NEAREST_EVEN,
        )
    }

    #[test]
    fn what_neither_rounds_nor_saturates_is_no_node() {
        assert!(matches!(
            behind(0, 3, -2, (0, 15)),
            Activated::Wire(Operand {
                wire: WIRE,
                shift: 2
            })
        ));
        assert!(matches!(behind(-4, -1, -2, (0, 15)), Activated::Known(0)));
    }

    #[test]
    fn appended_bits_are_left_to_the_reader_unless_a_bound_sets_them() {
        for (lo, hi) in [(-4, 3), (-4, 4), (-9, 2), (1, 9)] {
            for grid in [(0, 15), (-16, 15), (-15, 15), (0, 255)] {
                for right_shift in -3..3 {
                    let (operation, image, shift) = match behind(lo, hi, right_shift, grid) {
                        Activated::Node(operation, image, shift) => (operation, image, shift),
                        Activated::Wire(_) | Activated::Known(_) => continue,
                    };
                    let Operation::Requantize {
                        right_shift: kept,
                        range,
                        modes,
                        ..
                    } = operation
                    else {
                        panic!("{operation:?}");
                    };
                    let whole = Interval {
                        lo: grid.0,
                        hi: grid.1,
                    };
                    let found: Vec<i64> = (lo..=hi)
                        .map(|v| requantized(v, kept, range, modes))
                        .collect();
                    for (value, code) in (lo..=hi).zip(&found) {
                        let expected = requantized(value, right_shift, whole, modes);
                        assert_eq!(
                            code << shift,
                            expected,
                            "{value} by {right_shift} to {grid:?}"
                        );
                    }
                    assert_eq!(found.iter().min(), Some(&image.lo));
                    assert_eq!(found.iter().max(), Some(&image.hi));
                    assert!(shift == 0 || kept == 0);
                }
            }
        }
        let saturates = behind(0, 7, -2, (0, 15));
        assert!(matches!(saturates, Activated::Node(_, _, 0)));
        let shifted = behind(-4, 3, -2, (0, 15));
        assert!(matches!(
            shifted,
            Activated::Node(_, Interval { lo: 0, hi: 3 }, 2)
        ));
    }
}
