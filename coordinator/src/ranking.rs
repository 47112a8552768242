//! What a finished trial does to its search's front.
//!
//! Whether a trial is dominated can be judged against the front alone: a trial that left the front was dominated by one
//! that is still there, or by one dominated in turn. So the front is kept from row to row, and no list of all trials is
//! read when one ends.

use bitfront_search::{Search, TrialScores, front::Change, front::Front};

/// Offers trial `number` with `scores` to the front `members`, given by trial number.
pub(crate) fn offer(
    search: &Search,
    members: &[(u32, TrialScores)],
    number: u32,
    scores: &TrialScores,
) -> Change {
    let mut front = Front::default();
    for (member, scores) in members {
        front.offer(search, *member, scores);
    }
    front.offer(search, number, scores)
}

/// The front of all completed trials, given by number with whether they are on it now: who joins and who leaves,
/// ascending.
pub(crate) fn anew(
    search: &Search,
    finished: &[(u32, &TrialScores, bool)],
) -> (Vec<u32>, Vec<u32>) {
    let scores = finished
        .iter()
        .map(|(number, scores, _)| (*number, *scores));
    let front = search.front(scores);
    let moved = |to_front: bool| {
        let numbers = finished
            .iter()
            .filter(move |(_, _, is)| *is != to_front)
            .map(|(number, _, _)| *number);
        numbers
            .filter(|number| front.binary_search(number).is_ok() == to_front)
            .collect()
    };
    (moved(true), moved(false))
}
