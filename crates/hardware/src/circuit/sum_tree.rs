//! Sums of shifted wires as balanced adder trees: a heap joins the two earliest, smallest operands.

use super::node::{Node, Operand, Operation, Value, Wire};
use bitfront_network::Interval;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

/// A term of a sum: plus or minus a shifted wire, which is `coefficients` times the layer's inputs.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub(crate) operand: Operand,
    pub(crate) negative: bool,
    pub(crate) depth: u32,
    pub(crate) form: LinearForm,
}

/// A linear function of the layer's input wires, as the unshifted, unsigned wire has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LinearForm {
    /// Input number to coefficient, zeros left out.
    pub(crate) coefficients: BTreeMap<usize, i64>,
    pub(crate) constant: i64,
}

impl LinearForm {
    /// `self * scale + other * other_scale`.
    pub(crate) fn combine(&self, scale: i64, other: &Self, other_scale: i64) -> Self {
        let mut sum = Self {
            coefficients: self
                .coefficients
                .iter()
                .map(|(&input, &c)| (input, c * scale))
                .collect(),
            constant: self.constant * scale + other.constant * other_scale,
        };
        for (&input, &coefficient) in &other.coefficients {
            *sum.coefficients.entry(input).or_insert(0) += coefficient * other_scale;
        }
        sum.coefficients.retain(|_, coefficient| *coefficient != 0);
        sum
    }

    /// The exact interval over all inputs in their ranges.
    pub(crate) fn interval(&self, inputs: &[Interval]) -> Interval {
        let mut range = Interval {
            lo: self.constant,
            hi: self.constant,
        };
        for (&input, &coefficient) in &self.coefficients {
            let ends = [
                inputs[input].lo * coefficient,
                inputs[input].hi * coefficient,
            ];
            range.lo += ends[0].min(ends[1]);
            range.hi += ends[0].max(ends[1]);
        }
        range
    }
}

/// Adders of a layer by what they do: outputs that need the same sum share it.
pub(crate) type Shared = HashMap<(Operand, Operand, bool), Wire>;

/// What the sums of one layer are built on.
pub(crate) struct SumBuilder<'a> {
    pub(crate) nodes: &'a mut Vec<Node>,
    /// Intervals of the wires that carry the layer's inputs.
    pub(crate) inputs: &'a [Interval],
    pub(crate) layer: u32,
    pub(crate) shared: Shared,
    /// Fraction bits of the sum.
    pub(crate) fraction: i32,
}

impl SumBuilder<'_> {
    /// Adds the terms and `constant`, in units of the sum; returns what carries it.
    pub(crate) fn sum(&mut self, mut terms: Vec<Term>, constant: i64) -> Value {
        if terms.is_empty() {
            return Value::Constant(constant);
        }
        if constant != 0 {
            terms.push(self.constant_term(constant));
        }
        match self.joined(terms) {
            None => Value::Constant(0),
            Some(sum) => Value::Wire(self.positive(&sum)),
        }
    }

    /// Adds the terms as a balanced tree; the sum may be a negative term.
    pub(crate) fn joined(&mut self, terms: Vec<Term>) -> Option<Term> {
        let mut heap = BinaryHeap::new();
        let mut pool: Vec<Option<Term>> = Vec::with_capacity(2 * terms.len());
        for term in terms {
            self.enqueue(&mut heap, &mut pool, term);
        }
        loop {
            let first = take(&mut heap, &mut pool)?;
            let Some(second) = take(&mut heap, &mut pool) else {
                return Some(first);
            };
            let sum = self.add(&first, &second);
            self.enqueue(&mut heap, &mut pool, sum);
        }
    }

    fn enqueue(
        &self,
        heap: &mut BinaryHeap<Reverse<(u32, u32, u32, usize)>>,
        pool: &mut Vec<Option<Term>>,
        term: Term,
    ) {
        let top = term.operand.shift + self.nodes[term.operand.wire.0 as usize].width();
        heap.push(Reverse((term.depth, top, term.operand.shift, pool.len())));
        pool.push(Some(term));
    }

    fn push(&mut self, operation: Operation, form: &LinearForm, shift: u32) -> Wire {
        let wire = Wire(self.nodes.len() as u32);
        self.nodes.push(Node {
            operation,
            range: form.interval(self.inputs),
            fraction: self.fraction - shift as i32,
            stage: 0,
            layer: self.layer,
        });
        wire
    }

    fn constant_term(&mut self, constant: i64) -> Term {
        let shift = constant.trailing_zeros();
        let value = constant >> shift;
        let form = LinearForm {
            constant: value,
            ..LinearForm::default()
        };
        Term {
            operand: Operand {
                wire: self.push(Operation::Constant { value }, &form, shift),
                shift,
            },
            negative: false,
            depth: 0,
            form,
        }
    }

    /// One adder. Two negative terms stay negative; of two different ones the negative is
    /// subtracted. The smaller shift moves behind the adder, where it is free.
    pub(crate) fn add(&mut self, first: &Term, second: &Term) -> Term {
        let subtract = first.negative != second.negative;
        let place = |term: &Term| (term.operand.wire, term.operand.shift);
        // The positive term stands first; of two alike, the earlier wire, so that equal sums are seen.
        let swap = if subtract {
            first.negative
        } else {
            place(second) < place(first)
        };
        let (left, right) = if swap {
            (second, first)
        } else {
            (first, second)
        };
        let shift = left.operand.shift.min(right.operand.shift);
        let lower = |term: &Term| Operand {
            shift: term.operand.shift - shift,
            ..term.operand
        };
        let (left_operand, right_operand) = (lower(left), lower(right));
        let right_scale = 1_i64 << right_operand.shift;
        let form = left.form.combine(
            1 << left_operand.shift,
            &right.form,
            if subtract { -right_scale } else { right_scale },
        );
        let key = (left_operand, right_operand, subtract);
        let wire = self.shared.get(&key).copied().unwrap_or_else(|| {
            let operation = Operation::Add {
                left: left_operand,
                right: right_operand,
                subtract,
            };
            let wire = self.push(operation, &form, shift);
            self.shared.insert(key, wire);
            wire
        });
        Term {
            operand: Operand { wire, shift },
            negative: left.negative,
            depth: first.depth.max(second.depth) + 1,
            form,
        }
    }

    /// The term's wire, negated by one more adder where the term is negative.
    fn positive(&mut self, term: &Term) -> Operand {
        if !term.negative {
            return term.operand;
        }
        let zero = LinearForm::default();
        let none = Operand {
            wire: self.push(Operation::Constant { value: 0 }, &zero, term.operand.shift),
            shift: 0,
        };
        let operation = Operation::Add {
            left: none,
            right: Operand {
                shift: 0,
                ..term.operand
            },
            subtract: true,
        };
        let form = zero.combine(1, &term.form, -1);
        Operand {
            wire: self.push(operation, &form, term.operand.shift),
            shift: term.operand.shift,
        }
    }
}

fn take(
    heap: &mut BinaryHeap<Reverse<(u32, u32, u32, usize)>>,
    pool: &mut [Option<Term>],
) -> Option<Term> {
    let Reverse((.., index)) = heap.pop()?;
    pool[index].take()
}
