//! The index of the largest output: a tree of comparisons, each of which selects the larger value and its index.
//!
//! The left half of every comparison has the lower indices and wins where both are equal, so that a tie goes to the
//! lowest index, as in integer inference.

use super::Circuit;
use super::node::{Node, Operand, Operation, Value, Wire};
use bitfront_network::Interval;

/// Builds the tree behind the last step.
struct Tree<'a> {
    nodes: &'a mut Vec<Node>,
    step: u32,
    fraction: i32,
}

/// What carries the index of the largest of `values`, which belong to step `step` and have `fraction` bits right of the
/// binary point.
pub(crate) fn arg_max(nodes: &mut Vec<Node>, values: &[Value], step: u32, fraction: i32) -> Value {
    let mut tree = Tree {
        nodes,
        step,
        fraction,
    };
    let indexed = values.iter().zip(0..);
    let mut row: Vec<(Value, Value)> = indexed
        .map(|(value, index)| (*value, Value::Constant(index)))
        .collect();
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|pair| match *pair {
                [left, right] => tree.larger(left, right),
                _ => pair[0],
            })
            .collect();
    }
    row.first().map_or(Value::Constant(0), |(_, index)| *index)
}

impl Tree<'_> {
    /// The larger of two with its index, the left one of equal ones.
    fn larger(&mut self, left: (Value, Value), right: (Value, Value)) -> (Value, Value) {
        let (of_left, of_right) = (left.0.range(self.nodes), right.0.range(self.nodes));
        if of_left.lo >= of_right.hi {
            return left;
        }
        if of_right.lo > of_left.hi {
            return right;
        }
        let compared = Operation::AtLeast {
            left: left.0.operand(self.nodes, self.step, 0),
            right: right.0.operand(self.nodes, self.step, 0),
        };
        let chosen = Node::push(
            self.nodes,
            self.step,
            compared,
            Interval { lo: 0, hi: 1 },
            0,
        );
        let larger = Interval {
            lo: of_left.lo.max(of_right.lo),
            hi: of_left.hi.max(of_right.hi),
        };
        let value = self.select(chosen, left.0, right.0, larger, self.fraction);
        let indices = left.1.range(self.nodes).hull(right.1.range(self.nodes));
        let index = self.select(chosen, left.1, right.1, indices, 0);
        (value, index)
    }

    fn select(
        &mut self,
        chosen: Wire,
        high: Value,
        low: Value,
        range: Interval,
        fraction: i32,
    ) -> Value {
        let [high, low] = [high, low].map(|value| value.operand(self.nodes, self.step, 0));
        let select = Operation::Select { chosen, high, low };
        let wire = Node::push(self.nodes, self.step, select, range, fraction);
        Value::Wire(Operand { wire, shift: 0 })
    }
}

/// A part of the tree that is proved: the indices it chooses from, ascending, and its largest value.
struct Proved {
    indices: Vec<usize>,
    /// `None` where nothing reads it.
    value: Option<Value>,
}

impl Circuit {
    /// Proves that `operand` is the index of the largest of `logits`, the lowest of equal ones: every selection is by a
    /// comparison of the largest values of its halves, the half of the lower indices first; and whatever stands in no
    /// comparison cannot be the answer.
    ///
    /// `bounds` are the program's intervals of the logits: of those that nothing reads.
    pub(crate) fn check_arg_max(
        &self,
        operand: Operand,
        logits: &[Option<Value>],
        bounds: &[Interval],
    ) -> Result<(), String> {
        let whole = self.proved(operand, logits)?;
        let known = logits.iter().zip(bounds);
        let ranges: Vec<Interval> = known
            .map(|(value, bound)| value.map_or(*bound, |value| value.range(&self.nodes)))
            .collect();
        for (index, of_index) in ranges.iter().enumerate() {
            let beaten = |&by: &usize| {
                ranges[by].lo > of_index.hi || by < index && ranges[by].lo == of_index.hi
            };
            if !whole.indices.contains(&index) && !whole.indices.iter().any(beaten) {
                return Err(format!(
                    "output {index} is in no comparison, and may be the largest"
                ));
            }
        }
        Ok(())
    }

    fn proved(&self, operand: Operand, logits: &[Option<Value>]) -> Result<Proved, String> {
        let wire = self.unregistered(operand.wire);
        match &self.node(wire).operation {
            Operation::Constant { value } => {
                let index = (*value << operand.shift) as usize;
                let value = *logits
                    .get(index)
                    .ok_or("it gives an index beyond the outputs")?;
                Ok(Proved {
                    indices: vec![index],
                    value,
                })
            }
            Operation::Select { chosen, high, low } if operand.shift == 0 => {
                let chosen = self.unregistered(*chosen);
                let (first, second) = (self.proved(*high, logits)?, self.proved(*low, logits)?);
                if first.indices.last() >= second.indices.first() {
                    return Err("a tie would go to the higher index".to_owned());
                }
                let Operation::AtLeast { left, right } = self.node(chosen).operation else {
                    return Err("an index is selected by no comparison".to_owned());
                };
                if !self.carries(left, first.value) || !self.carries(right, second.value) {
                    return Err(
                        "it compares something else than the largest of its halves".to_owned()
                    );
                }
                // Whoever compares the larger of both must have it from the same comparison.
                let of_both = |node: &Node| match &node.operation {
                    Operation::Select {
                        chosen: by,
                        high,
                        low,
                    } => {
                        self.unregistered(*by) == chosen
                            && self.carries(*high, first.value)
                            && self.carries(*low, second.value)
                    }
                    _ => false,
                };
                let value = self.nodes.iter().position(of_both).map(|at| {
                    let wire = Wire(at as u32);
                    Value::Wire(Operand { wire, shift: 0 })
                });
                let indices = first.indices.into_iter().chain(second.indices).collect();
                Ok(Proved { indices, value })
            }
            other => Err(format!("its index is {other:?}")),
        }
    }

    /// Whether an operand is a value, registers apart.
    fn carries(&self, operand: Operand, value: Option<Value>) -> bool {
        let wire = self.unregistered(operand.wire);
        match value {
            None => false,
            Some(Value::Constant(code)) => {
                matches!(self.node(wire).operation, Operation::Constant { value } if value << operand.shift == code)
            }
            Some(Value::Wire(expected)) => {
                wire == self.unregistered(expected.wire) && operand.shift == expected.shift
            }
        }
    }
}
