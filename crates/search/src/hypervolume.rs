//! Hypervolume in two dimensions: the area that a front dominates, up to a reference point.

use crate::Search;
use crate::scores::{Standing, TrialScores};

/// Area dominated by `points` and bounded by `reference`; less is better in both coordinates.
///
/// Points that are not better than the reference in both coordinates add nothing; dominated and
/// repeated points are allowed. `O(n log n)`.
///
/// ```
/// use bitfront_search::hypervolume::two_d;
/// assert_eq!(two_d(&[[1.0, 2.0], [2.0, 1.0]], [3.0, 3.0]), 3.0);
/// ```
pub fn two_d(points: &[[f64; 2]], reference: [f64; 2]) -> f64 {
    let inside = |point: &&[f64; 2]| point[0] < reference[0] && point[1] < reference[1];
    let mut points: Vec<[f64; 2]> = points.iter().filter(inside).copied().collect();
    points.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let mut area = 0.0;
    let mut floor = reference[1];
    for [x, y] in points {
        if y < floor {
            area += (reference[0] - x) * (floor - y);
            floor = y;
        }
    }
    area
}

impl Search {
    /// Hypervolume of the feasible trials, in the units of the two objectives.
    ///
    /// Measured from the search's reference point, or, where it has none, from the worst value of
    /// each objective among these trials; then it is 0 for a single trial and may shrink when a
    /// worse trial moves the reference. `None` unless the search has two objectives and a feasible
    /// trial.
    pub fn hypervolume<'a>(
        &self,
        finished: impl IntoIterator<Item = &'a TrialScores>,
    ) -> Option<f64> {
        let points: Vec<[f64; 2]> = finished
            .into_iter()
            .filter_map(|scores| match self.standing(scores) {
                Standing::Feasible(objectives) => objectives.values().try_into().ok(),
                Standing::Infeasible { .. } | Standing::Unscored => None,
            })
            .collect();
        let worst = |axis: usize| points.iter().map(|point| point[axis]).reduce(f64::max);
        let worst = [worst(0)?, worst(1)?];
        let reference = match &self.reference_point {
            Some(reference) => self.turned(reference).try_into().ok()?,
            None => worst,
        };
        Some(two_d(&points, reference))
    }
}

#[cfg(test)]
mod tests {
    use super::two_d;
    use proptest::prelude::*;

    /// Counts the unit cells of a lattice that a point dominates.
    fn brute_force(points: &[[u8; 2]], reference: [u8; 2]) -> u32 {
        let mut cells = 0;
        for x in 0..reference[0] {
            for y in 0..reference[1] {
                cells += u32::from(points.iter().any(|point| point[0] <= x && point[1] <= y));
            }
        }
        cells
    }

    proptest! {
        #[test]
        fn equals_counted_cells(
            points in prop::collection::vec([0..20_u8, 0..20_u8], 0..25),
            reference in [0..20_u8, 0..20_u8],
        ) {
            let real: Vec<_> = points.iter().map(|point| point.map(f64::from)).collect();
            let area = two_d(&real, reference.map(f64::from));
            prop_assert_eq!(area, f64::from(brute_force(&points, reference)));
        }

        #[test]
        fn never_shrinks_when_a_point_is_added(
            points in prop::collection::vec([0.0..1.0_f64, 0.0..1.0_f64], 0..20),
            another in [0.0..1.0_f64, 0.0..1.0_f64],
        ) {
            let before = two_d(&points, [1.0, 1.0]);
            let mut more = points;
            more.push(another);
            prop_assert!(two_d(&more, [1.0, 1.0]) >= before * (1.0 - 1e-12));
        }
    }
}
