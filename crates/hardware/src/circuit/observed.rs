//! Ranges of a program's values as rows of data have them, narrower than what interval analysis must allow for.
//!
//! The rule this module keeps: ranges of data are asked for, never assumed, and say so wherever the circuit goes: it equals
//! integer inference on rows whose values stay within them, and may wrap on others.

use super::linear_map::Step;
use super::node::{Node, Operation, Value, Wire};
use bitfront_network::{IntegerProgram, Interval};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the ranges of a circuit's sums are taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ranges {
    /// From interval analysis: they hold on every input.
    #[default]
    Proven,
    /// From the train rows, within those of the analysis: they hold on rows like these.
    Data,
}

/// Smallest and largest values of each layer's channels over rows of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// A layer, a channel; in units of the layer's output.
    layers: Vec<Vec<Interval>>,
}

impl Observed {
    /// The ranges over rows of input codes, row-major `rows x inputs`; without rows those of the analysis.
    ///
    /// # Panics
    /// As [`IntegerProgram::logits`].
    pub fn of(program: &IntegerProgram, input_codes: &[i32]) -> Self {
        let proven = program.layers.iter().map(|layer| &layer.output.range);
        let mut seen: Vec<Vec<Option<Interval>>> = proven
            .clone()
            .map(|range| vec![None; range.len()])
            .collect();
        for row in input_codes.chunks_exact(program.inputs()) {
            for (seen, values) in seen.iter_mut().zip(program.trace(row)) {
                let channels = seen.len();
                for (element, value) in values.into_iter().enumerate() {
                    let range = &mut seen[element % channels];
                    let point = Interval::point(value);
                    *range = Some(range.map_or(point, |range| range.hull(point)));
                }
            }
        }
        let known = |(seen, proven): (Vec<Option<Interval>>, &Vec<Interval>)| {
            let channels = seen.into_iter().zip(proven);
            channels
                .map(|(seen, proven)| seen.unwrap_or(*proven))
                .collect()
        };
        Self {
            layers: seen.into_iter().zip(proven).map(known).collect(),
        }
    }

    /// How many rows of input codes have a value outside: on all others the circuit equals integer inference.
    ///
    /// # Panics
    /// As [`IntegerProgram::logits`].
    pub fn rows_outside(&self, program: &IntegerProgram, input_codes: &[i32]) -> usize {
        let outside = |row: &&[i32]| {
            let values = program.trace(row);
            self.layers.iter().zip(&values).any(|(ranges, values)| {
                let elements = values.iter().enumerate();
                let mut ranged = elements.map(|(at, value)| (value, ranges[at % ranges.len()]));
                ranged.any(|(value, range)| !(range.lo..=range.hi).contains(value))
            })
        };
        let rows = input_codes.chunks_exact(program.inputs());
        rows.filter(outside).count()
    }

    /// What is left of the interval of an element that a step gives. What a separable convolution has between its steps is
    /// not observed, and an interval that holds no observed value is left as it is.
    pub(super) fn within(
        &self,
        layer: usize,
        step: Step,
        element: usize,
        range: Interval,
    ) -> Interval {
        match self.of_step(layer, step) {
            Some(channels) => common(range, channels[element % channels.len()]),
            None => range,
        }
    }

    fn of_step(&self, layer: usize, step: Step) -> Option<&[Interval]> {
        let channels = self.layers.get(layer).filter(|_| step != Step::Depthwise)?;
        Some(channels)
    }

    /// Narrows the sums that a linear step ends in, nodes from `first` on: what stood before has readers that were built
    /// for its range. A sum that carries several elements holds those of all.
    pub(super) fn narrow(
        &self,
        nodes: &mut [Node],
        first: usize,
        layer: usize,
        step: Step,
        values: &[Value],
    ) {
        let Some(channels) = self.of_step(layer, step) else {
            return;
        };
        let mut sums: BTreeMap<Wire, Interval> = BTreeMap::new();
        for (element, value) in values.iter().enumerate() {
            let Value::Wire(operand) = *value else {
                continue;
            };
            let seen = channels[element % channels.len()];
            // The wire's bits below are zeros of the element.
            let seen = Interval {
                lo: seen.lo >> operand.shift,
                hi: seen.hi >> operand.shift,
            };
            let sum = sums.entry(operand.wire).or_insert(seen);
            *sum = sum.hull(seen);
        }
        for (wire, seen) in sums {
            let node = &mut nodes[wire.0 as usize];
            if wire.0 as usize >= first && matches!(node.operation, Operation::Add { .. }) {
                node.range = common(node.range, seen);
            }
        }
    }
}

/// What both hold; the first where that is nothing.
fn common(range: Interval, seen: Interval) -> Interval {
    let both = Interval {
        lo: range.lo.max(seen.lo),
        hi: range.hi.min(seen.hi),
    };
    if both.lo <= both.hi { both } else { range }
}
