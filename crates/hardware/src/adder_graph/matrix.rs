//! The matrix to be multiplied with, and the ranges of what it is multiplied by.

use super::range::Range;

/// A constant matrix: output `j` is the sum over inputs `i` of
/// `x[i] * entries[i, j] * 2^(row_exponents[i] + column_exponents[j])`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Matrix {
    /// Inputs.
    pub rows: usize,
    /// Outputs.
    pub columns: usize,
    /// Row-major, `rows * columns` of them, each at most `2^61` in magnitude.
    pub entries: Vec<i64>,
    /// Power of two of each row; empty stands for zeros.
    pub row_exponents: Vec<i32>,
    /// Power of two of each column; empty stands for zeros.
    pub column_exponents: Vec<i32>,
    /// Range of every input.
    pub inputs: Vec<Range>,
}

/// What is wrong with a matrix.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MatrixError {
    /// A list has another length than the shape says.
    #[error("the matrix has {found} {what} where its shape asks for {expected}")]
    Length {
        /// Which list.
        what: &'static str,
        /// Its length.
        found: usize,
        /// What the shape asks for.
        expected: usize,
    },
    /// An entry is too big.
    #[error(
        "entry ({row}, {column}) of the matrix is {entry}; at most 2^61 in magnitude is accepted"
    )]
    Entry {
        /// Input.
        row: usize,
        /// Output.
        column: usize,
        /// The entry.
        entry: i64,
    },
    /// An exponent is too big.
    #[error("an exponent of the {what} is {exponent}; -64 to 64 is accepted")]
    Exponent {
        /// Of what.
        what: &'static str,
        /// The exponent.
        exponent: i32,
    },
    /// A range is empty or too wide.
    #[error(
        "the range of input {input} is {low}..={high}; at most 2^61 in magnitude and not empty is accepted"
    )]
    Range {
        /// Input.
        input: usize,
        /// Smallest step.
        low: i128,
        /// Largest step.
        high: i128,
    },
    /// More rows or columns than wires can be numbered for.
    #[error(
        "the matrix has {rows} rows and {columns} columns; at most 65,536 together are accepted"
    )]
    Size {
        /// Inputs.
        rows: usize,
        /// Outputs.
        columns: usize,
    },
}

impl Matrix {
    /// A matrix without scales.
    pub fn new(rows: usize, columns: usize, entries: Vec<i64>, inputs: Vec<Range>) -> Self {
        Self {
            rows,
            columns,
            entries,
            row_exponents: Vec::new(),
            column_exponents: Vec::new(),
            inputs,
        }
    }

    /// The integer at a row and column.
    pub fn entry(&self, row: usize, column: usize) -> i64 {
        self.entries[row * self.columns + column]
    }

    /// Power of two of the entry at a row and column.
    pub fn exponent(&self, row: usize, column: usize) -> i32 {
        self.row_exponents.get(row).unwrap_or(&0) + self.column_exponents.get(column).unwrap_or(&0)
    }

    /// Are all lists as long as the shape says, and all numbers inside what is accepted?
    ///
    /// # Errors
    /// On the first that is not.
    pub fn check(&self) -> Result<(), MatrixError> {
        let (rows, columns) = (self.rows, self.columns);
        if rows.saturating_add(columns) > 65_536 {
            return Err(MatrixError::Size { rows, columns });
        }
        let optional = |list: &Vec<i32>, length| if list.is_empty() { 0 } else { length };
        for (what, found, expected) in [
            ("entries", self.entries.len(), rows * columns),
            ("input ranges", self.inputs.len(), rows),
            (
                "row exponents",
                self.row_exponents.len(),
                optional(&self.row_exponents, rows),
            ),
            (
                "column exponents",
                self.column_exponents.len(),
                optional(&self.column_exponents, columns),
            ),
        ] {
            if found != expected {
                return Err(MatrixError::Length {
                    what,
                    found,
                    expected,
                });
            }
        }
        if let Some(place) = self.entries.iter().position(|e| e.unsigned_abs() > 1 << 61) {
            return Err(MatrixError::Entry {
                row: place / columns,
                column: place % columns,
                entry: self.entries[place],
            });
        }
        for (input, range) in self.inputs.iter().enumerate() {
            let limit = 1_i128 << 61;
            if range.low > range.high || range.low < -limit || range.high > limit {
                return Err(MatrixError::Range {
                    input,
                    low: range.low,
                    high: range.high,
                });
            }
        }
        let inputs = self.inputs.iter().filter(|range| !range.is_zero());
        for (what, exponent) in (self.row_exponents.iter().map(|&e| ("rows", e)))
            .chain(self.column_exponents.iter().map(|&e| ("columns", e)))
            .chain(inputs.map(|range| ("inputs", range.exponent)))
        {
            if exponent.abs() > 64 {
                return Err(MatrixError::Exponent { what, exponent });
            }
        }
        Ok(())
    }
}
