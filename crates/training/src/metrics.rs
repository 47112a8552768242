//! Scores from integer logits: accuracy, confusion matrix, AUC and background efficiencies of each class.
//!
//! Logits are row-major `rows x outputs` codes; the class is the largest, the lowest index on a tie.

use bitfront_kernel::{exp, ln};

/// Class of each row.
pub fn classes(logits: &[i64], outputs: usize) -> Vec<u8> {
    let top = |row: &[i64]| {
        let best = (1..outputs).fold(0, |best, j| if row[j] > row[best] { j } else { best });
        best as u8
    };
    logits.chunks_exact(outputs).map(top).collect()
}

/// Share of the rows whose class is the label; 0 without rows.
///
/// # Panics
/// When there are not as many labels as rows.
pub fn accuracy(logits: &[i64], outputs: usize, labels: &[u8]) -> f64 {
    assert_eq!(
        logits.len(),
        labels.len() * outputs,
        "one row of logits a label"
    );
    let right = classes(logits, outputs)
        .iter()
        .zip(labels)
        .filter(|(a, b)| a == b)
        .count();
    right as f64 / labels.len().max(1) as f64
}

/// Rows of each (label, class), row-major `outputs x outputs`.
///
/// # Panics
/// When there are not as many labels as rows, or a label is not below `outputs`.
pub fn confusion(logits: &[i64], outputs: usize, labels: &[u8]) -> Vec<u64> {
    assert_eq!(
        logits.len(),
        labels.len() * outputs,
        "one row of logits a label"
    );
    let mut counts = vec![0; outputs * outputs];
    for (class, label) in classes(logits, outputs).into_iter().zip(labels) {
        counts[usize::from(*label) * outputs + usize::from(class)] += 1;
    }
    counts
}

/// How one class, the signal, is told from all others, the background: figures of its ROC curve.
///
/// The curve goes through one point for each score that occurs, `(share of the background, share of the
/// signal)` that has at least this score, from `(0, 0)` to `(1, 1)`, in straight lines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneAgainstRest {
    /// Area under the curve: the chance that a signal row scores above a background row, ties half.
    pub auc: f64,
    /// Share of the background that is taken for signal where the cut keeps half of the signal, 0 to 1.
    pub background_efficiency_50: f64,
    /// The same where the cut keeps 80 % of the signal.
    pub background_efficiency_80: f64,
}

impl OneAgainstRest {
    /// What scores that know nothing have: of a class without rows, or without other rows.
    pub const BLIND: Self = Self {
        auc: 0.5,
        background_efficiency_50: 0.5,
        background_efficiency_80: 0.8,
    };
}

/// How each class is told from the rest; `None` where a class has no rows, or all. `fraction`: logits are
/// in units of `2^-fraction`.
///
/// Rows are ranked by the log odds of the softmax, `l_c - ln(sum over the others of exp(l_k))`, which
/// orders them as the softmax probability does but does not saturate. Exponential and logarithm are made
/// of correctly rounded operations, so every machine ranks alike.
///
/// # Panics
/// When there are not as many labels as rows.
pub fn one_against_rest(
    logits: &[i64],
    outputs: usize,
    labels: &[u8],
    fraction: i32,
) -> Vec<Option<OneAgainstRest>> {
    assert_eq!(
        logits.len(),
        labels.len() * outputs,
        "one row of logits a label"
    );
    let mut powers = Powers::new(2_f64.powi(-fraction));
    let of = |class: usize| {
        let rows = logits.chunks_exact(outputs).zip(labels);
        let scores = rows.map(|(row, label)| {
            (
                log_odds(row, class, &mut powers),
                usize::from(*label) == class,
            )
        });
        Ranking::new(scores.collect()).figures()
    };
    (0..outputs).map(of).collect()
}

/// Differences of codes whose exponentials are kept.
const KEPT: usize = 1 << 18;

/// `e` to the power of differences of codes, each made once: rows have few different ones.
struct Powers {
    unit: f64,
    /// NaN: not made yet.
    known: Vec<f64>,
}

impl Powers {
    fn new(unit: f64) -> Self {
        Self {
            unit,
            known: Vec::new(),
        }
    }

    /// `exp(-difference * unit)`, for a difference that is not negative.
    fn of(&mut self, difference: i64) -> f64 {
        let power = -difference as f64 * self.unit;
        let at = difference as usize;
        if at >= KEPT {
            return exp(power);
        }
        if at >= self.known.len() {
            self.known.resize(at + 1, f64::NAN);
        }
        if self.known[at].is_nan() {
            self.known[at] = exp(power);
        }
        self.known[at]
    }
}

/// Log odds of a class by the softmax of a row; 0 where it is the only one.
fn log_odds(row: &[i64], class: usize, powers: &mut Powers) -> f64 {
    let others = || row.iter().enumerate().filter(|(k, _)| *k != class);
    let Some(best) = others().map(|(_, code)| *code).max() else {
        return 0.0;
    };
    let sum: f64 = others().map(|(_, code)| powers.of(best - code)).sum();
    (row[class] - best) as f64 * powers.unit - ln(sum)
}

/// Rows of equal score, from the highest score to the lowest: how many are signal, how many background.
struct Ranking(Vec<(u64, u64)>);

impl Ranking {
    /// Of rows with their scores and whether they are signal.
    fn new(mut scores: Vec<(f64, bool)>) -> Self {
        scores.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let count = |ties: &[(f64, bool)]| {
            let signal = ties.iter().filter(|tie| tie.1).count();
            (signal as u64, (ties.len() - signal) as u64)
        };
        Self(scores.chunk_by(|a, b| a.0 == b.0).map(count).collect())
    }

    fn figures(&self) -> Option<OneAgainstRest> {
        let sum =
            |(s, b): (u64, u64), (signal, background): &(u64, u64)| (s + signal, b + background);
        let (signal, background) = self.0.iter().fold((0, 0), sum);
        (signal > 0 && background > 0).then(|| OneAgainstRest {
            auc: self.area(signal, background),
            background_efficiency_50: self.background_efficiency(50, signal, background),
            background_efficiency_80: self.background_efficiency(80, signal, background),
        })
    }

    /// The share of pairs in order, ties half (Mann and Whitney's U).
    fn area(&self, signal: u64, background: u64) -> f64 {
        let (mut below, mut doubled_wins) = (background, 0_u64);
        for (inside, outside) in &self.0 {
            below -= outside;
            doubled_wins += inside * (2 * below + outside);
        }
        doubled_wins as f64 / (2 * signal * background) as f64
    }

    /// Where the curve first keeps `percent` of the signal: rows of equal score are taken in part, signal
    /// and background in the same share, which is the straight line. Exact but for one division.
    fn background_efficiency(&self, percent: u64, signal: u64, background: u64) -> f64 {
        let wanted = u128::from(percent * signal);
        let (mut kept, mut passed) = (0_u128, 0_u128);
        for (inside, outside) in &self.0 {
            let (inside, outside) = (u128::from(*inside), u128::from(*outside));
            if 100 * (kept + inside) >= wanted {
                let part = outside * (wanted - 100 * kept);
                let passed = passed * 100 * inside + part;
                return passed as f64 / (100 * inside * u128::from(background)) as f64;
            }
            kept += inside;
            passed += outside;
        }
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_go_to_the_lowest_class() {
        let logits = [1, 1, 0, -5, -4, -4];
        assert_eq!(classes(&logits, 3), [0, 1]);
        assert_eq!(accuracy(&logits, 3, &[0, 2]), 0.5);
        assert_eq!(confusion(&logits, 3, &[0, 2]), [1, 0, 0, 0, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn perfect_wrong_and_blind_scores() {
        let all = |auc, half, most| {
            let figures = OneAgainstRest {
                auc,
                background_efficiency_50: half,
                background_efficiency_80: most,
            };
            [Some(figures); 2]
        };
        let perfect = [9, 0, 8, 0, 0, 9, 0, 8];
        let of = |logits: &[i64], labels: &[u8]| one_against_rest(logits, 2, labels, 1);
        assert_eq!(of(&perfect, &[0, 0, 1, 1]), all(1.0, 0.0, 0.0));
        assert_eq!(of(&perfect, &[1, 1, 0, 0]), all(0.0, 1.0, 1.0));
        assert_eq!(of(&[0; 8], &[0, 0, 1, 1]), [Some(OneAgainstRest::BLIND); 2]);
        assert_eq!(of(&[0; 8], &[0; 4]), [None; 2]);
    }

    #[test]
    fn background_efficiencies_by_hand() {
        let ranking = |groups: &[(u64, u64)]| Ranking(groups.to_vec()).figures().unwrap();
        // Signal efficiencies 0.2, 0.2, 0.6, 0.8, 0.8, 1; background 0, 0.2, 0.4, 0.4, 0.6, 1.
        let figures = ranking(&[(1, 0), (0, 1), (2, 1), (1, 0), (0, 1), (1, 2)]);
        // 0.5 is three quarters of the way from 0.2 to 0.6.
        assert_eq!(figures.background_efficiency_50, 0.35);
        // 0.8 is reached by a signal row alone; the background row behind it is not taken.
        assert_eq!(figures.background_efficiency_80, 0.4);
        // A signal row alone is kept whole or in part at no cost: 0.5 lies inside it.
        let figures = ranking(&[(0, 1), (1, 0), (0, 3)]);
        assert_eq!(figures.background_efficiency_50, 0.25);
        assert_eq!(figures.background_efficiency_80, 0.25);
        // The cut falls on a vertex of the curve.
        let figures = ranking(&[(1, 1), (1, 3)]);
        assert_eq!(figures.background_efficiency_50, 0.25);
        assert_eq!(figures.background_efficiency_80, 0.7);
    }

    #[test]
    fn a_power_is_the_same_made_and_kept() {
        let powers = &mut Powers::new(1.0 / 1024.0);
        for difference in [5, 0, 5, KEPT as i64 - 1, KEPT as i64, 5, 1 << 40] {
            let expected = exp(-difference as f64 / 1024.0);
            assert_eq!(powers.of(difference).to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn the_order_is_that_of_the_softmax_probability() {
        let unit = 0.25;
        let softmax = |row: &[i64], class: usize| {
            let e: Vec<f64> = row.iter().map(|l| (*l as f64 * unit).exp()).collect();
            e[class] / e.iter().sum::<f64>()
        };
        let a = [7, 3, 2];
        let b = [9, 8, -20];
        assert!(softmax(&a, 0) > softmax(&b, 0));
        assert!(log_odds(&a, 0, &mut Powers::new(unit)) > log_odds(&b, 0, &mut Powers::new(unit)));
        let p = softmax(&a, 0);
        assert!((log_odds(&a, 0, &mut Powers::new(unit)) - (p / (1.0 - p)).ln()).abs() < 1e-12);
        // Where probabilities are 1 to the last bit, log odds still tell rows apart.
        let sure = [[400, 0, 0], [440, 0, 0]];
        assert_eq!(softmax(&sure[0], 0), softmax(&sure[1], 0));
        assert!(
            log_odds(&sure[0], 0, &mut Powers::new(unit))
                < log_odds(&sure[1], 0, &mut Powers::new(unit))
        );
    }

    proptest! {
        #[test]
        fn figures_are_those_of_every_pair_and_every_cut(
            rows in prop::collection::vec((-20_i64..20, -20_i64..20, -20_i64..20, 0_u8..3), 2..60),
        ) {
            let logits: Vec<i64> = rows.iter().flat_map(|r| [r.0, r.1, r.2]).collect();
            let labels: Vec<u8> = rows.iter().map(|r| r.3).collect();
            let result = one_against_rest(&logits, 3, &labels, 2);
            prop_assert_eq!(result.len(), 3);
            for (class, figures) in result.into_iter().enumerate() {
                let score = |i: usize| log_odds(&logits[3 * i..3 * i + 3], class, &mut Powers::new(0.25));
                let (signal, background): (Vec<usize>, Vec<usize>) =
                    (0..labels.len()).partition(|i| usize::from(labels[*i]) == class);
                prop_assert_eq!(figures.is_some(), !signal.is_empty() && !background.is_empty());
                let Some(figures) = figures else { continue };
                let (mut wins, mut pairs) = (0.0, 0.0);
                for i in &signal {
                    for j in &background {
                        pairs += 1.0;
                        wins += if score(*i) > score(*j) { 1.0 } else if score(*i) == score(*j) { 0.5 } else { 0.0 };
                    }
                }
                prop_assert!((figures.auc * pairs - wins).abs() < 1e-9);

                // A curve's points as scikit-learn's roc_curve has them, found anew for every cut.
                let share = |of: &[usize], cut: f64| {
                    of.iter().filter(|i| score(**i) >= cut).count() as f64 / of.len() as f64
                };
                let mut cuts: Vec<f64> = (0..labels.len()).map(score).collect();
                cuts.sort_by(|a, b| b.total_cmp(a));
                let mut curve = vec![(0.0, 0.0)];
                curve.extend(cuts.iter().map(|cut| (share(&background, *cut), share(&signal, *cut))));
                let at = |wanted: f64| {
                    let lines = curve.windows(2).filter(|line| line[0].1 < line[1].1 && line[1].1 >= wanted - 1e-12);
                    lines.map(|line| {
                        let along = (wanted - line[0].1) / (line[1].1 - line[0].1);
                        line[0].0 + along.clamp(0.0, 1.0) * (line[1].0 - line[0].0)
                    }).fold(1.0, f64::min)
                };
                prop_assert!((figures.background_efficiency_50 - at(0.5)).abs() < 1e-9);
                prop_assert!((figures.background_efficiency_80 - at(0.8)).abs() < 1e-9);
            }
        }
    }
}
