//! Which trials of a search are owed a circuit.

use crate::search::SynthesisPolicy;
use crate::{Metric, Search, TrialScores};

/// Numbers of the trials whose synthesis the search owes, smallest circuit first.
///
/// Under [`SynthesisPolicy::Front`]: of the front of `finished` (completed trials with their
/// scores), those whose validation accuracy lies within `max_accuracy_drop` of the front's best and
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
    let front = search.front(finished.iter().copied());
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
        .filter(|(_, accuracy, _)| best - accuracy <= max_accuracy_drop)
        .filter(|(_, _, luts)| max_lut_estimate.is_none_or(|limit| *luts <= limit as f64))
        .collect();
    owed.sort_by(|a, b| {
        let smaller = a.2.total_cmp(&b.2);
        smaller.then(b.1.total_cmp(&a.1)).then(a.0.cmp(&b.0))
    });
    owed.truncate(count as usize);
    owed.into_iter().map(|(number, _, _)| number).collect()
}
