//! Scores from integer logits: accuracy, confusion matrix, AUC of each class.
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

/// Area under the one-against-rest ROC curve of each class, 0 to 1; `None` where a class has no rows, or
/// all. `fraction`: logits are in units of `2^-fraction`.
///
/// Rows are ranked by the log odds of the softmax, `l_c - ln(sum over the others of exp(l_k))`, which
/// orders them as the softmax probability does but does not saturate; equal ones count half. Exponential
/// and logarithm are made of correctly rounded operations, so every machine ranks alike.
///
/// # Panics
/// When there are not as many labels as rows.
pub fn auc(logits: &[i64], outputs: usize, labels: &[u8], fraction: i32) -> Vec<Option<f64>> {
    assert_eq!(
        logits.len(),
        labels.len() * outputs,
        "one row of logits a label"
    );
    let mut powers = Powers::new(2_f64.powi(-fraction));
    let of = |class: usize| {
        let rows = logits.chunks_exact(outputs).zip(labels);
        let mut scores: Vec<(f64, bool)> = rows
            .map(|(row, label)| {
                (
                    log_odds(row, class, &mut powers),
                    usize::from(*label) == class,
                )
            })
            .collect();
        area(&mut scores)
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

/// The chance that a member scores above a non-member, ties half (Mann and Whitney's U).
fn area(scores: &mut [(f64, bool)]) -> Option<f64> {
    scores.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut members, mut doubled_wins) = (0_u64, 0_u64, 0_u64);
    for ties in scores.chunk_by(|a, b| a.0 == b.0) {
        let inside = ties.iter().filter(|tie| tie.1).count() as u64;
        let outside = ties.len() as u64 - inside;
        doubled_wins += inside * (2 * below + outside);
        below += outside;
        members += inside;
    }
    let pairs = members * below;
    (pairs > 0).then(|| doubled_wins as f64 / (2 * pairs) as f64)
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
    fn auc_of_perfect_and_blind_scores() {
        let perfect = [9, 0, 8, 0, 0, 9, 0, 8];
        assert_eq!(auc(&perfect, 2, &[0, 0, 1, 1], 1), [Some(1.0); 2]);
        assert_eq!(auc(&perfect, 2, &[1, 1, 0, 0], 1), [Some(0.0); 2]);
        assert_eq!(auc(&[0; 8], 2, &[0, 0, 1, 1], 1), [Some(0.5); 2]);
        assert_eq!(auc(&[0; 8], 2, &[0; 4], 1), [None; 2]);
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
        fn auc_is_the_share_of_pairs_in_order(
            rows in prop::collection::vec((-20_i64..20, -20_i64..20, -20_i64..20, 0_u8..3), 2..60),
        ) {
            let logits: Vec<i64> = rows.iter().flat_map(|r| [r.0, r.1, r.2]).collect();
            let labels: Vec<u8> = rows.iter().map(|r| r.3).collect();
            let result = auc(&logits, 3, &labels, 2);
            prop_assert_eq!(result.len(), 3);
            for (class, area) in result.into_iter().enumerate() {
                let score = |i: usize| log_odds(&logits[3 * i..3 * i + 3], class, &mut Powers::new(0.25));
                let (mut wins, mut pairs) = (0.0, 0.0);
                for i in 0..labels.len() {
                    for j in 0..labels.len() {
                        if usize::from(labels[i]) == class && usize::from(labels[j]) != class {
                            pairs += 1.0;
                            wins += if score(i) > score(j) { 1.0 } else if score(i) == score(j) { 0.5 } else { 0.0 };
                        }
                    }
                }
                prop_assert_eq!(area.is_some(), pairs > 0.0);
                prop_assert!((area.unwrap_or(0.0) * pairs - wins).abs() < 1e-9);
            }
        }
    }
}
