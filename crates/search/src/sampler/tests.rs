//! Laws of proposals, on a simulated search.

use super::{
    Exhausted, History, HistoryError, Origin, Outcome, PastTrial, Proposal, Proposed, propose,
    trial_seed, visible_trials,
};
use crate::testing::{float_scores, scores, search_with};
use crate::{Measured, Search, TrialScores};
use bitfront_network::Candidate;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Deterministic stand-in for training: more bits, better accuracy with diminishing returns; LUTs
/// grow with the products of bits.
fn evaluate(candidate: &Candidate) -> TrialScores {
    if candidate.is_float() {
        return float_scores(0.76);
    }
    let mut loss = 0.0;
    let mut luts = 0;
    let mut input_bits = candidate.input_quantizer.bits();
    let stack = candidate.dense_stack().expect("dense layers in a row");
    for layer in &stack.layers {
        let activation = layer.activation.as_ref().map_or(8, |(_, q)| q.bits());
        for bits in [layer.kernel.bits(), activation] {
            loss += 0.2 * 0.5_f64.powi(bits as i32);
        }
        luts += u64::from(layer.kernel.bits() * input_bits) * layer.units as u64;
        luts += u64::from(layer.bias.bits());
        input_bits = activation;
    }
    scores(0.76 - loss, luts)
}

fn trial(proposal: Proposal) -> Proposed {
    match proposal {
        Proposal::Trial(proposed) => *proposed,
        other => panic!("no trial: {other:?}"),
    }
}

/// What becomes of trial `number`.
fn outcome(search_failures: &[u32], number: u32, candidate: &Candidate) -> Outcome {
    if search_failures.contains(&number) {
        Outcome::Failed
    } else {
        Outcome::Completed(Box::new(evaluate(candidate)))
    }
}

/// Runs `trials` trials one after the other.
fn run(search: &Search, trials: u32, failures: &[u32]) -> (Vec<Proposed>, Vec<PastTrial>) {
    let mut proposals = Vec::new();
    let mut past = Vec::new();
    for number in 0..trials {
        let history = History::new(past.clone()).expect("no gaps");
        let proposed = trial(propose(search, number, &history).expect("a history that fits"));
        past.push(PastTrial {
            number,
            point: proposed.point.clone(),
            outcome: Some(outcome(failures, number, &proposed.candidate)),
        });
        proposals.push(proposed);
    }
    (proposals, past)
}

fn evolution(members: &Value) -> Search {
    let mut all = json!({"sampler": {"name": "evolution", "population": 16, "warmup": 8}});
    for (key, member) in members.as_object().expect("a mapping") {
        all[key] = member.clone();
    }
    search_with(&all)
}

#[test]
fn seed_trials_come_first_and_the_best_known_points_become_parents() {
    let search = evolution(&json!({}));
    let (proposals, _) = run(&search, 60, &[]);
    for (proposed, seed) in proposals.iter().zip(&search.seed_trials) {
        assert_eq!(proposed.candidate, seed.candidate);
        assert_eq!(
            proposed.origin,
            Origin::Seed {
                label: seed.label.clone()
            }
        );
    }
    assert_eq!(
        proposals[0].point, None,
        "the float reference is no point of the space"
    );
    assert!(proposals[1].point.is_some(), "uniform 8 bits is one");
    let is_random = |proposed: &Proposed| proposed.origin == Origin::Random;
    assert!(proposals[5..13].iter().all(is_random), "the warm-up");
    let is_child = |proposed: &&Proposed| matches!(proposed.origin, Origin::Evolved { .. });
    assert!(proposals[13..].iter().filter(is_child).count() > 40);
}

#[test]
fn proposals_look_at_estimates_whenever_circuits_get_measured() {
    let search = evolution(&json!({"objectives": ["accuracy", "lut_measured"]}));
    let (proposals, past) = run(&search, 60, &[]);
    let estimated = evolution(&json!({}));
    let (by_estimate, _) = run(&estimated, 60, &[]);
    assert_eq!(proposals, by_estimate);
    // Every second trial measured, some far from the estimate.
    let measured = past.into_iter().map(|mut trial| {
        if let Some(Outcome::Completed(scores)) = &mut trial.outcome {
            scores.measured = (trial.number % 2 == 0).then(|| Measured {
                lut_measured: Some(u64::from(trial.number * 37 % 11)),
                ..Measured::default()
            });
        }
        trial
    });
    let history = History::new(measured.collect()).expect("no gaps");
    let (longer, _) = run(&search, 61, &[]);
    let next = trial(propose(&search, 60, &history).expect("a history that fits"));
    assert_eq!(next, longer[60]);
}

#[test]
fn no_candidate_is_proposed_twice() {
    for sampler in ["random", "evolution"] {
        let search = search_with(&json!({"sampler": sampler}));
        let (proposals, _) = run(&search, 100, &[]);
        let digests: HashSet<_> = proposals.iter().map(|proposed| &proposed.digest).collect();
        assert_eq!(digests.len(), 100);
    }
}

#[test]
fn a_used_up_space_is_exhausted_and_not_before() {
    let rules = json!({"rules": [
        {"match": {"type": "dense"}, "kernel": {"pool": "kernel", "max_bits": 2},
         "bias": {"fixed": "quantized_bits(4,0,alpha=1.0)"}},
        {"match": {"type": "relu"}, "activation": {"pool": "activation", "max_bits": 4}},
    ], "seed_trials": [{"float": true}]});
    for sampler in ["random", "evolution"] {
        let search = search_with(&json!({"sampler": sampler, "search_space": rules}));
        let size = u32::try_from(search.space.size()).expect("small");
        assert_eq!(size, 2 * 2 * 5);
        let (proposals, past) = run(&search, size + 1, &[]);
        let points: HashSet<_> = proposals
            .iter()
            .filter_map(|one| one.point.clone())
            .collect();
        assert_eq!(points.len() as u32, size, "every point is found");
        let history = History::new(past).expect("no gaps");
        let next = propose(&search, size + 1, &history);
        assert_eq!(next, Ok(Proposal::Exhausted(Exhausted::Space)));
        let beyond = propose(&search, search.budget.trials, &history);
        assert_eq!(beyond, Ok(Proposal::Exhausted(Exhausted::Budget)));
    }
}

#[test]
fn proposals_wait_for_their_window_and_look_no_further() {
    let search = evolution(&json!({"budget": {"trials": 100, "parallel": 4}}));
    let (proposals, mut past) = run(&search, 40, &[]);
    // Trial 40 sees trials 0 to 36; what became of 37 to 39 changes nothing.
    let whole = propose(&search, 40, &History::new(past.clone()).expect("no gaps"));
    for open in &mut past[37..] {
        open.outcome = None;
    }
    let open = propose(&search, 40, &History::new(past.clone()).expect("no gaps"));
    assert_eq!(open, whole);
    past[36].outcome = None;
    past[30].outcome = None;
    let waiting = propose(&search, 40, &History::new(past.clone()).expect("no gaps"));
    assert_eq!(waiting, Ok(Proposal::Wait { trial: 30 }));
    // In order of arrival nothing waits.
    let arrival = evolution(&json!({"order": "arrival", "budget": {"trials": 100, "parallel": 4}}));
    assert!(!arrival.is_reproducible());
    let next = propose(&arrival, 40, &History::new(past).expect("no gaps"));
    assert!(matches!(next, Ok(Proposal::Trial(_))));
    // The seed trials and the warm-up look at no outcome.
    let nothing_ended = proposals[..13].iter().map(|proposed| PastTrial {
        number: proposed.number,
        point: proposed.point.clone(),
        outcome: None,
    });
    let history = History::new(nothing_ended.collect()).expect("no gaps");
    for number in 0..13 {
        let again = trial(propose(&search, number, &history).expect("a history that fits"));
        assert_eq!(again, proposals[number as usize]);
    }
}

#[test]
fn failures_are_no_parents_and_are_not_tried_again() {
    let search = evolution(&json!({}));
    let failures: Vec<u32> = (0..80).filter(|number| number % 3 == 0).collect();
    let (proposals, _) = run(&search, 80, &failures);
    let digests: HashSet<_> = proposals.iter().map(|proposed| &proposed.digest).collect();
    assert_eq!(digests.len(), 80);
    for proposed in &proposals {
        if let Origin::Evolved { parents } = &proposed.origin {
            assert!(
                parents
                    .iter()
                    .all(|parent| !failures.contains(parent) && *parent != 0)
            );
        }
    }
    // If everything fails, points are still proposed.
    let all: Vec<u32> = (0..40).collect();
    let (proposals, _) = run(&search, 40, &all);
    assert!(
        proposals[13..]
            .iter()
            .all(|proposed| proposed.origin == Origin::Random)
    );
}

#[test]
fn histories_that_do_not_fit_are_refused() {
    let search = evolution(&json!({}));
    let (_, past) = run(&search, 10, &[]);
    let gap = History::new(past[1..].to_vec());
    assert_eq!(
        gap,
        Err(HistoryError::Gap {
            expected: 0,
            actual: 1
        })
    );
    let short = propose(&search, 12, &History::new(past.clone()).expect("no gaps"));
    assert_eq!(
        short,
        Err(HistoryError::Short {
            number: 12,
            known: 10
        })
    );
    let mut foreign = past;
    foreign[7].point = Some(crate::Point::new(vec![0, 99]));
    let foreign = propose(&search, 10, &History::new(foreign).expect("no gaps"));
    assert!(
        matches!(foreign, Err(HistoryError::Point { number: 7, .. })),
        "{foreign:?}"
    );
}

#[test]
fn evolution_finds_a_better_front_than_random() {
    let mut better = 0;
    for seed in 0..5 {
        let members = |sampler: &str| {
            json!({"sampler": sampler, "seed": seed, "model": {"mlp": [4, 8, 8, 3]},
                   "reference_point": {"accuracy": 0.5, "lut_estimate": 1000}})
        };
        let area = |sampler: &str| {
            let search = search_with(&members(sampler));
            let (proposals, _) = run(&search, 100, &[]);
            let scores: Vec<_> = proposals
                .iter()
                .map(|one| evaluate(&one.candidate))
                .collect();
            search.hypervolume(&scores).expect("scored trials")
        };
        better += u32::from(area("evolution") > area("random"));
    }
    assert_eq!(better, 5);
}

#[test]
fn seeds_of_trainings_differ_by_search_candidate_and_repeat() {
    let seed = trial_seed(1, "a", 0);
    assert_eq!(seed, trial_seed(1, "a", 0));
    assert_ne!(seed, trial_seed(2, "a", 0));
    assert_ne!(seed, trial_seed(1, "b", 0));
    assert_ne!(seed, trial_seed(1, "a", 1));
}

#[test]
fn proposals_and_seeds_stay_what_they_were() {
    // A change here changes every stored search's trials: it needs a new engine version.
    let search = search_with(&json!({"seed": 42}));
    let (proposals, _) = run(&search, 40, &[]);
    let points: Vec<_> = [6, 13, 20, 25, 39]
        .map(|number: usize| {
            proposals[number]
                .point
                .clone()
                .expect("a point")
                .to_string()
        })
        .into();
    let expected = [
        "[0,7,1,5,3,0]",
        "[0,2,2,3,4,1]",
        "[0,5,0,5,7,2]",
        "[0,3,1,4,5,3]",
        "[0,3,0,8,6,2]",
    ];
    assert_eq!(points, expected);
    assert_eq!(trial_seed(42, "digest", 0), 12_643_977_416_744_885_086);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However the outcomes arrive - any order, any delay within the window - the trials are those
    /// of one trial after the other with the same window.
    #[test]
    fn the_order_of_arrival_changes_nothing(
        parallel in 1..6_u32,
        seed in 0..1000_u64,
        arrivals in prop::collection::vec(any::<prop::sample::Index>(), 200),
    ) {
        let search = evolution(&json!({
            "seed": seed, "budget": {"trials": 40, "parallel": parallel},
        }));
        let (expected, _) = run(&search, 40, &[17]);
        let mut past: Vec<PastTrial> = Vec::new();
        let mut open: Vec<(u32, Outcome)> = Vec::new();
        let mut arrivals = arrivals.into_iter();
        while past.len() < 40 {
            let number = past.len() as u32;
            let history = History::new(past.clone()).expect("no gaps");
            match propose(&search, number, &history).expect("a history that fits") {
                Proposal::Trial(proposed) => {
                    prop_assert_eq!(&*proposed, &expected[number as usize]);
                    open.push((number, outcome(&[17], number, &proposed.candidate)));
                    past.push(PastTrial { number, point: proposed.point, outcome: None });
                }
                Proposal::Wait { trial } => {
                    prop_assert!(trial < visible_trials(number, parallel));
                    prop_assert!(open.iter().any(|(number, _)| *number == trial));
                }
                Proposal::Exhausted(why) => prop_assert!(false, "{why:?}"),
            }
            // Some open trial ends, whichever it is.
            let Some(arrival) = arrivals.next() else {
                prop_assert!(false, "no progress");
                break;
            };
            if !open.is_empty() {
                let (number, outcome) = open.swap_remove(arrival.index(open.len()));
                past[number as usize].outcome = Some(outcome);
            }
        }
    }

    #[test]
    fn points_and_their_numbers_stand_one_to_one(part in 0.0..1.0_f64) {
        let search = search_with(&json!({}));
        let size = search.space.size();
        let index = ((size as f64 * part) as u128).min(size - 1);
        let point = search.space.point(index);
        prop_assert_eq!(search.space.index(&point), index);
        let candidate = search.candidate(&point).expect("a point");
        prop_assert_eq!(candidate.check(), Ok(()));
        prop_assert_eq!(search.locate(&candidate), Some(point));
    }
}
