//! Activations in the graph: requantizers and step functions, and what they compute.

use super::node::{Operand, Operation, Value};
use bitfront_network::{ActivationRule, Interval};

/// What one channel's activation makes of an accumulator with `fraction` bits right of the point.
pub(crate) struct Activation<'a> {
    pub(crate) rule: &'a ActivationRule,
    pub(crate) channel: usize,
    /// Fraction bits of the accumulator.
    pub(crate) fraction: i32,
}

/// The node of an activation and the interval of its codes, or the code where there is only one.
pub(crate) enum Activated {
    Known(i64),
    Node(Operation, Interval),
}

impl Activation<'_> {
    /// The code of a known accumulator; `None` for rules without a circuit.
    fn code(&self, value: i64) -> Option<i64> {
        match self.rule {
            ActivationRule::Uniform { fraction, range } => {
                Some(requantized(value, self.fraction - fraction, *range))
            }
            ActivationRule::Steps { thresholds, codes } => {
                let channel = self.channel;
                Some(step(value, &thresholds[channel], &codes[channel]))
            }
            ActivationRule::Function(_) => None,
        }
    }

    /// The activation of a value; `range` is that of its wire. `None` for rules without a circuit.
    pub(crate) fn of(&self, value: Value, range: Interval) -> Option<Activated> {
        let Operand { wire, shift } = match value {
            Value::Constant(value) => return self.code(value).map(Activated::Known),
            Value::Wire(operand) => operand,
        };
        let (operation, image) = match self.rule {
            ActivationRule::Uniform {
                fraction,
                range: grid,
            } => {
                let right_shift = self.fraction - fraction - shift as i32;
                let operation = Operation::Requantize {
                    source: wire,
                    right_shift,
                    range: *grid,
                };
                let image = |value| requantized(value, right_shift, *grid);
                (
                    operation,
                    Interval {
                        lo: image(range.lo),
                        hi: image(range.hi),
                    },
                )
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
                let codes = codes[self.channel][first..=end].to_vec();
                let image = Interval {
                    lo: codes.iter().copied().min().unwrap_or(0),
                    hi: codes.iter().copied().max().unwrap_or(0),
                };
                let operation = Operation::Steps {
                    source: wire,
                    thresholds: scaled[first..end].to_vec(),
                    codes,
                };
                (operation, image)
            }
            ActivationRule::Function(_) => return None,
        };
        Some(if image.lo == image.hi {
            Activated::Known(image.lo)
        } else {
            Activated::Node(operation, image)
        })
    }
}

/// `clamp(round_half_even(value * 2^-right_shift), range)`.
pub(crate) fn requantized(value: i64, right_shift: i32, range: Interval) -> i64 {
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
