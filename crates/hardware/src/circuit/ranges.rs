//! Intervals of a program's elements, step by step, from the program and, where a circuit is built within them, the ranges
//! of data.
//!
//! A code that is known beforehand leaves its accumulator unread, so nothing in the graph shows that it
//! is right. These intervals do.

use super::activation::{Activated, Activation};
use super::build::shifted;
use super::linear_map::{LinearMap, Row, source_formats};
use super::maximum::under_window;
use super::movement::moved;
use super::node::{Operand, StepMark, Value, Wire};
use super::observed::Observed;
use bitfront_network::{IntegerOperation, IntegerProgram, Interval};

/// Intervals of every step's output elements; `None` from the first step on that has none.
pub(crate) fn ranges(
    program: &IntegerProgram,
    steps: &[StepMark],
    observed: Option<&Observed>,
) -> Option<Vec<Vec<Interval>>> {
    let input: Vec<Interval> = (0..program.input.size())
        .map(|element| program.input.range[element % program.input.channels()])
        .collect();
    let mut all: Vec<Vec<Interval>> = Vec::with_capacity(steps.len());
    for mark in steps {
        let read: Vec<&[Interval]> = mark
            .sources
            .iter()
            .map(|source| match source {
                None => input.as_slice(),
                Some(step) => all[*step].as_slice(),
            })
            .collect();
        let ranges = of_step(program, mark, &read, observed)?;
        all.push(ranges);
    }
    Some(all)
}

fn of_step(
    program: &IntegerProgram,
    mark: &StepMark,
    read: &[&[Interval]],
    observed: Option<&Observed>,
) -> Option<Vec<Interval>> {
    let layer = program.layers.get(mark.layer)?;
    let formats = source_formats(program, layer);
    if let Some(moved) = moved(&layer.operation, &formats, read, Interval::point(0)) {
        return Some(moved);
    }
    let inputs = read.concat();
    if let Some(map) = LinearMap::of(program, layer, mark.step) {
        let narrowed = |(element, row)| {
            let range = of_row(row, &inputs);
            observed.map_or(range, |observed| {
                observed.within(mark.layer, mark.step, element, range)
            })
        };
        return Some(map.rows().enumerate().map(narrowed).collect());
    }
    let format = *formats.first()?;
    let outputs = 0..layer.output.size();
    match &layer.operation {
        IntegerOperation::Activation(rule) => outputs
            .map(|element| {
                let channel = element % format.channels();
                Activation::new(rule, channel, format.fraction[channel]).image(inputs[element])
            })
            .collect(),
        IntegerOperation::MaxPool(geometry) => outputs
            .map(|element| {
                let under = under_window(geometry, format.channels(), element);
                let larger = |one: Interval, other: Interval| Interval {
                    lo: one.lo.max(other.lo),
                    hi: one.hi.max(other.hi),
                };
                under.into_iter().map(|from| inputs[from]).reduce(larger)
            })
            .collect(),
        _ => None,
    }
}

fn of_row(row: &Row, inputs: &[Interval]) -> Interval {
    let mut range = Interval::point(row.constant);
    for &(input, weight) in &row.weights {
        let coefficient = row.coefficient(weight);
        let ends = [
            inputs[input].lo * coefficient,
            inputs[input].hi * coefficient,
        ];
        range.lo += ends[0].min(ends[1]);
        range.hi += ends[0].max(ends[1]);
    }
    range
}

impl Activation<'_> {
    /// The interval of the codes of accumulators in `range`; `None` for rules without a circuit.
    pub(crate) fn image(&self, range: Interval) -> Option<Interval> {
        // Any wire will do: only its interval counts.
        let wire = Value::Wire(Operand {
            wire: Wire(0),
            shift: 0,
        });
        Some(match self.of(wire, range)? {
            Activated::Known(code) => Interval::point(code),
            Activated::Wire(Operand { shift, .. }) => shifted(range, shift),
            Activated::Node(_, image, shift) => shifted(image, shift),
        })
    }
}
