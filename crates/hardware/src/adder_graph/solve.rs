//! Tries several ways of sharing and joining and keeps the cheapest graph.

use super::build::{Builder, Term};
use super::columns::{Distances, Tree};
use super::digits::signed_digits;
use super::graph::{AdderGraph, GraphError, Output};
use super::matrix::Matrix;
use super::plans::{self, Plan};
use super::range::Range;
use super::share::Sums;
use super::symbols::{DEEPEST, Literal, Meaning, Symbol};

/// What the solver is to find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// Adder levels allowed beyond `ceil(log2(digits))` of the column with the most signed digits; none where only
    /// the price matters.
    pub extra_depth: Option<u32>,
    /// How long to search.
    pub effort: Effort,
}

/// How many ways are tried; the cheapest graph is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Effort {
    /// One.
    Quick,
    /// 16, and fewer (two at least) of big matrices.
    #[default]
    Normal,
    /// 64, and fewer (eight at least) of big matrices.
    Thorough,
}

impl Effort {
    /// Ways to try on a matrix whose columns have so many pairs of digits.
    fn plans(self, pairs: usize) -> usize {
        let pairs = pairs.max(1);
        match self {
            Self::Quick => 1,
            Self::Normal => (3_000_000 / pairs).clamp(2, 16),
            Self::Thorough => (8_000_000 / pairs).clamp(8, 64),
        }
    }
}

/// Products of columns and entries up to which columns are compared with one another.
const MOST_COMPARED: usize = 1 << 26;

/// A matrix's columns, divided by common powers of two, without inputs that are always zero.
struct Centred {
    /// Of the inputs that count: their number and range, scaled by the row's exponent.
    inputs: Vec<(u32, i32, Range)>,
    columns: Vec<Vec<i64>>,
    /// Power of two to scale each column by.
    shifts: Vec<i32>,
}

impl Centred {
    fn new(matrix: &Matrix) -> Self {
        let inputs: Vec<(u32, i32, Range)> = (0..matrix.rows)
            .filter(|&row| !matrix.inputs[row].is_zero())
            .map(|row| {
                let shift = matrix.row_exponents.get(row).copied().unwrap_or(0);
                (row as u32, shift, matrix.inputs[row])
            })
            .collect();
        let mut columns = Vec::with_capacity(matrix.columns);
        let mut shifts = Vec::with_capacity(matrix.columns);
        for column in 0..matrix.columns {
            let mut entries: Vec<i64> = inputs
                .iter()
                .map(|&(row, ..)| matrix.entry(row as usize, column))
                .collect();
            let common = entries.iter().fold(0, |bits, &entry| bits | entry);
            let zeros = if common == 0 {
                0
            } else {
                common.trailing_zeros()
            };
            for entry in &mut entries {
                *entry >>= zeros;
            }
            columns.push(entries);
            let own = matrix.column_exponents.get(column).copied().unwrap_or(0);
            shifts.push(own + zeros as i32);
        }
        Self {
            inputs,
            columns,
            shifts,
        }
    }

    /// Symbols and sums of the columns as a tree has them; column `j`'s symbol is `inputs + j`.
    fn sums(&self, tree: &Tree) -> Sums {
        let mut symbols: Vec<Symbol> = self
            .inputs
            .iter()
            .map(|&(row, _, range)| Symbol::new(Meaning::Input(row), range, 0))
            .collect();
        for entries in &self.columns {
            // Its range as the coefficients have it: that of its adders is at least as wide.
            let mut range: Option<Range> = None;
            for (&(_, shift, input), &entry) in self.inputs.iter().zip(entries) {
                if entry != 0 {
                    let [low, high] = [input.low, input.high].map(|end| end * i128::from(entry));
                    let zeros = entry.trailing_zeros();
                    let term = Range::new(
                        low.min(high) >> zeros,
                        low.max(high) >> zeros,
                        input.exponent + shift + zeros as i32,
                    );
                    range = match range {
                        Some(range) => range.plus(term).or(Some(range)),
                        None => Some(term),
                    };
                }
            }
            let range = range.unwrap_or(Range::new(0, 0, 0));
            symbols.push(Symbol::new(Meaning::Column, range, 0));
        }
        let rows = (0..self.columns.len())
            .map(|column| {
                let parent = tree.parents[column];
                let mut row = Vec::new();
                for (input, &(_, shift, _)) in self.inputs.iter().enumerate() {
                    let mut entry = self.columns[column][input];
                    if let Some(parent) = parent {
                        let other = self.columns[parent.column][input];
                        entry += if parent.negative { other } else { -other };
                    }
                    row.extend(signed_digits(entry).map(|(weight, negative)| Literal {
                        symbol: input as u32,
                        shift: weight as i32 + shift,
                        negative,
                    }));
                }
                if let Some(parent) = parent {
                    row.push(Literal {
                        symbol: (self.inputs.len() + parent.column) as u32,
                        shift: 0,
                        negative: parent.negative,
                    });
                }
                row
            })
            .collect();
        Sums {
            symbols,
            rows,
            budgets: None,
        }
    }
}

/// Finds a graph of adders that computes the matrix.
///
/// The same matrix and options give the same graph, on every machine.
///
/// ```
/// use bitfront_hardware::adder_graph::{Matrix, Options, Range, solve};
///
/// // y0 = 5 x0 + 3 x1 and y1 = 10 x0 + 7 x1, of bytes.
/// let matrix = Matrix::new(2, 2, vec![5, 10, 3, 7], vec![Range::new(-128, 127, 0); 2]);
/// let graph = solve(&matrix, &Options::default())?;
/// graph.verify(&matrix)?;
/// assert_eq!(graph.evaluate(&[100, -7])?, (vec![479, 951], 0));
/// # Ok::<(), bitfront_hardware::adder_graph::GraphError>(())
/// ```
///
/// # Errors
/// On malformed matrices, and on sums wider than 120 bits.
pub fn solve(matrix: &Matrix, options: &Options) -> Result<AdderGraph, GraphError> {
    matrix.check()?;
    let centred = Centred::new(matrix);
    let size = matrix.columns.saturating_mul(matrix.columns * matrix.rows);
    let distances = Distances::new(&centred.columns, size <= MOST_COMPARED);
    let depth = options.extra_depth.map(|extra| {
        let least = distances.longest().max(1).next_power_of_two().ilog2();
        least.saturating_add(extra)
    });
    // Deeper than anything is: no bound.
    let depth = depth.filter(|&depth| depth < DEEPEST);
    let pairs = centred.sums(&distances.no_tree()).pairs();
    let mut best: Option<(u64, AdderGraph)> = None;
    for number in 0..options.effort.plans(pairs) {
        let (price, graph) = follow(matrix, &centred, &distances, &plans::nth(number), depth)?;
        if best.as_ref().is_none_or(|&(least, _)| price < least) {
            best = Some((price, graph));
        }
    }
    best.map(|(_, graph)| graph)
        .ok_or_else(|| GraphError::Width("every sum".to_owned()))
}

/// The graph of one plan, and its price.
fn follow(
    matrix: &Matrix,
    centred: &Centred,
    distances: &Distances,
    plan: &Plan,
    depth: Option<u32>,
) -> Result<(u64, AdderGraph), GraphError> {
    let mut tree = match plan.penalty {
        Some(penalty) => distances.tree(penalty),
        None => distances.no_tree(),
    };
    let budgets = depth.map(|depth| distances.fit(&mut tree, depth));
    let mut sums = centred.sums(&tree);
    let inputs = centred.inputs.len();
    if let Some(budgets) = &budgets {
        for (symbol, &levels) in sums.symbols[inputs..].iter_mut().zip(budgets) {
            symbol.depth = levels;
        }
    }
    sums.budgets = budgets;
    sums.share(plan.taste);
    let mut builder = Builder::new(&sums.symbols, matrix.rows as u32);
    let zero = Output {
        wire: None,
        shift: 0,
        negative: false,
    };
    let mut outputs = vec![zero; matrix.columns];
    for &column in &tree.order {
        let width = || GraphError::Width(format!("column {column}"));
        let row = &sums.rows[column];
        let terms: Option<Vec<Term>> = row.iter().map(|&term| builder.literal(term)).collect();
        let terms = terms.ok_or_else(width)?;
        if terms.is_empty() {
            continue;
        }
        let budget = sums.budgets.as_ref().map(|budgets| budgets[column]);
        let sum = builder
            .sum(terms, &plan.joining, budget)
            .ok_or_else(width)?;
        builder.define((inputs + column) as u32, sum);
        outputs[column] = Output {
            wire: Some(sum.wire),
            shift: sum.shift + centred.shifts[column],
            negative: sum.negative,
        };
    }
    let graph = AdderGraph {
        inputs: matrix.inputs.clone(),
        adders: builder.adders,
        outputs,
    };
    Ok((builder.price, graph))
}
