//! Asynchronous steady-state evolution.
//!
//! There are no generations: each child is bred from the best of all trials seen so far. Parents win
//! Pareto tournaments; a child takes each choice from one parent or the other, then single choices
//! move one step along their order of bits, seldom further. Children that have been tried are thrown
//! away and bred again.

use super::draw::Draw;
use super::history::{Outcome, PastTrial};
use super::rank::ranks;
use crate::Search;
use crate::scores::Standing;
use crate::space::Point;
use std::collections::HashSet;

/// Children bred before the sampler gives up and draws at random.
const CHILDREN: usize = 64;

/// Share of mutations that jump to any choice instead of a neighbour.
const JUMPS: f64 = 0.15;

/// Settings of the file.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    /// Trials that may become parents.
    pub(super) population: usize,
    /// Chance that a child has two parents.
    pub(super) crossover: f64,
}

/// A new point and where it comes from.
pub(super) struct Child {
    pub(super) point: Point,
    pub(super) parents: Vec<u32>,
}

/// A child of the completed trials among `visible`, or `None` if there are no parents or every
/// child bred has been tried.
///
/// Failed, pruned and cancelled trials have no scores and become no parents; neither do seed trials
/// outside the space, nor trials that lack an objective.
pub(super) fn child(
    search: &Search,
    visible: &[PastTrial],
    tried: &HashSet<&Point>,
    settings: Settings,
    draw: &mut Draw,
) -> Option<Child> {
    let parents = parents(search, visible, settings.population);
    if parents.is_empty() {
        return None;
    }
    for _ in 0..CHILDREN {
        let (first, mother) = tournament(&parents, draw);
        let (second, father) = tournament(&parents, draw);
        let crossed = first != second && draw.chance(settings.crossover);
        let mut choices = mother.choices().to_vec();
        if crossed {
            for (choice, other) in choices.iter_mut().zip(father.choices()) {
                if draw.chance(0.5) {
                    *choice = *other;
                }
            }
        }
        mutate(search, &mut choices, draw);
        let point = Point::new(choices);
        if !tried.contains(&point) {
            let parents = if crossed {
                vec![first, second]
            } else {
                vec![first]
            };
            return Some(Child { point, parents });
        }
    }
    None
}

/// The best `population` trials, best first.
fn parents<'a>(
    search: &Search,
    visible: &'a [PastTrial],
    population: usize,
) -> Vec<(u32, &'a Point)> {
    let mut points = Vec::new();
    let mut trials = Vec::new();
    for trial in visible {
        let (Some(point), Some(Outcome::Completed(scores))) = (&trial.point, &trial.outcome) else {
            continue;
        };
        let standing = search.expected_standing(scores);
        if standing != Standing::Unscored {
            points.push(point);
            trials.push((trial.number, standing));
        }
    }
    let mut ranked: Vec<_> = ranks(&trials).into_iter().zip(points).collect();
    ranked.sort_by(|a, b| a.0.compare(&b.0));
    ranked.truncate(population);
    ranked
        .into_iter()
        .map(|(rank, point)| (rank.number, point))
        .collect()
}

/// The better of two parents drawn; `parents` stand best first.
fn tournament<'a>(parents: &[(u32, &'a Point)], draw: &mut Draw) -> (u32, &'a Point) {
    let (a, b) = (draw.below(parents.len()), draw.below(parents.len()));
    parents[a.min(b)]
}

/// Changes each free choice with chance 1 / (free choices), and always at least one.
fn mutate(search: &Search, choices: &mut [u16], draw: &mut Draw) {
    let variables = &search.space.variables;
    let free: Vec<usize> = (0..variables.len())
        .filter(|&index| variables[index].choices.len() > 1)
        .collect();
    if free.is_empty() {
        return;
    }
    let chance = 1.0 / free.len() as f64;
    let mut mutated = false;
    for &index in &free {
        if draw.chance(chance) {
            step(&mut choices[index], variables[index].choices.len(), draw);
            mutated = true;
        }
    }
    if !mutated {
        let index = free[draw.below(free.len())];
        step(&mut choices[index], variables[index].choices.len(), draw);
    }
}

/// Moves a choice one step up or down (inwards at an end), seldom to any other one.
fn step(choice: &mut u16, count: usize, draw: &mut Draw) {
    let now = usize::from(*choice);
    let next = if draw.chance(JUMPS) {
        let other = draw.below(count - 1);
        other + usize::from(other >= now)
    } else {
        let up = draw.chance(0.5);
        match now {
            0 => 1,
            now if now == count - 1 => now - 1,
            now if up => now + 1,
            now => now - 1,
        }
    };
    *choice = next as u16;
}
