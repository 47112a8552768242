//! How well outputs predict the rows of a split.
//!
//! The rule this module keeps: integer outputs are compared as integers wherever classes are told apart, and
//! differences to values are taken in f64, row by row, so that every machine measures alike.

use bitfront_dataset::Table;
use bitfront_network::{Candidate, Head, IntegerProgram};
use bitfront_training::metrics::{OneAgainstRest, accuracy, confusion, one_against_rest};

/// What is measured on a split.
pub(crate) enum Measured {
    /// Rows have classes, or values from 0 to 1: 1 from one half on.
    Classes {
        /// Share of the rows that are right: in all their outputs.
        accuracy: f64,
        /// Rows of each class by the class they are taken for; of rows with one class each.
        confusion: Option<Vec<Vec<u64>>>,
        /// Each class, or each value, against the rest.
        classes: Vec<OneAgainstRest>,
    },
    /// Rows have values.
    Values {
        /// Mean of squared differences over rows and outputs.
        mean_squared_error: f64,
    },
}

impl Measured {
    /// By the exact outputs of a network.
    pub(super) fn of_program(program: &IntegerProgram, table: &Table) -> Self {
        Self::of_logits(
            program,
            &program.logits(&program.input_codes(&table.x)),
            table,
        )
    }

    /// By logits of every row, row-major with the program's output fraction.
    pub(crate) fn of_logits(program: &IntegerProgram, codes: &[i64], table: &Table) -> Self {
        let outputs = program.candidate.outputs();
        let fraction = program.output_fraction;
        match program.candidate.head {
            Head::Softmax { .. } => of_classes(codes, outputs, &table.y, fraction),
            Head::Sigmoid if table.values.is_empty() => {
                of_classes(&two_classes(codes.iter()), 2, &table.y, fraction)
            }
            Head::Sigmoid => {
                let pairs = codes
                    .chunks_exact(outputs)
                    .zip(table.values.chunks_exact(outputs));
                let right =
                    pairs.filter(|(z, t)| z.iter().zip(*t).all(|(z, t)| (*z >= 0) == is_one(*t)));
                let accuracy = share(right.count(), table.rows);
                let of_output = |at: usize| {
                    let of_column = codes.iter().skip(at).step_by(outputs);
                    let labels = table.values.iter().skip(at).step_by(outputs);
                    let labels: Vec<u8> = labels.map(|t| u8::from(is_one(*t))).collect();
                    one_against_rest(&two_classes(of_column), 2, &labels, fraction)[1]
                };
                let classes = (0..outputs).map(|at| or_blind(of_output(at)));
                Self::Classes {
                    accuracy,
                    confusion: None,
                    classes: classes.collect(),
                }
            }
            Head::Linear => {
                let unit = 2_f64.powi(-fraction);
                Self::Values {
                    mean_squared_error: mean_squared_error(
                        codes.iter().map(|code| *code as f64 * unit),
                        table,
                    ),
                }
            }
        }
    }

    /// Accuracy, of classes.
    pub(crate) fn accuracy(&self) -> Option<f64> {
        match self {
            Self::Classes { accuracy, .. } => Some(*accuracy),
            Self::Values { .. } => None,
        }
    }

    /// Mean squared error, of values.
    pub(crate) fn mean_squared_error(&self) -> Option<f64> {
        match self {
            Self::Classes { .. } => None,
            Self::Values { mean_squared_error } => Some(*mean_squared_error),
        }
    }

    /// A figure of every class.
    pub(super) fn each(&self, figure: fn(&OneAgainstRest) -> f64) -> Option<Vec<f64>> {
        match self {
            Self::Classes { classes, .. } => Some(classes.iter().map(figure).collect()),
            Self::Values { .. } => None,
        }
    }

    /// Rows of each class by the class they are taken for.
    pub(super) fn confusion(self) -> Option<Vec<Vec<u64>>> {
        match self {
            Self::Classes { confusion, .. } => confusion,
            Self::Values { .. } => None,
        }
    }
}

/// Accuracy by real outputs, or their mean squared error: what a float network has.
pub(super) fn of_reals(
    candidate: &Candidate,
    outputs: &[f64],
    table: &Table,
) -> (Option<f64>, Option<f64>) {
    let width = candidate.outputs();
    let rows = || outputs.chunks_exact(width).enumerate();
    let right = match candidate.head {
        Head::Softmax { .. } => rows()
            .filter(|(row, z)| largest(z) == usize::from(table.y[*row]))
            .count(),
        Head::Sigmoid => rows()
            .filter(|(row, z)| {
                let one = |at: usize| match &*table.values {
                    [] => table.y[*row] == 1,
                    values => is_one(values[row * width + at]),
                };
                z.iter().enumerate().all(|(at, z)| (*z >= 0.0) == one(at))
            })
            .count(),
        Head::Linear => {
            return (
                None,
                Some(mean_squared_error(outputs.iter().copied(), table)),
            );
        }
    };
    (Some(share(right, table.rows)), None)
}

fn of_classes(codes: &[i64], outputs: usize, labels: &[u8], fraction: i32) -> Measured {
    let counts = confusion(codes, outputs, labels);
    let classes = one_against_rest(codes, outputs, labels, fraction);
    Measured::Classes {
        accuracy: accuracy(codes, outputs, labels),
        confusion: Some(counts.chunks_exact(outputs).map(<[u64]>::to_vec).collect()),
        classes: classes.into_iter().map(or_blind).collect(),
    }
}

fn or_blind(figures: Option<OneAgainstRest>) -> OneAgainstRest {
    figures.unwrap_or(OneAgainstRest::BLIND)
}

/// Outputs of a sigmoid as those of two classes: the second is the larger one where the output is at least
/// 0, and their difference orders rows as the output does.
fn two_classes<'a>(outputs: impl Iterator<Item = &'a i64>) -> Vec<i64> {
    outputs.flat_map(|z| [-(2 * z + 1), 2 * z + 1]).collect()
}

/// Whether a value of 0 or 1 is 1, as the loss has it.
fn is_one(value: f32) -> bool {
    value >= 0.5
}

fn mean_squared_error(outputs: impl Iterator<Item = f64>, table: &Table) -> f64 {
    let squares = outputs.zip(&table.values).map(|(z, t)| {
        let off = z - f64::from(*t);
        off * off
    });
    squares.fold(0.0, |sum, square| sum + square) / table.values.len().max(1) as f64
}

/// Index of the largest output, the lowest on a tie.
fn largest(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best })
}

/// Share of all rows; 0 of no rows.
fn share(right: usize, rows: usize) -> f64 {
    right as f64 / rows.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(values: &[f32]) -> Table {
        Table {
            rows: values.len(),
            values: values.to_vec(),
            ..Table::default()
        }
    }

    #[test]
    fn ties_go_to_the_lowest_class() {
        assert_eq!(largest(&[3.0, 5.0, 5.0]), 1);
        assert_eq!(largest(&[-1.0, -1.0]), 0);
    }

    #[test]
    fn an_output_of_zero_is_the_second_class_and_order_is_kept() {
        let z = [0, -1, 1, i64::from(i32::MAX)];
        let codes = two_classes(z.iter());
        assert_eq!(accuracy(&codes, 2, &[1, 0, 1, 1]), 1.0);
        let difference = |row: usize| codes[2 * row + 1] - codes[2 * row];
        assert!(difference(1) < difference(0) && difference(0) < difference(2));
    }

    #[test]
    fn squares_by_hand() {
        let error = mean_squared_error([1.0, -0.5].into_iter(), &values(&[0.0, 1.5]));
        assert_eq!(error, f64::midpoint(1.0, 4.0));
        assert_eq!(mean_squared_error(std::iter::empty(), &values(&[])), 0.0);
        assert_eq!(share(0, 0), 0.0);
    }
}
