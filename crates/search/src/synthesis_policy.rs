//! Which trials of a search are owed a circuit.
//!
//! The rule this module keeps (promise P2): what is owed follows from the scores of the completed trials in
//! trial order, by estimates alone; never from the order of arrival, nor from what was measured so far.

use crate::scores::Standing;
use crate::search::SynthesisPolicy;
use crate::{Goal, Metric, Search, TrialScores};
use std::cmp::Ordering;

/// Accuracies are ratios of counts: 0.75 - 0.73 must count as 0.02.
const ROUNDING: f64 = 1e-9;

/// Numbers of the trials whose synthesis the search owes, in the order in which circuits are built.
///
/// `finished` are the completed trials with their scores, in any order. Under
/// * [`SynthesisPolicy::Front`]: of the front (estimates standing for what is not measured), those whose
///   validation accuracy lies within `max_accuracy_drop` of the front's best and whose `lut_estimate`
///   is within the limit; of these, the `count` smallest by `lut_estimate`, ties by higher accuracy,
///   then by lower number. Where values are predicted, the mean squared error stands for the accuracy;
/// * [`SynthesisPolicy::TopK`]: of the trials that meet every constraint (estimates standing for what is
///   not measured) and whose `lut_estimate` is within the limit, the `count` best by the metric, ties by
///   smaller `lut_estimate`, then by lower number;
/// * [`SynthesisPolicy::EveryNth`]: of the trials with costs in trial order, the `every`-th, the
///   `2 every`-th and so on, unless its `lut_estimate` is above the limit.
///
/// This is final once every trial is terminal; before that it names what would be owed now. The store
/// asks when the last trial ends, so that no circuit is built for a trial that leaves the front or the
/// best few later.
pub fn owed(search: &Search, finished: &[(u32, &TrialScores)]) -> Vec<u32> {
    match search.synthesis {
        SynthesisPolicy::None => Vec::new(),
        SynthesisPolicy::Front {
            count,
            max_accuracy_drop,
            max_lut_estimate,
        } => {
            let mut members = near_the_best(search, finished, max_accuracy_drop);
            members.retain(|member| within(max_lut_estimate, member.luts));
            members.sort_by(Priced::smallest_first);
            numbers(members, count)
        }
        SynthesisPolicy::TopK {
            count,
            metric,
            max_lut_estimate,
        } => {
            let mut best: Vec<(Priced, f64)> = finished
                .iter()
                .filter(|(_, scores)| {
                    matches!(search.expected_standing(scores), Standing::Feasible(_))
                })
                .filter_map(|(number, scores)| {
                    Some((Priced::new(*number, scores)?, metric.read(scores)?))
                })
                .filter(|(trial, _)| within(max_lut_estimate, trial.luts))
                .collect();
            best.sort_by(|(a, a_value), (b, b_value)| {
                let better = match metric.goal() {
                    Goal::Maximize => b_value.total_cmp(a_value),
                    Goal::Minimize => a_value.total_cmp(b_value),
                };
                better.then_with(|| Priced::smallest_first(a, b))
            });
            numbers(best.into_iter().map(|(trial, _)| trial), count)
        }
        SynthesisPolicy::EveryNth {
            every,
            max_lut_estimate,
        } => {
            let mut priced: Vec<Priced> = finished
                .iter()
                .filter_map(|(number, scores)| Priced::new(*number, scores))
                .collect();
            priced.sort_by_key(|trial| trial.number);
            let every = every.max(1) as usize;
            let sample = priced.into_iter().skip(every - 1).step_by(every);
            let small = sample.filter(|trial| within(max_lut_estimate, trial.luts));
            numbers(small, u32::MAX)
        }
    }
}

/// A completed trial with its costs, as far as policies look at it.
struct Priced {
    number: u32,
    quality: f64,
    luts: f64,
}

impl Priced {
    /// `None` for a float reference, which has no circuit.
    fn new(number: u32, scores: &TrialScores) -> Option<Self> {
        Some(Self {
            number,
            quality: scores.quality()?,
            luts: Metric::LutEstimate.read(scores)?,
        })
    }

    fn smallest_first(a: &Self, b: &Self) -> Ordering {
        let smaller = a.luts.total_cmp(&b.luts);
        smaller
            .then(b.quality.total_cmp(&a.quality))
            .then(a.number.cmp(&b.number))
    }
}

/// The members of the expected front that lie within `max_accuracy_drop` of its best.
fn near_the_best(
    search: &Search,
    finished: &[(u32, &TrialScores)],
    max_accuracy_drop: f64,
) -> Vec<Priced> {
    let front = search.expected_front(finished.iter().copied());
    let mut members: Vec<Priced> = finished
        .iter()
        .filter(|(number, _)| front.contains(number))
        .filter_map(|(number, scores)| Priced::new(*number, scores))
        .collect();
    let best = members
        .iter()
        .map(|member| member.quality)
        .fold(f64::NEG_INFINITY, f64::max);
    members.retain(|member| best - member.quality <= max_accuracy_drop + ROUNDING);
    members
}

fn within(limit: Option<u64>, luts: f64) -> bool {
    limit.is_none_or(|limit| luts <= limit as f64)
}

fn numbers(trials: impl IntoIterator<Item = Priced>, count: u32) -> Vec<u32> {
    let numbers = trials.into_iter().map(|trial| trial.number);
    numbers.take(count as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::owed;
    use crate::TrialScores;
    use crate::scores::Measured;
    use crate::testing::{float_scores, scores, search_with};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// Trials 10, 11 and so on.
    fn numbered(trials: &[TrialScores]) -> Vec<(u32, &TrialScores)> {
        (10..).zip(trials).collect()
    }

    #[test]
    fn the_smallest_members_near_the_best() {
        let front = [
            scores(0.75, 900), // 10: the best
            scores(0.74, 500), // 11
            scores(0.74, 500), // 12: the same again
            scores(0.73, 300), // 13
            scores(0.73, 400), // 14: dominated
            scores(0.60, 50),  // 15: too far below
        ];
        let policy = |synthesis| search_with(&json!({"synthesis": synthesis}));
        let search = policy(json!({"policy": "front", "count": 3, "max_accuracy_drop": 0.02}));
        assert_eq!(owed(&search, &numbered(&front)), [13, 11, 12]);
        let search = policy(json!({"policy": "front", "count": 9, "max_lut_estimate": 400}));
        assert_eq!(owed(&search, &numbered(&front)), [13]);
        let search = policy(json!({"policy": "front", "max_accuracy_drop": 1.0, "count": 2}));
        assert_eq!(owed(&search, &numbered(&front)), [15, 13]);
        assert_eq!(owed(&search, &[]), Vec::<u32>::new());
        let search = policy(json!({"policy": "none"}));
        assert_eq!(owed(&search, &numbered(&front)), Vec::<u32>::new());
    }

    fn owed_under(synthesis: &Value, trials: &[(u32, &TrialScores)]) -> Vec<u32> {
        owed(&search_with(&json!({"synthesis": synthesis})), trials)
    }

    #[test]
    fn the_best_by_a_metric() {
        let trials = [
            scores(0.73, 900), // 10
            float_scores(0.9), // 11: has no circuit
            scores(0.75, 600), // 12
            scores(0.75, 500), // 13: as good and smaller
            scores(0.74, 100), // 14
        ];
        let trials = numbered(&trials);
        let top =
            |count, metric: &str| json!({"policy": "top_k", "count": count, "metric": metric});
        assert_eq!(owed_under(&top(3, "accuracy"), &trials), [13, 12, 14]);
        assert_eq!(owed_under(&top(2, "lut_estimate"), &trials), [14, 13]);
        assert_eq!(owed_under(&top(99, "bits"), &trials), [14, 13, 12, 10]);
        // No trial has this score.
        assert_eq!(owed_under(&top(3, "auc"), &trials), Vec::<u32>::new());
        let small = json!({"policy": "top_k", "metric": "accuracy", "max_lut_estimate": 500});
        assert_eq!(owed_under(&small, &trials), [13, 14]);
        let bounded = search_with(&json!({"synthesis": top(2, "accuracy"),
            "constraints": [{"metric": "accuracy", "max": 0.745}]}));
        assert_eq!(owed(&bounded, &trials), [14, 10]);
    }

    #[test]
    fn every_nth_in_trial_order() {
        let trials = [
            scores(0.7, 900),  // 10: the first
            float_scores(0.9), // 11: has no circuit and is not counted
            scores(0.6, 100),  // 12: the second
            scores(0.5, 300),  // 13
            scores(0.4, 700),  // 14: the fourth
            scores(0.3, 100),  // 15
        ];
        let trials = numbered(&trials);
        let nth = |every| json!({"policy": "every_nth", "every": every});
        assert_eq!(owed_under(&nth(1), &trials), [10, 12, 13, 14, 15]);
        assert_eq!(owed_under(&nth(2), &trials), [12, 14]);
        assert_eq!(owed_under(&nth(5), &trials), [15]);
        assert_eq!(owed_under(&nth(6), &trials), Vec::<u32>::new());
        let small = json!({"policy": "every_nth", "every": 2, "max_lut_estimate": 699});
        assert_eq!(owed_under(&small, &trials), [12]);
    }

    fn policies() -> impl Strategy<Value = Value> {
        prop_oneof![
            (1..5_u32, 0.0..0.3_f64).prop_map(|(count, drop)| {
                json!({"policy": "front", "count": count, "max_accuracy_drop": drop})
            }),
            (
                1..5_u32,
                prop::sample::select(vec!["accuracy", "lut_estimate", "bits"])
            )
                .prop_map(
                    |(count, metric)| json!({"policy": "top_k", "count": count, "metric": metric})
                ),
            (1..5_u32).prop_map(|every| json!({"policy": "every_nth", "every": every})),
        ]
    }

    proptest! {
        /// Promise P2: neither the order in which trials ended, nor measurements, which come when they
        /// come, change what is owed.
        #[test]
        fn neither_arrival_nor_measurements_choose(
            policy in policies(),
            objective in prop::sample::select(vec!["lut_estimate", "lut_measured"]),
            (trials, order) in prop::collection::vec((0..8_u32, 1..9_u64, 0..3_u64), 0..20).prop_flat_map(|trials| {
                let order: Vec<usize> = (0..trials.len()).collect();
                (Just(trials), Just(order).prop_shuffle())
            })
        ) {
            let search = search_with(&json!({"synthesis": policy, "objectives": ["accuracy", objective]}));
            let plain: Vec<TrialScores> = trials.iter()
                .map(|(accuracy, luts, _)| scores(f64::from(*accuracy) / 10.0, 100 * luts)).collect();
            let measured: Vec<TrialScores> = plain.iter().zip(&trials).map(|(scores, (_, _, luts))| TrialScores {
                measured: (*luts > 0).then(|| Measured { lut_measured: Some(*luts), ..Measured::default() }),
                ..scores.clone()
            }).collect();
            let shuffled: Vec<_> = order.iter().map(|&at| (10 + at as u32, &measured[at])).collect();
            prop_assert_eq!(owed(&search, &numbered(&plain)), owed(&search, &shuffled));
        }
    }
}
