//! Which rows train, which validate and which test.
//!
//! The rule this module keeps: the split is a pure function of the labels and the [`SplitSpec`], and
//! must never change: stored scores refer to it. So the permutation is written out here, from
//! `ChaCha8` words, and does not follow a library's idea of a shuffle.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::error::DatasetError;
use crate::scikit_learn;
use crate::table::counts;

/// Shares of the rows, each class alike.
///
/// Where the file has test rows of its own, they are the test split, and the other two share the
/// file's train rows in the proportion `train : validation`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitSpec {
    /// Share of the rows that train, above 0.
    pub train: f64,
    /// Share that chooses between candidates, above 0.
    pub validation: f64,
    /// Share that is only reported, above 0.
    pub test: f64,
    /// Seed of the permutation.
    pub seed: u64,
    /// Which rows test.
    pub test_rows: TestRows,
}

/// Which rows test, where the file has no test rows of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestRows {
    /// A share of each class.
    #[default]
    EachClass,
    /// Those of scikit-learn's `train_test_split(test_size=test, random_state=seed)`, of a seed below 2^32.
    ScikitLearn,
}

impl Default for SplitSpec {
    /// 64 % train, 16 % validation, 20 % test.
    fn default() -> Self {
        Self {
            train: 0.64,
            validation: 0.16,
            test: 0.2,
            seed: 0,
            test_rows: TestRows::EachClass,
        }
    }
}

impl SplitSpec {
    /// Checks the shares.
    ///
    /// # Errors
    /// [`DatasetError::Split`] for a share outside of 0 to 1, or a sum that is not 1.
    pub fn check(&self) -> Result<(), DatasetError> {
        let shares = [
            ("train", self.train),
            ("validation", self.validation),
            ("test", self.test),
        ];
        for (field, value) in shares {
            if !(value > 0.0 && value < 1.0) {
                let accepted = "a share above 0 and below 1";
                return Err(DatasetError::Split {
                    field,
                    value,
                    accepted,
                });
            }
        }
        let sum = self.train + self.validation + self.test;
        if (sum - 1.0).abs() > 1e-9 {
            return Err(DatasetError::Split {
                field: "train + validation + test",
                value: sum,
                accepted: "a sum of 1",
            });
        }
        if self.test_rows == TestRows::ScikitLearn && u32::try_from(self.seed).is_err() {
            return Err(DatasetError::Split {
                field: "seed",
                value: self.seed as f64,
                accepted: "0 to 4294967295, as scikit_learn takes it",
            });
        }
        Ok(())
    }

    /// Row numbers of train, validation and test, each ascending; without `with_test`, the test
    /// part is empty and the others take all rows.
    pub(crate) fn parts(
        &self,
        y: &[u8],
        classes: &[String],
        with_test: bool,
    ) -> Result<[Vec<usize>; 3], DatasetError> {
        self.check()?;
        let published = self.test_rows == TestRows::ScikitLearn;
        if published && !with_test {
            return Err(DatasetError::OwnTestRows);
        }
        // Rows that test, whatever their class.
        let mut tests = vec![false; y.len()];
        if published {
            for row in scikit_learn::test_rows(y.len(), self.test, self.seed as u32) {
                tests[row] = true;
            }
        }
        let (validation, test) = if with_test && !published {
            (self.validation, self.test)
        } else {
            (self.validation / (self.train + self.validation), 0.0)
        };
        // Which part each row is in.
        let mut part_of = vec![0_u8; y.len()];
        let mut lengths = [0; 3];
        for (class, name) in classes.iter().enumerate() {
            let (published_part, mut rows): (Vec<usize>, Vec<usize>) = (0..y.len())
                .filter(|&row| usize::from(y[row]) == class)
                .partition(|&row| tests[row]);
            permute(&mut rows, self.seed, class as u64);
            let share = |part: f64| (rows.len() as f64 * part + 0.5).floor() as usize;
            let test_rows = share(test);
            let validation_rows = share(validation).min(rows.len() - test_rows);
            let (test_part, rest) = rows.split_at(test_rows);
            let (validation_part, train_part) = rest.split_at(validation_rows);
            let test_part = if published {
                &published_part
            } else {
                test_part
            };
            let all = [
                ("train", train_part),
                ("validation", validation_part),
                ("test", test_part),
            ];
            for (i, (part, rows)) in all.into_iter().enumerate() {
                if rows.is_empty() && (i < 2 || with_test) {
                    return Err(DatasetError::EmptyClass {
                        table: format!("{part} part of the split"),
                        class: name.clone(),
                        rows: 0,
                        needed: 1,
                    });
                }
                lengths[i] += rows.len();
                for row in rows {
                    part_of[*row] = 1 << i;
                }
            }
        }
        let mut parts = lengths.map(Vec::with_capacity);
        for (row, part) in part_of.into_iter().enumerate() {
            // Rows of no class are in no part.
            if let Some(rows) = parts.get_mut(part.trailing_zeros() as usize) {
                rows.push(row);
            }
        }
        debug_assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), y.len());
        debug_assert_eq!(counts(y, classes.len()).iter().sum::<usize>(), y.len());
        Ok(parts)
    }
}

/// Fisher-Yates from the end, with unbiased draws from the stream of (`seed`, `stream`).
fn permute(rows: &mut [usize], seed: u64, stream: u64) {
    let mut key = [0_u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(b"bf.split");
    key[16..24].copy_from_slice(&stream.to_le_bytes());
    let mut words = ChaCha8Rng::from_seed(key);
    for last in (1..rows.len()).rev() {
        let count = last as u64 + 1;
        // Draws from the largest multiple of `count` below 2^64 on are drawn again; it lies within `count` of 2^64, so
        // that its division is rarely needed.
        let draw = loop {
            let word = words.next_u64();
            if word < u64::MAX - count || word < u64::MAX - u64::MAX % count {
                break word % count;
            }
        };
        rows.swap(last, draw as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_permutation_never_changes() {
        let mut rows: Vec<usize> = (0..10).collect();
        permute(&mut rows, 42, 3);
        assert_eq!(rows, [3, 8, 1, 0, 4, 7, 9, 6, 2, 5]);
    }

    #[test]
    fn shares_are_checked() {
        let spec = SplitSpec {
            train: 0.7,
            ..SplitSpec::default()
        };
        assert!(spec.check().unwrap_err().to_string().contains("a sum of 1"));
        let spec = SplitSpec {
            validation: f64::NAN,
            ..SplitSpec::default()
        };
        assert!(
            spec.check()
                .unwrap_err()
                .to_string()
                .starts_with("split.validation is NaN")
        );
        assert!(serde_json::from_str::<SplitSpec>(r#"{"sead": 1}"#).is_err());
    }
}
