//! Constant matrix products as graphs of shifts and two-operand adders, as cheap as they are found.
//!
//! The rule this module keeps: a graph is only what [`AdderGraph::verify`] says it is. Coefficients, ranges
//! and price are worked out from its adders, with nothing of the search.
//!
//! The price of a graph is the sum of [`adder_price`] over its adders: one for each bit of an
//! accumulator, about one LUT. Shifts and the signs of outputs are free.
//!
//! # How a graph is found
//!
//! 1. **Centre.** Common powers of two leave the columns; inputs that are always zero leave the matrix.
//! 2. **Tree.** A minimum spanning tree over the columns, and zero: a column may be plus or minus another one
//!    and the difference, where that has enough fewer signed digits to pay for joining the other column.
//! 3. **Share.** Columns are written in canonical signed digits. The two-digit pattern of the best score
//!    (how often it occurs, times the bits in which its operands overlap, less a part of those they span) becomes
//!    one adder in place of all its occurrences; and so on, until none occurs twice. Other columns'
//!    outputs are digits like inputs, so all columns are shared in one pass.
//! 4. **Join.** What is left of a sum is joined pair by pair: the pair of the lowest price first, where
//!    bits that the operands don't have in common count as part of the price.
//!
//! Steps 2 to 4 are tried with several settings, fewer for bigger matrices, and the cheapest graph is
//! kept. Steps 1 to 3 follow da4ml's published description (`docs/cmvm.md` there), with these
//! differences: one pass in place of two over the factors of a decomposition, a score that looks at the span, and
//! sums joined by price where da4ml joins the earliest first. A bound on depth is a budget for the sum of
//! `2^depth` of each column's terms.
//!
//! `bench/circuits/run` compares both solvers on the same matrices.

mod build;
mod cache;
mod columns;
mod digits;
mod graph;
mod matrix;
mod plans;
mod range;
mod share;
mod solve;
mod symbols;
#[cfg(test)]
mod tests;

pub use cache::solve_cached;
pub use graph::{Adder, AdderGraph, GraphError, Output};
pub use matrix::{Matrix, MatrixError};
pub use range::{Range, adder_price};
pub use solve::{Effort, Options, solve};
