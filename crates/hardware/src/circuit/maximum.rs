//! Maxima over windows, and of all logits, as trees of compare-and-select nodes.

use super::node::{Node, Operand, Operation, Value};
use bitfront_network::{Geometry, Interval, TensorFormat};
use std::collections::HashMap;

/// Builds the maxima of one step; equal ones are built once.
struct Maxima<'a> {
    nodes: &'a mut Vec<Node>,
    step: u32,
    fraction: i32,
    shared: HashMap<(Operand, Operand), Value>,
}

/// What carries each output element of a pooling step; borders do not count.
pub(crate) fn max_pool(
    nodes: &mut Vec<Node>,
    geometry: &Geometry,
    input: &TensorFormat,
    values: &[Value],
    step: u32,
) -> Vec<Value> {
    let mut maxima = Maxima {
        nodes,
        step,
        fraction: 0,
        shared: HashMap::new(),
    };
    (0..geometry.positions() * input.channels())
        .map(|element| {
            maxima.fraction = input.fraction[element % input.channels()];
            let under = under_window(geometry, input.channels(), element);
            maxima.of(under.into_iter().map(|from| values[from]).collect())
        })
        .collect()
}

/// What carries the largest of `values`, which have `fraction` bits right of the binary point.
pub(crate) fn largest(nodes: &mut Vec<Node>, values: &[Value], step: u32, fraction: i32) -> Value {
    let mut maxima = Maxima {
        nodes,
        step,
        fraction,
        shared: HashMap::new(),
    };
    maxima.of(values.to_vec())
}

/// The input elements under the window of an output element.
pub(crate) fn under_window(geometry: &Geometry, channels: usize, element: usize) -> Vec<usize> {
    (0..geometry.taps())
        .filter_map(|tap| geometry.source(element / channels, tap))
        .map(|from| from * channels + element % channels)
        .collect()
}

impl Maxima<'_> {
    /// A balanced tree. A window without elements, which no geometry has, would be zero.
    fn of(&mut self, mut values: Vec<Value>) -> Value {
        while values.len() > 1 {
            values = values
                .chunks(2)
                .map(|pair| match *pair {
                    [left, right] => self.larger(left, right),
                    _ => pair[0],
                })
                .collect();
        }
        values.first().copied().unwrap_or(Value::Constant(0))
    }

    fn larger(&mut self, left: Value, right: Value) -> Value {
        let (of_left, of_right) = (left.range(self.nodes), right.range(self.nodes));
        // Only constants are left out as never larger: a wire that is not read could not be proven.
        if left == right || matches!(right, Value::Constant(code) if code <= of_left.lo) {
            return left;
        }
        if matches!(left, Value::Constant(code) if code <= of_right.lo) {
            return right;
        }
        let [left, right] =
            [left, right].map(|value| value.operand(self.nodes, self.step, self.fraction));
        let order = |operand: &Operand| (operand.wire, operand.shift);
        let (left, right) = if order(&left) <= order(&right) {
            (left, right)
        } else {
            (right, left)
        };
        if let Some(&known) = self.shared.get(&(left, right)) {
            return known;
        }
        // A common shift moves behind the comparison, where it is free.
        let shift = left.shift.min(right.shift);
        let lower = |operand: Operand| Operand {
            shift: operand.shift - shift,
            ..operand
        };
        let wire = Node::push(
            self.nodes,
            self.step,
            Operation::Max {
                left: lower(left),
                right: lower(right),
            },
            Interval {
                lo: of_left.lo.max(of_right.lo) >> shift,
                hi: of_left.hi.max(of_right.hi) >> shift,
            },
            self.fraction - shift as i32,
        );
        let value = Value::Wire(Operand { wire, shift });
        self.shared.insert((left, right), value);
        value
    }
}
