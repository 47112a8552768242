//! Test vectors of a circuit: rows of the test split, corners of the input box, random rows; of a circuit within ranges of
//! the train rows, these rows alone.

use bitfront_hardware::circuit::OutputForm;
use bitfront_network::{IntegerProgram, Interval};

/// Fewest vectors of any job.
pub(crate) const FEWEST: usize = 2000;

/// Seed of the random rows.
pub(super) const SEED: u64 = 0x6269_7466_726f_6e74;

/// Input codes and what integer inference says of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vectors {
    /// Row-major `rows x inputs`.
    pub(crate) inputs: Vec<i64>,
    /// Row-major `rows x words of the output bus`.
    pub(crate) expected: Vec<i64>,
    /// Number of rows.
    pub(crate) rows: usize,
}

impl Vectors {
    /// At least `wanted` vectors (never fewer than [`FEWEST`]): the corners, at most half of them with one feature at an end; up
    /// to half of the rest from `test_rows` (standardised, row-major), evenly spread over them, then random ones.
    pub(crate) fn for_program(
        program: &IntegerProgram,
        output: OutputForm,
        test_rows: &[f32],
        wanted: usize,
    ) -> Self {
        let columns = program.inputs();
        // The input has one quantizer, so one range.
        let range = program.input.range[0];
        let wanted = wanted.max(FEWEST);
        let mut codes = corners(range, columns, wanted / 4);
        let rest = wanted.saturating_sub(codes.len() / columns);
        let rows: Vec<&[f32]> = test_rows.chunks_exact(columns).collect();
        let taken = rows.len().min(rest.div_ceil(2));
        for n in 0..taken {
            let row = rows[n * rows.len() / taken];
            codes.extend(program.input_codes(row));
        }
        let mut noise = Noise(SEED);
        while codes.len() / columns < wanted {
            codes.extend((0..columns).map(|_| noise.within(range)));
        }
        Self::of(program, output, codes)
    }

    /// `wanted` rows (never fewer than [`FEWEST`]) of input codes, evenly spread over them, or all where there are fewer:
    /// for circuits that are equal to integer inference on rows like these alone.
    pub(crate) fn of_rows(
        program: &IntegerProgram,
        output: OutputForm,
        codes: &[i32],
        wanted: usize,
    ) -> Self {
        let rows: Vec<&[i32]> = codes.chunks_exact(program.inputs()).collect();
        let taken = rows.len().min(wanted.max(FEWEST));
        let spread = (0..taken).flat_map(|n| rows[n * rows.len() / taken]);
        Self::of(program, output, spread.copied().collect())
    }

    fn of(program: &IntegerProgram, output: OutputForm, codes: Vec<i32>) -> Self {
        Self {
            rows: codes.len() / program.inputs(),
            expected: output.expected(program, &codes),
            inputs: codes.into_iter().map(i64::from).collect(),
        }
    }
}

/// All smallest, all largest, all nearest to zero, and each feature alone at either end; of more features than `most` so many,
/// evenly spread over them: vectors of every network are rows of its inputs, never their square.
fn corners(range: Interval, columns: usize, most: usize) -> Vec<i32> {
    let (lo, hi) = (range.lo as i32, range.hi as i32);
    let rest = 0.clamp(lo, hi);
    let taken = columns.min(most);
    let mut codes = Vec::with_capacity((3 + 2 * taken) * columns);
    for all in [lo, hi, rest] {
        codes.extend(std::iter::repeat_n(all, columns));
    }
    for end in [lo, hi] {
        for hot in (0..taken).map(|n| n * columns / taken) {
            codes.extend((0..columns).map(|at| if at == hot { end } else { rest }));
        }
    }
    codes
}

/// `SplitMix64`: the same vectors for every run of a job.
struct Noise(u64);

impl Noise {
    fn within(&mut self, range: Interval) -> i32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let span = (range.hi - range.lo) as u64 + 1;
        (range.lo + (z % span) as i64) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_hold_both_ends_of_every_feature() {
        let range = Interval { lo: -4, hi: 3 };
        let codes = corners(range, 2, 500);
        let rows: Vec<&[i32]> = codes.chunks(2).collect();
        assert_eq!(
            rows,
            [[-4, -4], [3, 3], [0, 0], [-4, 0], [0, -4], [3, 0], [0, 3]]
        );
        // Zero may lie outside the codes.
        let positive = corners(Interval { lo: 1, hi: 2 }, 1, 500);
        assert_eq!(positive, [1, 2, 1, 1, 2]);
    }

    #[test]
    fn corners_of_many_features_are_spread_over_them() {
        let range = Interval { lo: -4, hi: 3 };
        let codes = corners(range, 784, 500);
        let rows: Vec<&[i32]> = codes.chunks(784).collect();
        assert_eq!(rows.len(), 3 + 2 * 500);
        let hot = |row: &&[i32]| row.iter().position(|code| *code != 0);
        let lowest: Vec<usize> = rows[3..503].iter().filter_map(hot).collect();
        let highest: Vec<usize> = rows[503..].iter().filter_map(hot).collect();
        assert_eq!(lowest, highest);
        assert!(lowest.is_sorted() && lowest.len() == 500 && lowest[499] > 780);
        assert!(
            lowest
                .windows(2)
                .all(|pair| (1..=2).contains(&(pair[1] - pair[0])))
        );
    }

    #[test]
    fn noise_covers_the_range_and_stays_inside() {
        let mut noise = Noise(1);
        let range = Interval { lo: -2, hi: 1 };
        let mut seen = [0; 4];
        for _ in 0..400 {
            seen[(noise.within(range) + 2) as usize] += 1;
        }
        assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
    }
}
