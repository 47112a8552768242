//! Sums of values, and products of two values that are not negative: a choice among the multiples 0 to 3 of one for every
//! two bits of the other, then adders.
//!
//! Yosys makes three and a half times the LUTs of a `*` of 18 by 18 bits without DSP blocks. A choice reads five bits, so
//! that each of its bits is a LUT, or goes into that of the adder behind it; and its registers are placed as all others.

use super::linear_form::LinearForm;
use super::node::{Node, Operand, Operation, Value};
use super::{Circuit, Wire};
use bitfront_network::Interval;
use std::collections::{BTreeSet, HashMap};

/// Appends nodes of one step.
pub(crate) struct Parts<'a> {
    pub(crate) nodes: &'a mut Vec<Node>,
    pub(crate) step: u32,
}

impl Parts<'_> {
    pub(crate) fn push(&mut self, operation: Operation, range: Interval, fraction: i32) -> Wire {
        Node::push(self.nodes, self.step, operation, range, fraction)
    }

    /// The sum of values, of `fraction` bits right of the binary point: a balanced tree of neighbours.
    pub(crate) fn sum(&mut self, mut values: Vec<Value>, fraction: i32) -> Value {
        while values.len() > 1 {
            values = values
                .chunks(2)
                .map(|pair| match *pair {
                    [left, right] => self.add(left, right, false, fraction),
                    _ => pair[0],
                })
                .collect();
        }
        values.first().copied().unwrap_or(Value::Constant(0))
    }

    /// `left + right` or `left - right`. The smaller shift moves behind the adder, where it is free.
    pub(crate) fn add(
        &mut self,
        left: Value,
        right: Value,
        subtract: bool,
        fraction: i32,
    ) -> Value {
        let sign = if subtract { -1 } else { 1 };
        match (left, right) {
            (Value::Constant(left), Value::Constant(right)) => {
                return Value::Constant(left + sign * right);
            }
            (_, Value::Constant(0)) => return left,
            (Value::Constant(0), _) if !subtract => return right,
            _ => {}
        }
        let [left, right] =
            [left, right].map(|value| value.operand(self.nodes, self.step, fraction));
        let shift = left.shift.min(right.shift);
        let [left, right] = [left, right].map(|operand| Operand {
            shift: operand.shift - shift,
            ..operand
        });
        let [a, b] = [left, right].map(|operand| Value::Wire(operand).range(self.nodes));
        let range = if subtract {
            Interval {
                lo: a.lo - b.hi,
                hi: a.hi - b.lo,
            }
        } else {
            Interval {
                lo: a.lo + b.lo,
                hi: a.hi + b.hi,
            }
        };
        let operation = Operation::Add {
            left,
            right,
            subtract,
        };
        let wire = self.push(operation, range, fraction - shift as i32);
        Value::Wire(Operand { wire, shift })
    }

    /// `multiplier * multiplicand`, neither ever negative; `thrice` is three times the multiplicand.
    pub(crate) fn product(
        &mut self,
        multiplier: Value,
        multiplicand: Value,
        thrice: Value,
        fraction: i32,
    ) -> Value {
        let Operand { wire, shift } = match multiplier {
            Value::Constant(code) => {
                let digits = (0..Interval::point(code).width()).step_by(2);
                let times = digits.map(|bit| {
                    let multiple = match code >> bit & 3 {
                        0 => Value::Constant(0),
                        1 => multiplicand,
                        2 => multiplicand.shifted(1),
                        _ => thrice,
                    };
                    multiple.shifted(bit)
                });
                return self.sum(times.collect(), fraction);
            }
            Value::Wire(operand) => operand,
        };
        let [once, thrice] =
            [multiplicand, thrice].map(|value| value.operand(self.nodes, self.step, fraction));
        let most = self.nodes[wire.0 as usize].range.hi;
        let times = |bit: u32| {
            let digit = Operation::Digit {
                multiplier: wire,
                bit,
                once,
                thrice,
            };
            let range = Interval {
                lo: 0,
                hi: (most >> bit).min(3) * Value::Wire(once).range(self.nodes).hi,
            };
            let place = bit + shift;
            let wire = self.push(digit, range, fraction - place as i32);
            Value::Wire(Operand { wire, shift: place })
        };
        let digits = (0..Interval::point(most).width()).step_by(2);
        let digits = digits.map(times).collect();
        let product = self.sum(digits, fraction);
        if let Value::Wire(Operand { wire: root, shift }) = product {
            // Digits of the largest multiplier are not all as large as they may be.
            let [a, b] = [multiplier, multiplicand].map(|value| value.range(self.nodes));
            self.nodes[root.0 as usize].range = Interval {
                lo: (a.lo * b.lo) >> shift,
                hi: (a.hi * b.hi) >> shift,
            };
        }
        product
    }
}

impl Circuit {
    /// Proves that `value` is `multiplier * multiplicand`: the choices below it are of the multiplicand's multiples by two
    /// bits each, all bits of the multiplier among them, and are added at their places.
    pub(crate) fn check_product(
        &self,
        value: Value,
        multiplier: Value,
        multiplicand: Value,
    ) -> Result<(), String> {
        let once = form_of(multiplicand);
        let Value::Wire(Operand { wire, shift }) = multiplier else {
            let Value::Constant(code) = multiplier else {
                return Ok(());
            };
            let mut forms = seeds([multiplicand]);
            return self.check_form(value, &once.scaled(code), &mut forms);
        };
        let wire = self.unregistered(wire);
        let choices = self.choices_below(value);
        let mut expected = LinearForm::default();
        let mut places = BTreeSet::new();
        for choice in &choices {
            let Operation::Digit {
                multiplier,
                bit,
                once: of_once,
                thrice,
            } = self.node(*choice).operation
            else {
                continue;
            };
            if self.unregistered(multiplier) != wire {
                return Err("it chooses by another number".to_owned());
            }
            let mut forms = seeds([multiplicand]);
            self.check_form(Value::Wire(of_once), &once, &mut forms)?;
            if self.node(wire).range.hi >> bit > 2 {
                self.check_form(Value::Wire(thrice), &once.scaled(3), &mut forms)?;
            }
            places.insert(bit);
            let term = LinearForm::input(choice.0 as usize);
            expected = expected.combine(1, &term, 1_i64 << (bit + shift));
        }
        let all = (0..self.node(wire).width()).step_by(2);
        if places.len() != choices.len() || !all.eq(places) {
            return Err("it does not choose by every bit of the multiplier once".to_owned());
        }
        let choices = choices.into_iter();
        let mut forms = seeds(choices.map(|wire| Value::Wire(Operand { wire, shift: 0 })));
        self.check_form(value, &expected, &mut forms)
    }

    /// The choices that a sum adds.
    fn choices_below(&self, value: Value) -> Vec<Wire> {
        let Value::Wire(operand) = value else {
            return Vec::new();
        };
        let (mut open, mut seen) = (vec![operand.wire], BTreeSet::new());
        let mut choices = Vec::new();
        while let Some(wire) = open.pop() {
            if !seen.insert(wire) {
                continue;
            }
            match &self.node(wire).operation {
                Operation::Digit { .. } => choices.push(wire),
                operation @ (Operation::Add { .. } | Operation::Register { .. }) => {
                    open.extend(operation.sources());
                }
                _ => {}
            }
        }
        choices
    }

    /// Proves that adders make a value of the wires that `forms` starts from.
    pub(crate) fn check_form(
        &self,
        value: Value,
        expected: &LinearForm,
        forms: &mut HashMap<Wire, Option<LinearForm>>,
    ) -> Result<(), String> {
        let found = match value {
            Value::Constant(code) => Some(LinearForm::constant(code)),
            Value::Wire(operand) => self
                .form(operand.wire, forms)
                .map(|form| form.scaled(1 << operand.shift)),
        };
        match found {
            Some(found) if found == *expected => Ok(()),
            Some(found) => Err(format!("it is {found:?}, not {expected:?}")),
            None => Err("it is no sum of what it should be".to_owned()),
        }
    }
}

/// Forms to start from: the wires of these values, each an input of its own.
pub(crate) fn seeds(values: impl IntoIterator<Item = Value>) -> HashMap<Wire, Option<LinearForm>> {
    let wires = values.into_iter().filter_map(|value| match value {
        Value::Constant(_) => None,
        Value::Wire(operand) => Some(operand.wire),
    });
    wires
        .map(|wire| (wire, Some(LinearForm::input(wire.0 as usize))))
        .collect()
}

/// A value as what it is of wires.
pub(crate) fn form_of(value: Value) -> LinearForm {
    match value {
        Value::Constant(code) => LinearForm::constant(code),
        Value::Wire(operand) => {
            LinearForm::input(operand.wire.0 as usize).scaled(1 << operand.shift)
        }
    }
}

impl LinearForm {
    fn scaled(&self, scale: i64) -> Self {
        self.combine(scale, &Self::default(), 0)
    }
}
