//! A linear step as adders: digits, shared pairs, trees, and constant multiplications of finished sums.

use super::digits::signed_digits;
use super::linear_map::{LinearMap, Row};
use super::node::{Node, Operand, Value};
use super::sharing::{Literal, Pair, share};
use super::sum_tree::{LinearForm, Shared, SumBuilder, Term};
use bitfront_network::Interval;
use std::collections::HashMap;

/// Rows as literals and the ranges of the symbols in them; and what sharing made of them.
type Problem = (Vec<Vec<Literal>>, Vec<Interval>);
type Solution = (Vec<Vec<Literal>>, Vec<Pair>);

/// The range of what a value carries, without its shift.
fn range_of(nodes: &[Node], value: Value) -> Interval {
    match value {
        Value::Constant(code) => Interval::point(code),
        Value::Wire(operand) => nodes[operand.wire.0 as usize].range,
    }
}

/// What carries each output element of a linear step.
pub(crate) fn linear(
    nodes: &mut Vec<Node>,
    map: &LinearMap,
    inputs: &[Value],
    step: u32,
) -> Vec<Value> {
    let ranges: Vec<Interval> = inputs.iter().map(|value| range_of(nodes, *value)).collect();
    let builder = SumBuilder {
        nodes,
        inputs: &ranges,
        layer: step,
        shared: Shared::new(),
        fraction: 0,
    };
    let mut adders = Adders {
        builder,
        inputs,
        solved: HashMap::new(),
    };
    map.groups
        .iter()
        .flat_map(|group| adders.group(group))
        .collect()
}

struct Adders<'a> {
    builder: SumBuilder<'a>,
    inputs: &'a [Value],
    /// Groups that are alike up to their place: the positions of a convolution.
    solved: HashMap<Problem, Solution>,
}

impl Adders<'_> {
    fn group(&mut self, rows: &[Row]) -> Vec<Value> {
        // The group's input elements in order are its symbols.
        let mut elements: Vec<usize> = rows
            .iter()
            .flat_map(|row| row.weights.iter().map(|(element, _)| *element))
            .collect();
        elements.sort_unstable();
        elements.dedup();
        let literals: Vec<Vec<Literal>> = rows
            .iter()
            .map(|row| self.literals(row, &elements))
            .collect();
        let symbols: Vec<Option<Term>> = elements.iter().map(|&at| self.input_term(at)).collect();
        let ranges = elements.iter().map(|&at| self.builder.inputs[at]).collect();
        if let Some(first) = rows.first() {
            self.builder.fraction = first.fraction;
        }
        let sums = self.reduced(literals, ranges, symbols);
        rows.iter()
            .zip(sums)
            .map(|(row, terms)| self.finished(row, terms))
            .collect()
    }

    /// The signed digits of a row's weights; with the row's shift where nothing comes between.
    fn literals(&self, row: &Row, elements: &[usize]) -> Vec<Literal> {
        let shift = match row.multiplier {
            0 => return Vec::new(),
            1 => row.shift,
            _ => 0,
        };
        let mut literals = Vec::new();
        for &(element, weight) in &row.weights {
            let Value::Wire(operand) = self.inputs[element] else {
                continue;
            };
            let symbol = elements.partition_point(|&other| other < element);
            literals.extend(signed_digits(weight).into_iter().map(|digit| Literal {
                symbol,
                shift: operand.shift + digit.shift + shift,
                negative: digit.negative,
            }));
        }
        literals
    }

    /// An input's wire as a term; its own shift is part of each literal.
    fn input_term(&self, input: usize) -> Option<Term> {
        let Value::Wire(operand) = self.inputs[input] else {
            return None;
        };
        Some(Term {
            operand: Operand {
                shift: 0,
                ..operand
            },
            negative: false,
            depth: 0,
            form: LinearForm {
                coefficients: [(input, 1)].into(),
                constant: 0,
            },
        })
    }

    /// The terms that remain of each row once common pairs are added.
    fn reduced(
        &mut self,
        rows: Vec<Vec<Literal>>,
        ranges: Vec<Interval>,
        mut symbols: Vec<Option<Term>>,
    ) -> Vec<Vec<Term>> {
        let problem = (rows, ranges);
        if !self.solved.contains_key(&problem) {
            let mut rows = problem.0.clone();
            let pairs = share(&mut rows, &problem.1);
            self.solved.insert(problem.clone(), (rows, pairs));
        }
        let (rows, pairs) = &self.solved[&problem];
        for &Pair { first, second } in pairs {
            let pair = match (term(&symbols, first), term(&symbols, second)) {
                (Some(first), Some(second)) => Some(self.builder.add(&first, &second)),
                _ => None,
            };
            symbols.push(pair);
        }
        let terms = |row: &Vec<Literal>| row.iter().filter_map(|&l| term(&symbols, l)).collect();
        rows.iter().map(terms).collect()
    }

    /// The sum of a row's terms, multiplied where the row says so, and all that is known beforehand.
    fn finished(&mut self, row: &Row, terms: Vec<Term>) -> Value {
        let known = row
            .weights
            .iter()
            .map(|&(element, weight)| match self.inputs[element] {
                Value::Constant(code) => code * weight,
                Value::Wire(_) => 0,
            });
        let constant = row.coefficient(known.sum()) + row.constant;
        self.builder.fraction = row.fraction;
        if row.multiplier == 1 {
            return self.builder.sum(terms, constant);
        }
        let Some(sum) = self.builder.joined(terms) else {
            return Value::Constant(constant);
        };
        // The finished sum is the only symbol of a row of the multiplier's digits.
        let literals = signed_digits(row.multiplier)
            .into_iter()
            .map(|digit| Literal {
                symbol: 0,
                shift: sum.operand.shift + digit.shift + row.shift,
                negative: sum.negative != digit.negative,
            });
        let range = sum.form.interval(self.builder.inputs);
        let symbol = Term {
            operand: Operand {
                shift: 0,
                ..sum.operand
            },
            negative: false,
            depth: 0,
            form: sum.form,
        };
        let terms = self.reduced(vec![literals.collect()], vec![range], vec![Some(symbol)]);
        let terms = terms.into_iter().flatten().collect();
        self.builder.sum(terms, constant)
    }
}

/// A literal as a term.
fn term(symbols: &[Option<Term>], literal: Literal) -> Option<Term> {
    let mut term = symbols[literal.symbol].clone()?;
    term.operand.shift += literal.shift;
    term.negative ^= literal.negative;
    Some(term)
}
