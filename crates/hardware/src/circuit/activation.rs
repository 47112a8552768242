//! Activations in the graph: requantizers and step functions, and what they compute.

use super::node::{Node, Operand, Operation, Value, Wire};
use bitfront_network::{ActivationRule, IntegerLayer, Interval};

/// The activation behind accumulator `j`, or its left shift where there is none.
pub(crate) fn activate(
    nodes: &mut Vec<Node>,
    layer: &IntegerLayer,
    j: usize,
    accumulator: Value,
    number: u32,
) -> Value {
    let align = layer.output.fraction - layer.accumulator_fraction[j];
    let Value::Wire(operand) = accumulator else {
        let Value::Constant(value) = accumulator else {
            unreachable!("a value is a wire or a constant")
        };
        return Value::Constant(match &layer.activation {
            None => value << align,
            Some(ActivationRule::Uniform) => requantized(value, -align, layer.output.range),
            Some(ActivationRule::Steps { thresholds, codes }) => {
                step(value, &thresholds[j], &codes[j])
            }
        });
    };
    let source = operand.wire;
    let range = nodes[source.0 as usize].range;
    let (operation, image) = match &layer.activation {
        None => {
            return Value::Wire(Operand {
                shift: operand.shift + align as u32,
                ..operand
            });
        }
        Some(ActivationRule::Uniform) => {
            let right_shift = -align - operand.shift as i32;
            let image = |value| requantized(value, right_shift, layer.output.range);
            let operation = Operation::Requantize {
                source,
                right_shift,
                range: layer.output.range,
            };
            (
                operation,
                Interval {
                    lo: image(range.lo),
                    hi: image(range.hi),
                },
            )
        }
        Some(ActivationRule::Steps { thresholds, codes }) => {
            // In units of the unshifted wire, and only those thresholds that the interval leaves open.
            let unit = 1_i64 << operand.shift;
            let scaled: Vec<i64> = thresholds[j]
                .iter()
                .map(|&t| t.div_euclid(unit) + i64::from(t.rem_euclid(unit) != 0))
                .collect();
            let first = scaled.partition_point(|&t| t <= range.lo);
            let end = scaled.partition_point(|&t| t <= range.hi);
            let codes = codes[j][first..=end].to_vec();
            let image = Interval {
                lo: codes.iter().copied().min().unwrap_or(0),
                hi: codes.iter().copied().max().unwrap_or(0),
            };
            let thresholds = scaled[first..end].to_vec();
            let operation = Operation::Steps {
                source,
                thresholds,
                codes,
            };
            (operation, image)
        }
    };
    if image.lo == image.hi {
        return Value::Constant(image.lo);
    }
    let wire = Wire(nodes.len() as u32);
    nodes.push(Node {
        operation,
        range: image,
        fraction: layer.output.fraction,
        stage: 0,
        layer: number,
    });
    Value::Wire(Operand { wire, shift: 0 })
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
