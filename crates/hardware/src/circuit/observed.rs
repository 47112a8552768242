//! Ranges of a program's values as rows of data have them, narrower than what interval analysis must allow for.
//!
//! The rule this module keeps: ranges of data are asked for, never assumed, and say so wherever the circuit goes: it equals
//! integer inference on rows whose values stay within them, and may wrap on others.

use super::linear_map::Step;
use super::node::{Node, Operation, Value, Wire};
use bitfront_network::{IntegerProgram, Interval};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

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
    /// The ranges over rows of input codes, row-major `rows x inputs`; without rows those of the analysis. `None` where
    /// `stopped` ended it, which is asked every block of rows.
    ///
    /// # Panics
    /// As [`IntegerProgram::logits`].
    pub fn of(
        program: &IntegerProgram,
        input_codes: &[i32],
        stopped: &dyn Fn() -> bool,
    ) -> Option<Self> {
        let proven = program.layers.iter().map(|layer| &layer.output.range);
        let mut layers: Vec<Vec<Interval>> = proven.cloned().collect();
        let mut is_first = true;
        let ended = program.traces(input_codes, |block| {
            for (ranges, values) in layers.iter_mut().zip(block) {
                if is_first {
                    ranges.fill(NOTHING);
                }
                for values in values.chunks_exact(ranges.len()) {
                    for (range, value) in ranges.iter_mut().zip(values) {
                        range.lo = range.lo.min(*value);
                        range.hi = range.hi.max(*value);
                    }
                }
            }
            is_first = false;
            unless(stopped)
        });
        ended.is_continue().then_some(Self { layers })
    }

    /// The rows of input codes that have a value outside: on all others the circuit equals integer inference. `None` as of
    /// [`Observed::of`].
    ///
    /// # Panics
    /// As [`IntegerProgram::logits`].
    pub fn rows_outside(
        &self,
        program: &IntegerProgram,
        input_codes: &[i32],
        stopped: &dyn Fn() -> bool,
    ) -> Option<Vec<usize>> {
        let mut outside = vec![false; input_codes.len() / program.inputs()];
        let mut done = 0;
        let ended = program.traces(input_codes, |block| {
            let rows = block.first().zip(program.layers.first());
            let rows = rows.map_or(0, |(values, layer)| values.len() / layer.output.size());
            for (ranges, values) in self.layers.iter().zip(block) {
                let each = values.chunks_exact(values.len() / rows.max(1));
                for (outside, values) in outside[done..].iter_mut().zip(each) {
                    *outside |= values.chunks_exact(ranges.len()).any(|values| {
                        let mut ranged = ranges.iter().zip(values);
                        ranged.any(|(range, value)| *value < range.lo || *value > range.hi)
                    });
                }
            }
            done += rows;
            unless(stopped)
        });
        let rows = outside.iter().enumerate();
        let rows = rows.filter_map(|(row, outside)| outside.then_some(row));
        ended.is_continue().then(|| rows.collect())
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

    /// Narrows the sums that a linear step ends in. A sum that carries several elements holds those of all. One of an earlier
    /// step, which this step passes on, is narrowed too: it is this step's element but for a shift, so that a row within the
    /// ranges has it within them; its readers were built for a wider range, which holds as well.
    pub(super) fn narrow(&self, nodes: &mut [Node], layer: usize, step: Step, values: &[Value]) {
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
            if matches!(node.operation, Operation::Add { .. }) {
                node.range = common(node.range, seen);
            }
        }
    }
}

/// What holds no value.
const NOTHING: Interval = Interval {
    lo: i64::MAX,
    hi: i64::MIN,
};

fn unless(stopped: &dyn Fn() -> bool) -> ControlFlow<()> {
    if stopped() {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
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
