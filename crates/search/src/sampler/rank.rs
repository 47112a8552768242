//! Non-dominated ranks and crowding distances, with constraints (Deb et al. 2002).

use crate::front::dominates;
use crate::scores::{Objectives, Standing};
use std::cmp::Ordering;

/// How good a trial is among others: a lower rank, then more room around it, then a lower number.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rank {
    /// 0 for the front, 1 for the front of the rest, and so on.
    pub(super) layer: u32,
    /// Crowding distance in its layer; infinite at the ends.
    pub(super) crowding: f64,
    /// Trial number.
    pub(super) number: u32,
}

impl Rank {
    /// `Less` is better; never `Equal` for two trials.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.layer
            .cmp(&other.layer)
            .then(other.crowding.total_cmp(&self.crowding))
            .then(self.number.cmp(&other.number))
    }
}

/// Whether `a` is the better trial: a feasible one beats an infeasible one, of two infeasible ones
/// the lesser violation, of two feasible ones the one that dominates.
fn beats(a: &Standing, b: &Standing) -> bool {
    match (a, b) {
        (Standing::Feasible(a), Standing::Feasible(b)) => dominates(a, b),
        (Standing::Infeasible { violation: a, .. }, Standing::Infeasible { violation: b, .. }) => {
            a < b
        }
        (Standing::Feasible(_), _) | (Standing::Infeasible { .. }, Standing::Unscored) => true,
        (Standing::Unscored | Standing::Infeasible { .. }, _) => false,
    }
}

fn objectives(standing: &Standing) -> &[f64] {
    match standing {
        Standing::Feasible(objectives) | Standing::Infeasible { objectives, .. } => {
            Objectives::values(objectives)
        }
        Standing::Unscored => &[],
    }
}

/// Ranks of `trials`, in their order. `O(n^2)` comparisons.
pub(super) fn ranks(trials: &[(u32, Standing)]) -> Vec<Rank> {
    let count = trials.len();
    let mut beaten_by = vec![0_usize; count];
    let mut beaten = vec![Vec::new(); count];
    for i in 0..count {
        for j in 0..count {
            if beats(&trials[i].1, &trials[j].1) {
                beaten[i].push(j);
                beaten_by[j] += 1;
            }
        }
    }
    let mut ranks: Vec<_> = trials
        .iter()
        .map(|(number, _)| Rank {
            layer: 0,
            crowding: 0.0,
            number: *number,
        })
        .collect();
    let mut layer: Vec<usize> = (0..count).filter(|&i| beaten_by[i] == 0).collect();
    let mut depth = 0;
    while !layer.is_empty() {
        let mut below = Vec::new();
        for &i in &layer {
            ranks[i].layer = depth;
            for &j in &beaten[i] {
                beaten_by[j] -= 1;
                if beaten_by[j] == 0 {
                    below.push(j);
                }
            }
        }
        crowd(trials, &layer, &mut ranks);
        below.sort_unstable();
        layer = below;
        depth += 1;
    }
    ranks
}

/// Adds, for each objective, the gap between a trial's neighbours relative to the layer's range.
fn crowd(trials: &[(u32, Standing)], layer: &[usize], ranks: &mut [Rank]) {
    let value = |i: usize, axis: usize| objectives(&trials[i].1)[axis];
    let axes = layer.first().map_or(0, |&i| objectives(&trials[i].1).len());
    for axis in 0..axes {
        let mut order = layer.to_vec();
        order.sort_by(|&a, &b| {
            let by_value = value(a, axis).total_cmp(&value(b, axis));
            by_value.then(trials[a].0.cmp(&trials[b].0))
        });
        let (first, last) = (order[0], order[order.len() - 1]);
        ranks[first].crowding = f64::INFINITY;
        ranks[last].crowding = f64::INFINITY;
        let range = value(last, axis) - value(first, axis);
        if range > 0.0 {
            for three in order.windows(3) {
                ranks[three[1]].crowding += (value(three[2], axis) - value(three[0], axis)) / range;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{beats, ranks};
    use crate::scores::{Objectives, Standing};
    use proptest::prelude::*;

    fn standing() -> impl Strategy<Value = Standing> {
        let objectives = (0..6_i32, 0..6_i32).prop_map(|(a, b)| {
            Objectives::minimised(vec![f64::from(a), f64::from(b)]).expect("finite")
        });
        (objectives, 0..4_i32).prop_map(|(objectives, excess)| match excess {
            0..=1 => Standing::Feasible(objectives),
            excess => Standing::Infeasible {
                objectives,
                violation: f64::from(excess),
            },
        })
    }

    proptest! {
        /// A trial's layer is one more than the deepest layer of those that beat it.
        #[test]
        fn layers_equal_their_definition(standings in prop::collection::vec(standing(), 0..30)) {
            let trials: Vec<_> = (0..).zip(standings).collect();
            let ranks = ranks(&trials);
            for (i, (number, this)) in trials.iter().enumerate() {
                let above = (0..trials.len()).filter(|&j| beats(&trials[j].1, this));
                let layer = above.map(|j| ranks[j].layer + 1).max().unwrap_or(0);
                prop_assert_eq!(ranks[i].layer, layer);
                prop_assert_eq!(ranks[i].number, *number);
                prop_assert!(ranks[i].crowding >= 0.0);
            }
        }
    }

    #[test]
    fn the_ends_of_a_layer_have_all_the_room() {
        let at =
            |a: f64, b: f64| Standing::Feasible(Objectives::minimised(vec![a, b]).expect("finite"));
        let trials = [
            (0, at(0.0, 10.0)),
            (1, at(1.0, 8.0)),
            (2, at(4.0, 6.0)),
            (3, at(10.0, 0.0)),
        ];
        let ranks = ranks(&trials);
        assert_eq!(ranks[0].crowding, f64::INFINITY);
        assert_eq!(ranks[1].crowding, 0.4 + 0.4);
        assert_eq!(ranks[2].crowding, 0.9 + 0.8);
        assert_eq!(ranks[3].crowding, f64::INFINITY);
    }
}
