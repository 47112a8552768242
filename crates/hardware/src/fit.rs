//! An estimate fitted to what synthesis measured: the median of measured / estimated, with intervals.
//!
//! The rules this module keeps: nothing is assumed about how the ratios are distributed, so that both intervals are order
//! statistics; each says its level; fewer than [`FEWEST`] ratios make no fit; an error is of ratios that the fit did not see.
//! (H. A. David and H. N. Nagaraja, *Order Statistics*, chapter 7.)

use serde::{Deserialize, Serialize};

/// Ratios that a fit needs at least. The prediction interval of nine, from the smallest to the largest, holds the next one
/// with probability 0.8.
pub const FEWEST: usize = 9;

/// The level that intervals reach where there are ratios enough: the median's always, the prediction's from nineteen.
pub const LEVEL: f64 = 0.9;

/// What the ratios measured / estimated of distinct circuits say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Ratios it is made of.
    pub jobs: usize,
    /// Their median: what an estimate is multiplied with.
    pub ratio: f64,
    /// The median of all such circuits lies in here ...
    pub ratio_interval: [f64; 2],
    /// ... with this probability at least, which is 0.9 or more.
    pub ratio_level: f64,
    /// The ratio of the next circuit lies in here ...
    pub next_interval: [f64; 2],
    /// ... with this probability at least: 0.8 of nine ratios, rising to 0.9 of nineteen, and no less of more.
    pub next_level: f64,
    /// Median of |predicted - measured| / measured, each circuit predicted by the fit of all others.
    pub median_error: f64,
    /// The same of the estimate as it is.
    pub median_error_of_estimate: f64,
}

/// What a fit says of one circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prediction {
    /// The estimate times the median ratio.
    pub value: u64,
    /// Lower end of the prediction interval.
    pub low: u64,
    /// Upper end of the prediction interval.
    pub high: u64,
}

impl Fit {
    /// The fit of ratios measured / estimated, all finite and above 0, in any order; `None` of fewer than [`FEWEST`].
    ///
    /// Of n sorted ratios x, with B binomial over n fair draws: the median's interval is [x(k), x(n + 1 - k)] with the largest k
    /// whose level 1 - 2 P(B < k) reaches [`LEVEL`]; the next one's is [x(r), x(n + 1 - r)] with the largest r whose level
    /// (n + 1 - 2 r) / (n + 1) does, and r = 1 where none does.
    ///
    /// ```
    /// use bitfront_hardware::fit::Fit;
    /// let fit = Fit::of(&[1.0, 1.1, 1.2, 0.8, 0.9, 1.0, 1.05, 0.95, 1.3]).unwrap();
    /// assert_eq!((fit.ratio, fit.next_interval, fit.next_level), (1.0, [0.8, 1.3], 0.8));
    /// assert_eq!(fit.predict(200).high, 260);
    /// ```
    pub fn of(ratios: &[f64]) -> Option<Self> {
        let n = ratios.len();
        if n < FEWEST {
            return None;
        }
        let mut sorted = ratios.to_vec();
        sorted.sort_by(f64::total_cmp);
        let interval = |rank: usize| [sorted[rank - 1], sorted[n - rank]];
        let ratio = median(&sorted);
        let (rank, ratio_level) = median_rank(n);
        // (n + 1 - 2 r) / (n + 1) >= 0.9, in integers.
        let next_rank = ((n + 1) / 20).max(1);
        Some(Self {
            jobs: n,
            ratio,
            ratio_interval: interval(rank),
            ratio_level,
            next_interval: interval(next_rank),
            next_level: (n + 1 - 2 * next_rank) as f64 / (n + 1) as f64,
            median_error: median_error((0..n).map(|at| (median_without(&sorted, at), sorted[at]))),
            median_error_of_estimate: median_error(sorted.iter().map(|ratio| (1.0, *ratio))),
        })
    }

    /// What a circuit with this estimate is expected to measure.
    pub fn predict(&self, estimate: u64) -> Prediction {
        let estimate = estimate as f64;
        let [low, high] = self.next_interval;
        Prediction {
            value: (estimate * self.ratio).round() as u64,
            low: (estimate * low).floor() as u64,
            high: (estimate * high).ceil() as u64,
        }
    }
}

/// The median of sorted values: of an even number, the mean of the two in the middle.
fn median(sorted: &[f64]) -> f64 {
    let n = sorted.len();
    f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2])
}

/// The median of sorted values without the one at `left_out`.
fn median_without(sorted: &[f64], left_out: usize) -> f64 {
    let n = sorted.len() - 1;
    let at = |index: usize| sorted[index + usize::from(index >= left_out)];
    f64::midpoint(at((n - 1) / 2), at(n / 2))
}

/// Median of |predicted - actual| / actual.
fn median_error(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let mut errors: Vec<f64> = pairs
        .map(|(predicted, actual)| (predicted - actual).abs() / actual)
        .collect();
    errors.sort_by(f64::total_cmp);
    median(&errors)
}

/// The largest rank, from 1, whose interval around the median of `n` reaches [`LEVEL`], and its level.
fn median_rank(n: usize) -> (usize, f64) {
    let count = n as f64;
    // P(B = k) in logarithms, since 2^-n leaves the range of f64.
    let mut logarithm = -count * std::f64::consts::LN_2;
    let mut below = logarithm.exp();
    let mut best = (1, 1.0 - 2.0 * below);
    for k in 1..n / 2 {
        logarithm += ((count - k as f64 + 1.0) / k as f64).ln();
        below += logarithm.exp();
        let level = 1.0 - 2.0 * below;
        if level < LEVEL {
            break;
        }
        best = (k + 1, level);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn steps(n: usize) -> Vec<f64> {
        (1..=n).map(|at| at as f64 / 10.0).collect()
    }

    #[test]
    fn eight_make_no_fit_and_nine_do() {
        assert_eq!(Fit::of(&steps(8)), None);
        let fit = Fit::of(&steps(9)).unwrap();
        assert_eq!((fit.jobs, fit.ratio), (9, 0.5));
        // Ranks 2 and 8: 1 - 2 (1 + 9) / 2^9.
        assert_eq!(fit.ratio_interval, [0.2, 0.8]);
        assert!((fit.ratio_level - (1.0 - 20.0 / 512.0)).abs() < 1e-12);
        assert_eq!((fit.next_interval, fit.next_level), ([0.1, 0.9], 0.8));
    }

    #[test]
    fn ranks_are_the_tables() {
        // Published tables of the sign test: n, rank, level.
        for (n, rank, level) in [(10, 2, 0.9785), (20, 6, 0.9586), (50, 19, 0.9351)] {
            let (found, exact) = median_rank(n);
            assert_eq!(found, rank, "{n}");
            assert!((exact - level).abs() < 5e-5, "{n}: {exact}");
        }
        let (rank, level) = median_rank(100_000);
        // About n / 2 - 1.645 sqrt(n) / 2.
        assert!(
            (49_735..=49_745).contains(&rank) && level >= LEVEL,
            "{rank} {level}"
        );
    }

    #[test]
    fn nineteen_reach_the_level() {
        for (n, level) in [(18, 17.0 / 19.0), (19, 0.9), (38, 37.0 / 39.0), (39, 0.9)] {
            assert_eq!(Fit::of(&steps(n)).unwrap().next_level, level, "{n}");
        }
    }

    #[test]
    fn errors_are_of_what_the_fit_did_not_see() {
        assert_eq!(median_without(&[1.0, 2.0, 4.0], 1), 2.5);
        assert_eq!(median_without(&[1.0, 2.0, 4.0, 8.0], 0), 4.0);
        let fit = Fit::of(&[1.25; 9]).unwrap();
        assert_eq!((fit.median_error, fit.median_error_of_estimate), (0.0, 0.2));
        let fit = Fit::of(&steps(9)).unwrap();
        // Its own median would put an error of 0 in the middle; the others' is 0.55 or 0.45.
        let own = median_error(steps(9).into_iter().map(|ratio| (0.5, ratio)));
        assert!(fit.median_error > own, "{} {own}", fit.median_error);
    }

    #[test]
    fn predictions_are_whole_and_round_outwards() {
        let fit = Fit::of(&[0.9, 0.9, 0.9, 0.9, 1.06, 1.1, 1.1, 1.1, 1.1]).unwrap();
        let at = |value, low, high| Prediction { value, low, high };
        assert_eq!(fit.predict(101), at(107, 90, 112));
        assert_eq!(fit.predict(0), at(0, 0, 0));
    }

    proptest! {
        /// The level of the prediction interval is exact: of n + 1 distinct ratios, each held against the fit of the
        /// others, just (n + 1) times the level lie in its interval. This is what its probability means for
        /// ratios that come in any order.
        #[test]
        fn the_next_ratio_lies_inside_as_often_as_said(
            ratios in prop::collection::hash_set(1..1_000_000_u32, 10..60)
        ) {
            let ratios: Vec<f64> = ratios.into_iter().map(|ratio| f64::from(ratio) / 1e5).collect();
            let mut inside = 0;
            let mut level = 0.0;
            for at in 0..ratios.len() {
                let mut others = ratios.clone();
                let next = others.swap_remove(at);
                let fit = Fit::of(&others).unwrap();
                let [low, high] = fit.next_interval;
                inside += usize::from((low..=high).contains(&next));
                level = fit.next_level;
            }
            prop_assert_eq!(inside, (ratios.len() as f64 * level).round() as usize);
        }

        #[test]
        fn order_makes_no_difference_and_intervals_hold_the_median(
            (ratios, shuffled) in prop::collection::vec(0.01..100.0_f64, 9..80)
                .prop_flat_map(|ratios| (Just(ratios.clone()), Just(ratios).prop_shuffle()))
        ) {
            let fit = Fit::of(&ratios).unwrap();
            prop_assert_eq!(&fit, &Fit::of(&shuffled).unwrap());
            let [low, high] = fit.ratio_interval;
            let [lower, higher] = fit.next_interval;
            prop_assert!(lower <= low && low <= fit.ratio && fit.ratio <= high && high <= higher);
            prop_assert!(fit.ratio_level >= LEVEL);
        }
    }
}
