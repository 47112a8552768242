//! Softmax by tables behind the last layer, operation by operation as integer inference has it
//! ([`SoftmaxProgram`]): distances to the largest logit, a table of exponentials for each, their sum, one table of
//! inverses, a product for each class.

use super::Wire;
use super::maximum::largest;
use super::node::{Node, Operand, Operation, Value};
use super::product::Parts;
use bitfront_network::{Interval, SoftmaxProgram};
use bitfront_quantizer::{FixedRounding, Modes, Overflow};

/// Right shifts that drop bits and clip what is too large.
pub(crate) const FLOOR: Modes = Modes {
    rounding: FixedRounding::Trn,
    overflow: Overflow::Sat,
    saturated_bits: 0,
};

/// Where the parts of a softmax lie in the graph: the evidence that it is recovered from. `None` is what nothing reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SoftmaxMark {
    pub(crate) largest: Option<Value>,
    /// The largest logit less each.
    pub(crate) distances: Vec<Option<Value>>,
    pub(crate) exponentials: Vec<Option<Value>>,
    /// The sum of the exponentials less [`offset`].
    pub(crate) sum: Option<Value>,
    pub(crate) inverse: Option<Value>,
    /// Each exponential times the inverse.
    pub(crate) products: Vec<Option<Value>>,
}

impl SoftmaxMark {
    /// All values, to be renamed.
    pub(crate) fn values(&mut self) -> impl Iterator<Item = &mut Option<Value>> {
        [&mut self.largest, &mut self.sum, &mut self.inverse]
            .into_iter()
            .chain(&mut self.distances)
            .chain(&mut self.exponentials)
            .chain(&mut self.products)
    }
}

/// What is taken off the sum of the exponentials, so that its bits above the inverses' shift are an address: nothing, where
/// the least sum has zeros below them.
pub(crate) fn offset(softmax: &SoftmaxProgram) -> i64 {
    if softmax.inverse_shift > softmax.tables.exp_fraction {
        one(softmax)
    } else {
        0
    }
}

/// The exponential of nothing: the least sum.
pub(crate) fn one(softmax: &SoftmaxProgram) -> i64 {
    1 << softmax.tables.exp_fraction
}

/// The exponential of a distance in units of the logits.
pub(crate) fn exponential(softmax: &SoftmaxProgram, distance: i64) -> i64 {
    softmax.exp[softmax.address(distance.unsigned_abs())].into()
}

/// The inverse of a sum that [`offset`] was taken off.
pub(crate) fn inverse(softmax: &SoftmaxProgram, sum: i64) -> i64 {
    let bucket = (sum + offset(softmax) - one(softmax)) >> softmax.inverse_shift;
    softmax.inverse[bucket as usize].into()
}

/// How far a product is shifted to be a probability: to the right, or to the left where it is negative.
pub(crate) fn product_shift(softmax: &SoftmaxProgram) -> i32 {
    let tables = &softmax.tables;
    (tables.exp_fraction + tables.inverse_fraction) as i32 - tables.output_fraction as i32
}

/// What a distance to the largest of values in `largest` may be, of one in `logit`.
pub(crate) fn distance_range(largest: Interval, logit: Interval) -> Interval {
    Interval {
        lo: (largest.lo - logit.hi).max(0),
        hi: largest.hi - logit.lo,
    }
}

/// What carries the probabilities of `logits`, which belong to step `step`, and where its parts are.
pub(crate) fn softmax(
    nodes: &mut Vec<Node>,
    logits: &[Value],
    step: u32,
    softmax: &SoftmaxProgram,
) -> (Vec<Value>, SoftmaxMark) {
    let largest = largest(nodes, logits, step, softmax.logit_fraction);
    let mut tree = Tree {
        parts: Parts { nodes, step },
        softmax,
    };
    let distances = logits.iter().map(|logit| tree.distance(largest, *logit));
    let distances: Vec<Value> = distances.collect();
    let exponentials = distances.iter().map(|distance| tree.exponential(*distance));
    let exponentials: Vec<Value> = exponentials.collect();
    let sum = tree.sum(&exponentials);
    let inverse = tree.inverse(sum);
    let tables = &softmax.tables;
    let fraction = tables.inverse_fraction as i32;
    let thrice = tree.parts.add(inverse, inverse.shifted(1), false, fraction);
    let fraction = fraction + tables.exp_fraction as i32;
    let times = |exponential: &Value| tree.parts.product(*exponential, inverse, thrice, fraction);
    let products: Vec<Value> = exponentials.iter().map(times).collect();
    let probabilities = products.iter().map(|product| tree.probability(*product));
    let probabilities = probabilities.collect();
    let all = |values: Vec<Value>| values.into_iter().map(Some).collect();
    let mark = SoftmaxMark {
        largest: Some(largest),
        distances: all(distances),
        exponentials: all(exponentials),
        sum: Some(sum),
        inverse: Some(inverse),
        products: all(products),
    };
    (probabilities, mark)
}

struct Tree<'a> {
    parts: Parts<'a>,
    softmax: &'a SoftmaxProgram,
}

impl Tree<'_> {
    fn node(&mut self, wire: Wire) -> &mut Node {
        &mut self.parts.nodes[wire.0 as usize]
    }

    fn distance(&mut self, largest: Value, logit: Value) -> Value {
        if largest == logit {
            return Value::Constant(0);
        }
        let [of_largest, of_logit] = [largest, logit].map(|value| value.range(self.parts.nodes));
        let fraction = self.softmax.logit_fraction;
        let distance = self.parts.add(largest, logit, true, fraction);
        if let Value::Wire(Operand { wire, shift }) = distance
            && matches!(logit, Value::Wire(_))
        {
            // Never negative: the one is the largest of all, the other too.
            let range = distance_range(of_largest, of_logit);
            self.node(wire).range = Interval {
                lo: range.lo >> shift,
                hi: range.hi >> shift,
            };
        }
        distance
    }

    fn exponential(&mut self, distance: Value) -> Value {
        let softmax = self.softmax;
        let Operand { wire, shift } = match distance {
            Value::Constant(code) => return Value::Constant(exponential(softmax, code)),
            Value::Wire(operand) => operand,
        };
        let finer = softmax.logit_fraction - softmax.tables.address_fraction as i32 - shift as i32;
        let dropped = finer.clamp(0, 62).unsigned_abs();
        let of_key = |key: i64| exponential(softmax, key << dropped << shift);
        let range = self.node(wire).range;
        let (first, last) = (range.lo >> dropped, range.hi >> dropped);
        // From here on all distances have one exponential.
        let (mut top, mut above) = (first, last);
        while top < above {
            let middle = top + (above - top) / 2;
            if of_key(middle) == of_key(last) {
                above = middle;
            } else {
                top = middle + 1;
            }
        }
        let highest = (1_i64 << Interval::point(top).width()) - 1;
        let of_exponentials = softmax.tables.exp_fraction as i32;
        if top == first || last <= highest {
            return self.table(wire, dropped, (first, last), of_exponentials, of_key);
        }
        let address = Operation::Requantize {
            source: wire,
            right_shift: dropped as i32,
            range: Interval { lo: 0, hi: highest },
            modes: FLOOR,
        };
        let range = Interval {
            lo: first,
            hi: highest,
        };
        let fraction = softmax.logit_fraction - (shift + dropped) as i32;
        let address = self.parts.push(address, range, fraction);
        self.table(address, 0, (first, highest), of_exponentials, of_key)
    }

    /// A table of a wire's bits above those that are dropped, or the constant that it is.
    fn table(
        &mut self,
        source: Wire,
        dropped: u32,
        (first, last): (i64, i64),
        fraction: i32,
        entry: impl Fn(i64) -> i64,
    ) -> Value {
        let (lo, hi) = (entry(last), entry(first));
        if lo == hi {
            return Value::Constant(lo);
        }
        let table = Operation::Table {
            source,
            dropped,
            first,
            codes: (first..=last).map(entry).collect(),
        };
        let wire = self.parts.push(table, Interval { lo, hi }, fraction);
        Value::Wire(Operand { wire, shift: 0 })
    }

    fn sum(&mut self, exponentials: &[Value]) -> Value {
        let offset = offset(self.softmax);
        let mut values = exponentials.to_vec();
        if offset > 0 {
            values.push(Value::Constant(-offset));
        }
        let fraction = self.softmax.tables.exp_fraction as i32;
        let sum = self.parts.sum(values, fraction);
        let least = one(self.softmax) - offset;
        if let Value::Wire(operand) = sum {
            // The largest logit is one of them.
            let node = self.node(operand.wire);
            node.range.lo = node.range.lo.max(least >> operand.shift);
        }
        sum
    }

    fn inverse(&mut self, sum: Value) -> Value {
        let softmax = self.softmax;
        let Operand { wire, shift } = match sum {
            Value::Constant(sum) => return Value::Constant(inverse(softmax, sum)),
            Value::Wire(operand) => operand,
        };
        let dropped = softmax.inverse_shift.saturating_sub(shift);
        let range = self.node(wire).range;
        let addresses = (range.lo >> dropped, range.hi >> dropped);
        let fraction = softmax.tables.inverse_fraction as i32;
        self.table(wire, dropped, addresses, fraction, |address| {
            inverse(softmax, address << dropped << shift)
        })
    }

    fn probability(&mut self, product: Value) -> Value {
        let right_shift = product_shift(self.softmax);
        let Operand { wire, shift } = match product {
            Value::Constant(code) if right_shift < 0 => {
                return Value::Constant(code << right_shift.unsigned_abs());
            }
            Value::Constant(code) => return Value::Constant(code >> right_shift),
            Value::Wire(operand) => operand,
        };
        let right_shift = right_shift - shift as i32;
        if right_shift <= 0 {
            let shift = right_shift.unsigned_abs();
            return Value::Wire(Operand { wire, shift });
        }
        let range = self.node(wire).range;
        let range = Interval {
            lo: range.lo >> right_shift,
            hi: range.hi >> right_shift,
        };
        let output_fraction = self.softmax.tables.output_fraction;
        let floor = Operation::Requantize {
            source: wire,
            right_shift,
            range: Interval {
                lo: 0,
                hi: 1 << output_fraction,
            },
            modes: FLOOR,
        };
        let wire = self.parts.push(floor, range, output_fraction as i32);
        Value::Wire(Operand { wire, shift: 0 })
    }
}
