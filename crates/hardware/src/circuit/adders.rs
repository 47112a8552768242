//! A linear step as adders: its constant matrix solved as one graph, in which biases are inputs too.

use super::linear_form::LinearForm;
use super::linear_map::{LinearMap, Row};
use super::multiplier::Multipliers;
use super::node::{Node, Operand, Operation, Value, Wire};
use crate::adder_graph::{GraphError, Matrix, Options, Output, Range, solve_cached};
use bitfront_network::Interval;
use std::collections::{BTreeMap, HashMap};

/// What carries each output element of a linear step.
///
/// # Errors
/// Of the graph search: sums wider than it takes.
pub(crate) fn linear(
    nodes: &mut Vec<Node>,
    map: &LinearMap,
    inputs: &[Value],
    step: u32,
    options: &Options,
    multipliers: Multipliers,
) -> Result<Vec<Value>, GraphError> {
    let ranges = inputs.iter().map(|value| match *value {
        Value::Constant(code) => Interval::point(code),
        Value::Wire(operand) => nodes[operand.wire.0 as usize].range,
    });
    let ranges: Vec<Interval> = ranges.collect();
    let mut adders = Adders {
        nodes,
        inputs,
        ranges: &ranges,
        step,
        options,
        multipliers,
        made: HashMap::new(),
        multiplied: HashMap::new(),
        fraction: 0,
    };
    let mut values = Vec::new();
    for group in &map.groups {
        values.extend(adders.group(group)?);
    }
    Ok(values)
}

/// The part of a row's shift that is in the matrix: all of it where nothing is multiplied later, so that
/// weights and constants are counted in the same whole units.
fn before(row: &Row) -> u32 {
    if row.multiplier == 1 { row.shift } else { 0 }
}

/// A shifted wire and what it is of the step's inputs, the shift apart.
#[derive(Clone, Debug)]
struct Term {
    wire: Wire,
    shift: i32,
    form: LinearForm,
}

struct Adders<'a> {
    nodes: &'a mut Vec<Node>,
    inputs: &'a [Value],
    /// Of the wires that carry the inputs.
    ranges: &'a [Interval],
    step: u32,
    options: &'a Options,
    multipliers: Multipliers,
    /// Adders by what they do: positions of a convolution share them.
    made: HashMap<(Operand, Operand, bool), Wire>,
    /// Products in DSP blocks by variable and factor: all weights of one odd part share one.
    multiplied: HashMap<(Wire, i64), Wire>,
    /// Fraction bits of a term without a shift.
    fraction: i32,
}

impl Adders<'_> {
    /// Rows that read about the same inputs: one matrix.
    fn group(&mut self, rows: &[Row]) -> Result<Vec<Value>, GraphError> {
        let on_wire = |element: &usize| matches!(self.inputs[*element], Value::Wire(_));
        let mut elements: Vec<usize> = rows
            .iter()
            .filter(|row| row.multiplier != 0)
            .flat_map(|row| row.weights.iter().map(|(element, _)| *element))
            .filter(on_wire)
            .collect();
        elements.sort_unstable();
        elements.dedup();
        let mut entries = vec![0; elements.len() * rows.len()];
        for (column, row) in rows.iter().enumerate() {
            for &(element, weight) in row.weights.iter().filter(|_| row.multiplier != 0) {
                if let Ok(place) = elements.binary_search(&element) {
                    entries[place * rows.len() + column] = weight << before(row);
                }
            }
        }
        let mut terms: Vec<Term> = elements.iter().filter_map(|&at| self.input(at)).collect();
        // What is known beforehand is one more input of the matrix, so that it joins where it is cheapest.
        for (column, row) in rows.iter().enumerate() {
            let constant = self.known(row);
            // A column of nothing else is known, and no wire.
            let alone = (0..elements.len()).all(|at| entries[at * rows.len() + column] == 0);
            if row.multiplier != 1 || constant == 0 || alone {
                continue;
            }
            let zeros = constant.trailing_zeros();
            let value = constant >> zeros;
            let form = LinearForm::constant(value);
            terms.push(Term {
                wire: self.push(Operation::Constant { value }, &form, zeros as i32),
                shift: zeros as i32,
                form,
            });
            entries.extend((0..rows.len()).map(|other| i64::from(other == column)));
        }
        let matrix = Matrix::new(terms.len(), rows.len(), entries, self.spans(&terms));
        if let Some(first) = rows.first() {
            self.fraction = first.fraction - (first.shift - before(first)) as i32;
        }
        let sums = self.product(matrix, terms)?;
        rows.iter()
            .zip(sums)
            .map(|(row, sum)| self.finished(row, sum))
            .collect()
    }

    fn input(&self, element: usize) -> Option<Term> {
        let Value::Wire(operand) = self.inputs[element] else {
            return None;
        };
        Some(Term {
            wire: operand.wire,
            shift: operand.shift as i32,
            form: LinearForm::input(element),
        })
    }

    fn spans(&self, terms: &[Term]) -> Vec<Range> {
        let span = |term: &Term| {
            let range = self.nodes[term.wire.0 as usize].range;
            Range::new(range.lo.into(), range.hi.into(), term.shift)
        };
        terms.iter().map(span).collect()
    }

    /// The product of terms and a matrix: of each column a term and whether its negative is meant.
    fn product(
        &mut self,
        matrix: Matrix,
        mut wires: Vec<Term>,
    ) -> Result<Vec<Option<(Term, bool)>>, GraphError> {
        let matrix = match self.multipliers {
            Multipliers::Luts => matrix,
            _ => self.multiply(&matrix, &mut wires),
        };
        let graph = solve_cached(&matrix, self.options)?;
        for adder in &graph.adders {
            let [a, mut b] = [adder.a, adder.b].map(|wire| wires[wire as usize].clone());
            b.shift += adder.shift;
            let sum = self.add(&a, &b, adder.subtract);
            wires.push(sum);
        }
        let output = |output: &Output| {
            let mut term = wires[output.wire? as usize].clone();
            term.shift += output.shift;
            Some((term, output.negative))
        };
        Ok(graph.outputs.iter().map(output).collect())
    }

    /// Takes the products that DSP blocks are for out of a matrix: what is left of it has a row for each of
    /// them, with powers of two.
    fn multiply(&mut self, matrix: &Matrix, terms: &mut Vec<Term>) -> Matrix {
        let columns = matrix.columns;
        let mut rows: Vec<Vec<i64>> = Vec::new();
        let mut kept: Vec<Term> = Vec::new();
        for (term, entries) in terms.iter().zip(matrix.entries.chunks(columns.max(1))) {
            let mut own = vec![0; columns];
            let mut products: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
            for (column, &entry) in entries.iter().enumerate() {
                let factor = (entry >> entry.trailing_zeros().min(63)).abs();
                if self.in_block(term.wire, factor) {
                    let row = products.entry(factor).or_insert_with(|| vec![0; columns]);
                    row[column] = entry / factor;
                } else {
                    own[column] = entry;
                }
            }
            if own.iter().any(|entry| *entry != 0) {
                kept.push(term.clone());
                rows.push(own);
            }
            for (factor, row) in products {
                kept.push(self.times(term, factor));
                rows.push(row);
            }
        }
        let spans = self.spans(&kept);
        *terms = kept;
        Matrix::new(terms.len(), columns, rows.concat(), spans)
    }

    fn in_block(&self, wire: Wire, factor: i64) -> bool {
        let node = &self.nodes[wire.0 as usize];
        let is_known = matches!(node.operation, Operation::Constant { .. });
        !is_known && self.multipliers.takes_block(node.range, factor)
    }

    /// One multiplier.
    fn times(&mut self, term: &Term, factor: i64) -> Term {
        let form = term.form.combine(factor, &LinearForm::default(), 0);
        let key = (term.wire, factor);
        let known = self.multiplied.get(&key).copied();
        let wire = known.unwrap_or_else(|| {
            let source = term.wire;
            let wire = self.push(Operation::Multiply { source, factor }, &form, term.shift);
            self.multiplied.insert(key, wire);
            wire
        });
        Term {
            wire,
            form,
            shift: term.shift,
        }
    }

    /// One adder. The smaller shift moves behind it, where it is free.
    fn add(&mut self, a: &Term, b: &Term, subtract: bool) -> Term {
        let shift = a.shift.min(b.shift);
        let lowered = |term: &Term| Operand {
            wire: term.wire,
            shift: (term.shift - shift).unsigned_abs(),
        };
        let (left, right) = (lowered(a), lowered(b));
        let scale = 1_i64 << right.shift;
        let scale = if subtract { -scale } else { scale };
        let form = a.form.combine(1 << left.shift, &b.form, scale);
        let key = (left, right, subtract);
        let known = self.made.get(&key).copied();
        let wire = known.unwrap_or_else(|| {
            let operation = Operation::Add {
                left,
                right,
                subtract,
            };
            let wire = self.push(operation, &form, shift);
            self.made.insert(key, wire);
            wire
        });
        Term { wire, shift, form }
    }

    fn push(&mut self, operation: Operation, form: &LinearForm, shift: i32) -> Wire {
        let wire = Wire(self.nodes.len() as u32);
        self.nodes.push(Node {
            operation,
            range: form.interval(self.ranges),
            fraction: self.fraction - shift,
            stage: 0,
            layer: self.step,
        });
        wire
    }

    /// The row's constant and the products of inputs that are known.
    fn known(&self, row: &Row) -> i64 {
        let products = row.weights.iter();
        let products = products.map(|&(element, weight)| match self.inputs[element] {
            Value::Constant(code) => code * weight,
            Value::Wire(_) => 0,
        });
        row.coefficient(products.sum()) + row.constant
    }

    /// The sum of a row, multiplied where the row says so, and all that is known beforehand.
    fn finished(&mut self, row: &Row, sum: Option<(Term, bool)>) -> Result<Value, GraphError> {
        let Some((mut sum, mut negative)) = sum else {
            return Ok(Value::Constant(self.known(row)));
        };
        // Without a multiplier it is in the sum already.
        let constant = if row.multiplier == 1 {
            0
        } else {
            self.known(row)
        };
        if row.multiplier != 1 {
            let spans = self.spans(std::slice::from_ref(&sum));
            let matrix = Matrix::new(1, 1, vec![row.multiplier], spans);
            let Some((product, negated)) = self.product(matrix, vec![sum])?.pop().flatten() else {
                return Ok(Value::Constant(constant));
            };
            (sum, negative) = (product, negative != negated);
        }
        self.fraction = row.fraction;
        sum.shift += (row.shift - before(row)) as i32;
        if constant != 0 || negative {
            let zeros = if constant == 0 {
                sum.shift.max(0).unsigned_abs()
            } else {
                constant.trailing_zeros()
            };
            let value = constant >> zeros;
            let form = LinearForm::constant(value);
            let addend = Term {
                wire: self.push(Operation::Constant { value }, &form, zeros as i32),
                shift: zeros as i32,
                form,
            };
            sum = if negative {
                self.add(&addend, &sum, true)
            } else {
                self.add(&sum, &addend, false)
            };
        }
        let shift = u32::try_from(sum.shift)
            .map_err(|_| GraphError::Width("an output of half a unit".to_owned()))?;
        Ok(Value::Wire(Operand {
            wire: sum.wire,
            shift,
        }))
    }
}
