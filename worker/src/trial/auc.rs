//! Area under the one-against-rest ROC curve of each class, from integer logits.
//!
//! Rows are ranked by the log odds of the softmax, `l_c - ln(sum over the others of exp(l_k))`,
//! which orders them as the softmax probability does but does not saturate. The logits are the
//! exact integers; exponential and logarithm are the project's own, made of correctly rounded
//! operations, so every machine ranks alike (promise P2). Equal scores share their mean rank.

use bitfront_kernel::{exp, ln};

/// AUC of each class, 0 to 1; 0.5 for a class that has no rows, or all of them.
///
/// `logits` is row-major `rows x classes`, in units of `2^-fraction`.
pub(crate) fn one_against_rest(
    logits: &[i64],
    fraction: i32,
    y: &[u8],
    classes: usize,
) -> Vec<f64> {
    let unit = power_of_two(-fraction);
    (0..classes)
        .map(|class| {
            let mut scored: Vec<(f64, bool)> = logits
                .chunks_exact(classes)
                .zip(y)
                .map(|(row, label)| (log_odds(row, class, unit), usize::from(*label) == class))
                .collect();
            area(&mut scored)
        })
        .collect()
}

fn log_odds(row: &[i64], class: usize, unit: f64) -> f64 {
    let others = || row.iter().enumerate().filter(|(k, _)| *k != class);
    let Some(best) = others().map(|(_, code)| *code).max() else {
        return 0.0;
    };
    let sum: f64 = others()
        .map(|(_, code)| exp((code - best) as f64 * unit))
        .sum();
    (row[class] - best) as f64 * unit - ln(sum)
}

/// Mann and Whitney's statistic with mean ranks for ties, counted in whole half-ranks.
fn area(scored: &mut [(f64, bool)]) -> f64 {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = scored.iter().filter(|(_, positive)| *positive).count() as u64;
    let negatives = scored.len() as u64 - positives;
    if positives == 0 || negatives == 0 {
        return 0.5;
    }
    let mut doubled_ranks = 0_u64;
    let mut below = 0_u64;
    for tied in scored.chunk_by(|a, b| a.0 == b.0) {
        let here = tied.len() as u64;
        let positive = tied.iter().filter(|(_, positive)| *positive).count() as u64;
        doubled_ranks += positive * (2 * below + here + 1);
        below += here;
    }
    let excess = doubled_ranks - positives * (positives + 1);
    excess as f64 / (2 * positives * negatives) as f64
}

fn power_of_two(exponent: i32) -> f64 {
    2_f64.powi(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Share of (positive, negative) pairs in the right order, ties half.
    fn by_pairs(scored: &[(f64, bool)]) -> f64 {
        let mut won = 0.0;
        let mut pairs = 0.0;
        for (a, _) in scored.iter().filter(|(_, positive)| *positive) {
            for (b, _) in scored.iter().filter(|(_, positive)| !*positive) {
                pairs += 1.0;
                won += if a > b {
                    1.0
                } else if a == b {
                    0.5
                } else {
                    0.0
                };
            }
        }
        won / pairs
    }

    #[test]
    fn ranks_agree_with_counting_pairs() {
        let mut state = 1_u32;
        for _ in 0..50 {
            let mut scored: Vec<(f64, bool)> = (0..60)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (f64::from(state >> 29), (state >> 12) & 1 == 1)
                })
                .collect();
            let expected = by_pairs(&scored);
            assert!((area(&mut scored) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn perfect_reversed_and_absent_classes() {
        // Two classes, units of 1/4.
        let logits = [8, 0, 6, 0, 0, 9, 0, 1];
        assert_eq!(one_against_rest(&logits, 2, &[0, 0, 1, 1], 2), [1.0, 1.0]);
        assert_eq!(one_against_rest(&logits, 2, &[1, 1, 0, 0], 2), [0.0, 0.0]);
        assert_eq!(one_against_rest(&logits, 2, &[0, 0, 0, 0], 2), [0.5, 0.5]);
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
        assert!(log_odds(&a, 0, unit) > log_odds(&b, 0, unit));
        let p = softmax(&a, 0);
        assert!((log_odds(&a, 0, unit) - (p / (1.0 - p)).ln()).abs() < 1e-12);
    }
}
