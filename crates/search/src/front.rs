//! The front: the trials of a search that no other trial dominates.
//!
//! The rule this module keeps: the front depends on which trials are finished, not on the order in
//! which they came. A trial dominates another when it is at least as good in every objective and
//! better in one; so trials of equal objectives do not dominate each other, and all of them stay.
//! Trials that break a constraint, or lack an objective, are never in the front.

use crate::Search;
use crate::scores::{Objectives, Standing, TrialScores};

/// Whether `a` is at least as good as `b` in every objective and better in one.
pub fn dominates(a: &Objectives, b: &Objectives) -> bool {
    debug_assert_eq!(
        a.values().len(),
        b.values().len(),
        "objectives of one search"
    );
    let mut better = false;
    for (a, b) in a.values().iter().zip(b.values()) {
        if a > b {
            return false;
        }
        better |= a < b;
    }
    better
}

/// Indexes of the points that no other dominates, ascending.
pub fn front(points: &[Objectives]) -> Vec<usize> {
    let mut front = Front::default();
    for (number, point) in points.iter().enumerate() {
        front.insert(number as u32, point.clone());
    }
    front
        .members
        .iter()
        .map(|member| member.number as usize)
        .collect()
}

/// A trial in the front.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Trial number.
    pub number: u32,
    /// Its objectives.
    pub objectives: Objectives,
}

/// What an insertion did.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Change {
    /// Whether the trial is in the front now.
    pub joined: bool,
    /// Trials it pushed out, ascending.
    pub left: Vec<u32>,
}

/// A front that grows trial by trial.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Front {
    members: Vec<Member>,
}

impl Front {
    /// The members, by ascending trial number.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Offers a trial, once. It joins unless a member dominates it, and pushes out the members that
    /// it dominates.
    pub fn insert(&mut self, number: u32, objectives: Objectives) -> Change {
        let beaten = |member: &Member| dominates(&member.objectives, &objectives);
        if self.members.iter().any(beaten) {
            return Change::default();
        }
        let mut left = Vec::new();
        self.members.retain(|member| {
            let stays = !dominates(&objectives, &member.objectives);
            if !stays {
                left.push(member.number);
            }
            stays
        });
        let at = self
            .members
            .partition_point(|member| member.number < number);
        self.members.insert(at, Member { number, objectives });
        Change { joined: true, left }
    }

    /// Offers a trial by its scores: infeasible and unscored ones change nothing.
    pub fn offer(&mut self, search: &Search, number: u32, scores: &TrialScores) -> Change {
        self.place(number, search.standing(scores))
    }

    fn place(&mut self, number: u32, standing: Standing) -> Change {
        match standing {
            Standing::Feasible(objectives) => self.insert(number, objectives),
            Standing::Infeasible { .. } | Standing::Unscored => Change::default(),
        }
    }
}

impl Search {
    /// The front of finished trials: their numbers, ascending.
    pub fn front<'a>(
        &self,
        finished: impl IntoIterator<Item = (u32, &'a TrialScores)>,
    ) -> Vec<u32> {
        let mut front = Front::default();
        for (number, scores) in finished {
            front.offer(self, number, scores);
        }
        front.members.iter().map(|member| member.number).collect()
    }

    /// The front as [`Search::expected_standing`] has it: by estimates, whatever was measured.
    pub fn expected_front<'a>(
        &self,
        finished: impl IntoIterator<Item = (u32, &'a TrialScores)>,
    ) -> Vec<u32> {
        let mut front = Front::default();
        for (number, scores) in finished {
            front.place(number, self.expected_standing(scores));
        }
        front.members.iter().map(|member| member.number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Front, dominates, front};
    use crate::scores::Objectives;
    use proptest::prelude::*;

    /// Points on a coarse lattice, so that ties are common.
    fn points() -> impl Strategy<Value = Vec<Objectives>> {
        let point = (0..6_i32, 0..6_i32, 0..3_i32).prop_map(|(a, b, c)| {
            let values = [a, b, c].map(f64::from).to_vec();
            Objectives::minimised(values).expect("finite")
        });
        prop::collection::vec(point, 0..40)
    }

    fn brute_force(points: &[Objectives]) -> Vec<usize> {
        (0..points.len())
            .filter(|&i| {
                points.iter().all(|other| {
                    let no_worse = (0..3).all(|k| other.values()[k] <= points[i].values()[k]);
                    !no_worse || other == &points[i]
                })
            })
            .collect()
    }

    proptest! {
        #[test]
        fn equals_brute_force(points in points()) {
            prop_assert_eq!(front(&points), brute_force(&points));
        }

        #[test]
        fn does_not_depend_on_the_order_of_arrival(
            (points, order) in points().prop_flat_map(|points| {
                let order: Vec<u32> = (0..points.len() as u32).collect();
                (Just(points), Just(order).prop_shuffle())
            })
        ) {
            let mut shuffled = Front::default();
            for &number in &order {
                shuffled.insert(number, points[number as usize].clone());
            }
            let numbers: Vec<_> = shuffled.members().iter().map(|m| m.number as usize).collect();
            prop_assert_eq!(numbers, front(&points));
        }

        #[test]
        fn reports_who_left(points in points()) {
            let mut all = Front::default();
            let mut mirror = std::collections::BTreeSet::new();
            for (number, point) in points.iter().enumerate() {
                let change = all.insert(number as u32, point.clone());
                for left in change.left {
                    prop_assert!(mirror.remove(&left), "{left} left without having joined");
                }
                if change.joined {
                    mirror.insert(number as u32);
                }
            }
            let members: Vec<_> = all.members().iter().map(|m| m.number).collect();
            prop_assert_eq!(members, mirror.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn domination_is_a_strict_order(points in points()) {
            for a in &points {
                prop_assert!(!dominates(a, a));
                for b in &points {
                    prop_assert!(!(dominates(a, b) && dominates(b, a)));
                }
            }
        }
    }

    #[test]
    fn equal_trials_both_stay() {
        let point = Objectives::minimised(vec![-0.7, 100.0]).expect("finite");
        assert_eq!(front(&[point.clone(), point]), [0, 1]);
    }
}
