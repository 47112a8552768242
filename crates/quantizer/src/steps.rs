//! A quantizer as a step function of an integer accumulator.

use crate::arguments::power_of_two;
use crate::po2::{EPSILON, Exact};
use crate::{Grid, NotExact, Quantizer, Role};

/// Most levels a step function may have: the 4096 codes of an activation twice, since the hard swish falls before
/// it rises.
const MOST_LEVELS: usize = 8192;

/// A quantizer on integers: `codes[number of thresholds <= x]`. Codes ascend, but for the hard
/// swish, which falls first, and the power-of-two families around zero, where magnitudes below epsilon have a level of
/// their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFunction {
    /// Ascending.
    pub thresholds: Vec<i64>,
    /// One more than there are thresholds.
    pub codes: Vec<i64>,
}

impl StepFunction {
    /// The code of `x`.
    pub fn code(&self, x: i64) -> i64 {
        self.codes[self.thresholds.partition_point(|t| *t <= x)]
    }
}

impl Quantizer {
    /// This quantizer as a step function of integers read with `fraction`, over `lo..=hi`.
    ///
    /// # Errors
    /// [`NotExact`] as for [`Quantizer::grid`], for maps that begin anew again and again (those `ap_fixed` that do not
    /// saturate), and for more than 8192 levels.
    pub fn step_function(&self, fraction: i32, lo: i64, hi: i64) -> Result<StepFunction, NotExact> {
        let grid = self.grid(Role::Activation)?;
        if !self.is_monotone() && !matches!(self, Self::QuantizedHswish(_)) {
            return Err(self.refuse(
                Role::Activation,
                "it is not monotone, so it is no step function; its codes come from code_of",
            ));
        }
        let hi = hi.max(lo);
        let mut steps = Steps {
            quantizer: self,
            grid,
            fraction,
            found: StepFunction {
                thresholds: Vec::new(),
                codes: vec![self.code_on(grid, lo, fraction)],
            },
        };
        let mut start = lo;
        for next in self.bends(fraction) {
            if start < next && next <= hi {
                steps.segment(start, next - 1)?;
                steps.arrive(next)?;
                start = next;
            }
        }
        steps.segment(start, hi)?;
        Ok(steps.found)
    }

    /// First integers of the pieces on which this quantizer is monotone, ascending.
    fn bends(&self, fraction: i32) -> Vec<i64> {
        let slope = match self {
            Self::QuantizedPo2(_) => 0,
            Self::QuantizedReluPo2(q) => power_of_two(q.negative_slope).unwrap_or(0),
            Self::QuantizedHswish(q) => return vec![q.first_rising(fraction)],
            _ => return Vec::new(),
        };
        let above = first_not_below_epsilon(fraction);
        let below = first_not_below_epsilon(fraction - slope);
        [below.saturating_neg().saturating_add(1), 0, above].into()
    }
}

/// The smallest positive n with `n * 2^-fraction >= epsilon`, or `i64::MAX`.
fn first_not_below_epsilon(fraction: i32) -> i64 {
    let epsilon = Exact::of(f64::from(EPSILON));
    let below = |n: i64| {
        Exact {
            mantissa: n.unsigned_abs(),
            exponent: -fraction,
        }
        .below(epsilon)
    };
    if below(i64::MAX) {
        return i64::MAX;
    }
    let (mut lo, mut hi) = (0, i64::MAX);
    while hi - lo > 1 {
        let middle = lo + (hi - lo) / 2;
        if below(middle) {
            lo = middle;
        } else {
            hi = middle;
        }
    }
    hi
}

struct Steps<'a> {
    quantizer: &'a Quantizer,
    grid: Grid,
    fraction: i32,
    found: StepFunction,
}

impl Steps<'_> {
    fn code(&self, x: i64) -> i64 {
        self.quantizer.code_on(self.grid, x, self.fraction)
    }

    /// Notes the code from `x` on, if it is another than before.
    fn arrive(&mut self, x: i64) -> Result<(), NotExact> {
        let code = self.code(x);
        if self.found.codes.last() != Some(&code) {
            if self.found.codes.len() == MOST_LEVELS {
                return Err(self.quantizer.refuse(
                    Role::Activation,
                    format!("it has more than {MOST_LEVELS} steps over its accumulator's range"),
                ));
            }
            self.found.thresholds.push(x);
            self.found.codes.push(code);
        }
        Ok(())
    }

    /// Finds the steps of a monotone piece `a..=b` whose start has been noted.
    fn segment(&mut self, a: i64, b: i64) -> Result<(), NotExact> {
        let mut at = a;
        let last = self.code(b);
        while self.code(at) != last {
            let code = self.code(at);
            let (mut same, mut other) = (at, b);
            while other - 1 > same {
                let middle = same + (other - same) / 2;
                if self.code(middle) == code {
                    same = middle;
                } else {
                    other = middle;
                }
            }
            self.arrive(other)?;
            at = other;
        }
        Ok(())
    }
}
