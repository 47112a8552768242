//! Linear functions of a step's inputs, and their exact intervals.

use bitfront_network::Interval;
use std::collections::BTreeMap;

/// A sum of inputs times coefficients, and a constant.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LinearForm {
    /// Input number to coefficient, zeros left out.
    pub(crate) coefficients: BTreeMap<usize, i64>,
    pub(crate) constant: i64,
}

impl LinearForm {
    /// One input.
    pub(crate) fn input(number: usize) -> Self {
        Self {
            coefficients: [(number, 1)].into(),
            constant: 0,
        }
    }

    /// No input.
    pub(crate) fn constant(constant: i64) -> Self {
        Self {
            constant,
            ..Self::default()
        }
    }

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
        let mut range = Interval::point(self.constant);
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
