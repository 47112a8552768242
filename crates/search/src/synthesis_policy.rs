//! Which trials of a search are owed a circuit.

use crate::search::SynthesisPolicy;
use crate::{Metric, Search, TrialScores};

/// Accuracies are ratios of counts: 0.75 - 0.73 must count as 0.02.
const ROUNDING: f64 = 1e-9;

/// Numbers of the trials whose synthesis the search owes, smallest circuit first.
///
/// Under [`SynthesisPolicy::Front`]: of the front of `finished` (completed trials with their
/// scores, estimates standing for what is not measured), those whose validation accuracy lies within `max_accuracy_drop` of the front's best and
/// whose `lut_estimate` is within the limit; of these, the `count` smallest by `lut_estimate`, ties
/// by higher accuracy, then by lower number.
///
/// The front is final once every trial is terminal; before that this names what would be owed now.
/// The store asks when the last trial ends, so that no circuit is built for a trial that leaves the
/// front later.
pub fn owed(search: &Search, finished: &[(u32, &TrialScores)]) -> Vec<u32> {
    let SynthesisPolicy::Front {
        count,
        max_accuracy_drop,
        max_lut_estimate,
    } = search.synthesis
    else {
        return Vec::new();
    };
    let front = search.expected_front(finished.iter().copied());
    let members: Vec<(u32, f64, f64)> = finished
        .iter()
        .filter(|(number, _)| front.contains(number))
        .filter_map(|(number, scores)| {
            let luts = Metric::LutEstimate.read(scores)?;
            Some((*number, scores.accuracy_validation, luts))
        })
        .collect();
    let best = members.iter().map(|member| member.1).fold(0.0, f64::max);
    let mut owed: Vec<_> = members
        .into_iter()
        .filter(|(_, accuracy, _)| best - accuracy <= max_accuracy_drop + ROUNDING)
        .filter(|(_, _, luts)| max_lut_estimate.is_none_or(|limit| *luts <= limit as f64))
        .collect();
    owed.sort_by(|a, b| {
        let smaller = a.2.total_cmp(&b.2);
        smaller.then(b.1.total_cmp(&a.1)).then(a.0.cmp(&b.0))
    });
    owed.truncate(count as usize);
    owed.into_iter().map(|(number, _, _)| number).collect()
}

#[cfg(test)]
mod tests {
    use super::owed;
    use crate::TrialScores;
    use crate::testing::{scores, search_with};
    use serde_json::json;

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
}
