//! The test rows of scikit-learn's `train_test_split`, which the published splits of the jets are made by.
//!
//! The rule this module keeps: rows are those of `train_test_split(test_size=share, random_state=seed)` without `stratify`:
//! the first `ceil(share * rows)` of numpy's `RandomState(seed).permutation(rows)`. Numpy keeps that stream for ever (NEP 19).

use rand_mt::Mt;

/// Numbers of the rows that test, in scikit-learn's order.
pub(crate) fn test_rows(rows: usize, share: f64, seed: u32) -> Vec<usize> {
    let count = (share * rows as f64).ceil() as usize;
    let mut permuted = permutation(rows, seed);
    permuted.truncate(count);
    permuted
}

/// `numpy.random.RandomState(seed).permutation(rows)` of fewer than 2^32 rows.
fn permutation(rows: usize, seed: u32) -> Vec<usize> {
    let mut words = Mt::new(seed);
    let mut permuted: Vec<usize> = (0..rows).collect();
    for last in (1..rows).rev() {
        permuted.swap(last, at_most(&mut words, last as u32) as usize);
    }
    permuted
}

/// A number up to `most`, above 0: the low bits of a word, drawn again while they are more.
fn at_most(words: &mut Mt, most: u32) -> u32 {
    let mask = u32::MAX >> most.leading_zeros();
    loop {
        let draw = words.next_u32() & mask;
        if draw <= most {
            return draw;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of numpy 2.4.6.
    #[test]
    fn permutations_are_numpys() {
        assert_eq!(permutation(10, 42), [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
        assert_eq!(permutation(7, 0), [6, 2, 1, 3, 0, 5, 4]);
        let many = permutation(1000, u32::MAX);
        assert_eq!(many[..8], [94, 405, 819, 632, 217, 169, 449, 275]);
        assert!(permutation(0, 1).is_empty() && permutation(1, 1) == [0]);
    }

    /// As many rows as OpenML 42468 has, and about as many as `CERNBox` without doubles.
    #[test]
    fn published_test_rows_are_these() {
        let openml = test_rows(830_000, 0.2, 42);
        assert_eq!(openml.len(), 166_000);
        let first = [
            751_634, 86_353, 230_730, 5_812, 817_200, 526_654, 344_115, 67_276,
        ];
        assert_eq!(openml[..8], first);
        assert_eq!(openml.iter().sum::<usize>(), 68_900_819_022);
        assert_eq!(test_rows(986_806, 0.2, 42).len(), 197_362);
        assert_eq!(test_rows(11, 0.2, 3), [5, 4, 1], "a part of a row is a row");
    }
}
