//! Columns as plus or minus another column plus a difference: a minimum spanning tree over the columns.
//!
//! The root stands for the zero column. An edge's length is the number of signed digits of the difference;
//! an edge to another column than the root pays a penalty, since the other column's output is as wide as
//! a wire gets and joins in one adder that nothing shares.

use super::digits::digit_count;

/// How a column is computed from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    /// The other column.
    pub(super) column: usize,
    /// Its negative is what is added.
    pub(super) negative: bool,
}

/// A spanning tree: each column's parent, and an order in which parents come first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) parents: Vec<Option<Parent>>,
    pub(super) order: Vec<usize>,
}

/// Digits between any two columns, and of each alone.
pub(super) struct Distances {
    columns: usize,
    /// `[a * columns + b]`: digits of the shorter of difference and sum, and whether it is the sum.
    between: Vec<(u32, bool)>,
    alone: Vec<u32>,
}

impl Distances {
    /// Of columns of equal length; without comparing them there is no tree.
    pub(super) fn new(columns: &[Vec<i64>], compare: bool) -> Self {
        let count = columns.len();
        let mut between = Vec::new();
        if compare {
            between = vec![(0, false); count * count];
        }
        for a in 0..if compare { count } else { 0 } {
            for b in a + 1..count {
                let pairs = || columns[a].iter().zip(&columns[b]);
                let difference: u32 = pairs().map(|(&x, &y)| digit_count(x - y)).sum();
                let sum: u32 = pairs().map(|(&x, &y)| digit_count(x + y)).sum();
                let shorter = (difference.min(sum), sum < difference);
                between[a * count + b] = shorter;
                between[b * count + a] = shorter;
            }
        }
        let alone = columns
            .iter()
            .map(|column| column.iter().map(|&entry| digit_count(entry)).sum())
            .collect();
        Self {
            columns: count,
            between,
            alone,
        }
    }

    /// Digits of the column that has the most.
    pub(super) fn longest(&self) -> u32 {
        self.alone.iter().copied().max().unwrap_or(0)
    }

    /// Every column on its own.
    pub(super) fn no_tree(&self) -> Tree {
        Tree {
            parents: vec![None; self.columns],
            order: (0..self.columns).collect(),
        }
    }

    /// The tree of the least length, with the given penalty on edges that don't start at the root.
    pub(super) fn tree(&self, penalty: f64) -> Tree {
        if self.between.is_empty() {
            return self.no_tree();
        }
        let count = self.columns;
        let mut parents: Vec<Option<Parent>> = vec![None; count];
        let mut nearest: Vec<f64> = self.alone.iter().map(|&digits| f64::from(digits)).collect();
        let mut joined = vec![false; count];
        let mut order = Vec::with_capacity(count);
        for _ in 0..count {
            let Some(next) = (0..count)
                .filter(|&column| !joined[column])
                .min_by(|&a, &b| nearest[a].total_cmp(&nearest[b]))
            else {
                break;
            };
            joined[next] = true;
            order.push(next);
            for other in 0..count {
                let (digits, negative) = self.between[next * count + other];
                let length = f64::from(digits) + penalty;
                if !joined[other] && length < nearest[other] {
                    nearest[other] = length;
                    parents[other] = Some(Parent {
                        column: next,
                        negative,
                    });
                }
            }
        }
        Tree { parents, order }
    }

    /// Cuts edges until every column fits: with `depth` levels for all, a column with `h` generations below
    /// it has `depth - h`, its digits take one unit of `2^levels` each and its parent's output all of the
    /// parent's levels. Returns each column's levels. `depth` is enough for every column alone.
    pub(super) fn fit(&self, tree: &mut Tree, depth: u32) -> Vec<u32> {
        loop {
            let mut below = vec![0_u32; self.columns];
            for &column in tree.order.iter().rev() {
                if let Some(parent) = tree.parents[column] {
                    below[parent.column] = below[parent.column].max(below[column] + 1);
                }
            }
            let mut cut = false;
            for column in 0..self.columns {
                let parent = tree.parents[column];
                let digits = parent.map_or(self.alone[column], |parent| {
                    self.between[parent.column * self.columns + column].0
                });
                let used = parent.map_or(0, |parent| {
                    1_u64 << depth.saturating_sub(below[parent.column])
                });
                let fits = below[column] <= depth
                    && u64::from(digits) + used <= 1 << (depth - below[column]);
                if fits {
                    continue;
                }
                cut = true;
                if parent.is_some() {
                    tree.parents[column] = None;
                } else {
                    let children = tree.parents.iter_mut();
                    for child in children {
                        if child.is_some_and(|parent| parent.column == column) {
                            *child = None;
                        }
                    }
                }
            }
            if !cut {
                return below.iter().map(|below| depth - below).collect();
            }
        }
    }
}
