//! Points drawn without looking at outcomes, and never one that has been tried.

use super::draw::Draw;
use crate::space::{Point, Space};
use std::collections::HashSet;

/// Draws before the walk over neighbouring points begins.
const DRAWS: usize = 64;

/// A point drawn uniformly from those not tried. At least one must be left.
///
/// When [`DRAWS`] draws in a row were tried already, the space is nearly used up: then the first
/// untried point from a drawn place on is taken, which needs at most one step for each tried point.
pub(super) fn untried(space: &Space, tried: &HashSet<&Point>, draw: &mut Draw) -> Point {
    let mut point = uniform(space, draw);
    for _ in 0..DRAWS {
        if !tried.contains(&point) {
            return point;
        }
        point = uniform(space, draw);
    }
    walk(space, tried, point)
}

/// A point of the warm-up, `rung` = (place in the warm-up, its length).
///
/// Even places climb a ladder from the fewest bits to the most, every variable at about the same
/// height: uniform draws alone would all cost about the same. Odd places are drawn uniformly.
pub(super) fn warm_up(
    space: &Space,
    tried: &HashSet<&Point>,
    (place, length): (u32, u32),
    draw: &mut Draw,
) -> Point {
    if place % 2 == 0 {
        for _ in 0..DRAWS {
            let height = (f64::from(place) + 2.0 * draw.unit()) / f64::from(length + 1);
            let point = ladder(space, height.min(1.0), draw);
            if !tried.contains(&point) {
                return point;
            }
        }
    }
    untried(space, tried, draw)
}

fn uniform(space: &Space, draw: &mut Draw) -> Point {
    let choice = |count: usize| draw.below(count) as u16;
    let counts = space
        .variables
        .iter()
        .map(|variable| variable.choices.len());
    Point::new(counts.map(choice).collect())
}

/// Every variable at `height` (0 to 1) of its choices, give or take one.
fn ladder(space: &Space, height: f64, draw: &mut Draw) -> Point {
    let choices = space.variables.iter().map(|variable| {
        let last = variable.choices.len() - 1;
        let middle = (height * last as f64).round() as usize;
        (middle + draw.below(3)).saturating_sub(1).min(last) as u16
    });
    Point::new(choices.collect())
}

fn walk(space: &Space, tried: &HashSet<&Point>, from: Point) -> Point {
    let mut point = from;
    while tried.contains(&point) {
        point = space.point((space.index(&point) + 1) % space.size());
    }
    point
}

#[cfg(test)]
mod tests {
    use super::{untried, warm_up};
    use crate::sampler::draw::Draw;
    use crate::testing::search_with;
    use serde_json::json;

    #[test]
    fn finds_the_last_point_left() {
        let space = search_with(&json!({})).space;
        let size = space.size();
        assert!(size > 5000, "too many points for {} draws", super::DRAWS);
        for last in [0, size / 2, size - 1] {
            let all = (0..size).filter(|index| *index != last);
            let points: Vec<_> = all.map(|index| space.point(index)).collect();
            let tried = points.iter().collect();
            let mut draw = Draw::new(7, "test", 0);
            assert_eq!(space.index(&untried(&space, &tried, &mut draw)), last);
            let point = warm_up(&space, &tried, (0, 8), &mut draw);
            assert_eq!(space.index(&point), last);
        }
    }

    #[test]
    fn the_warm_up_climbs_from_few_bits_to_many() {
        let space = search_with(&json!({})).space;
        let mut draw = Draw::new(7, "test", 0);
        let mut height = |place| {
            let point = warm_up(
                &space,
                &std::collections::HashSet::new(),
                (place, 20),
                &mut draw,
            );
            point
                .choices()
                .iter()
                .map(|&choice| u32::from(choice))
                .sum::<u32>()
        };
        let (low, high) = (height(0), height(18));
        assert!(low < 8 && high > 15, "{low} and {high}");
    }
}
