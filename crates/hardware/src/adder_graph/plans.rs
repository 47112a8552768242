//! The ways to a graph that are tried: how columns are split, how pairs are ranked, how sums are joined.
//!
//! The numbers were found by trying 200 random settings on random and trained matrices, and then taking, one
//! after another, the setting that lowers the mean of the best price so far the most.

use super::build::Joining;
use super::share::Taste;

/// One way to a graph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    /// Of the tree over the columns; none for columns on their own.
    pub(super) penalty: Option<f64>,
    pub(super) taste: Taste,
    pub(super) joining: Joining,
}

const fn plan(
    penalty: Option<f64>,
    [first, price, span, base]: [f64; 4],
    [joined_span, slant, ragged]: [f64; 3],
) -> Plan {
    Plan {
        penalty,
        taste: Taste {
            first,
            price,
            overlap: 1.0,
            span,
            base,
            noise: 0.0,
            seed: 0,
        },
        joining: Joining {
            span: joined_span,
            slant,
            ragged,
        },
    }
}

/// The best first.
const PLANS: [Plan; 8] = [
    plan(Some(4.0), [0.0, 0.0, -0.4, 0.0], [0.0, 0.5, 0.15]),
    plan(Some(3.0), [0.5, 0.0, -0.1, 2.0], [0.0, 0.0, 0.15]),
    plan(Some(6.0), [1.0, 0.0, -0.4, 0.0], [4.0, 0.25, 0.5]),
    plan(Some(4.0), [1.0, 0.2, -0.4, 0.0], [0.0, 0.25, 0.8]),
    plan(Some(3.0), [0.5, -0.3, 0.0, 0.0], [2.0, 0.25, 0.15]),
    plan(None, [0.0, -0.3, -0.4, 2.0], [0.0, 0.25, 0.3]),
    plan(Some(2.0), [0.0, 0.0, 0.0, -2.0], [0.0, 0.25, 0.15]),
    plan(Some(5.0), [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.15]),
];

/// Shares by which scores are changed at random, round after round.
const NOISES: [f64; 2] = [0.15, 0.4];

/// Plan number `number` of an endless list: the settings found, then the same with scores changed at random.
pub(super) fn nth(number: usize) -> Plan {
    let mut plan = PLANS[number % PLANS.len()];
    if let Some(round) = (number / PLANS.len()).checked_sub(1) {
        plan.taste.noise = NOISES[round % NOISES.len()];
        plan.taste.seed = number as u64;
    }
    plan
}
