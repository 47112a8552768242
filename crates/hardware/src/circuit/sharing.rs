//! Common subexpressions: pairs of terms that several sums of a layer need are added once.
//!
//! Greedy, as da4ml describes its second stage (`docs/cmvm.md` there): count every two-term pattern
//! (two symbols, their relative shift and sign) over all sums, make one adder for the pattern with the
//! largest `count * overlapping bits`, put the new symbol in place of all its occurrences, and go on
//! until no pattern occurs twice. A replacement that would make a sum's adder tree deeper than the
//! balanced tree of its digits is left out: it would save half a percent and cost stages.

use super::sum_tree::LinearForm;
use bitfront_network::Interval;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Plus or minus a shifted symbol: an input of the layer, or a pair made before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Literal {
    pub(crate) symbol: usize,
    pub(crate) shift: u32,
    pub(crate) negative: bool,
}

/// A symbol that is the sum of two others; the first literal is positive, one shift is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) first: Literal,
    pub(crate) second: Literal,
}

/// Two literals up to a common shift and sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Pattern {
    first: usize,
    second: usize,
    /// Shift of the second less that of the first.
    shift: i32,
    opposite: bool,
}

struct Symbol {
    form: LinearForm,
    width: u32,
    depth: u32,
}

struct Sharing<'a> {
    inputs: &'a [Interval],
    symbols: Vec<Symbol>,
    rows: &'a mut [Vec<Literal>],
    /// What `2^depth` of a row's literals may sum to.
    budgets: Vec<u64>,
    counts: HashMap<Pattern, u32>,
    queue: BinaryHeap<(u64, Reverse<Pattern>)>,
}

/// Replaces common pairs in the rows; symbols `0..inputs.len()` are the layer's inputs, the pairs
/// follow in order.
pub(crate) fn share(rows: &mut [Vec<Literal>], inputs: &[Interval]) -> Vec<Pair> {
    let symbols = inputs
        .iter()
        .enumerate()
        .map(|(input, range)| Symbol {
            form: LinearForm {
                coefficients: [(input, 1)].into(),
                constant: 0,
            },
            width: range.width(),
            depth: 0,
        })
        .collect();
    let budgets = rows
        .iter()
        .map(|row| (row.len() as u64).next_power_of_two())
        .collect();
    let mut sharing = Sharing {
        inputs,
        symbols,
        rows,
        budgets,
        counts: HashMap::new(),
        queue: BinaryHeap::new(),
    };
    sharing.count_all();
    let mut pairs = Vec::new();
    while let Some(pattern) = sharing.best() {
        if let Some(pair) = sharing.replace(pattern) {
            pairs.push(pair);
        }
    }
    pairs
}

impl Pattern {
    fn of(one: &Literal, other: &Literal) -> Self {
        let order = |literal: &Literal| (literal.symbol, literal.shift);
        let (first, second) = if order(one) <= order(other) {
            (one, other)
        } else {
            (other, one)
        };
        Self {
            first: first.symbol,
            second: second.symbol,
            shift: second.shift as i32 - first.shift as i32,
            opposite: first.negative != second.negative,
        }
    }

    /// The pattern as a pair with its smaller shift at zero.
    fn pair(self) -> Pair {
        Pair {
            first: Literal {
                symbol: self.first,
                shift: (-self.shift).max(0).unsigned_abs(),
                negative: false,
            },
            second: Literal {
                symbol: self.second,
                shift: self.shift.max(0).unsigned_abs(),
                negative: self.opposite,
            },
        }
    }
}

impl Sharing<'_> {
    fn count_all(&mut self) {
        for row in self.rows.iter() {
            for (index, one) in row.iter().enumerate() {
                for other in &row[..index] {
                    *self.counts.entry(Pattern::of(one, other)).or_insert(0) += 1;
                }
            }
        }
        let entries: Vec<_> = self
            .counts
            .iter()
            .filter(|&(_, &count)| count > 1)
            .map(|(&pattern, &count)| (self.score(pattern, count), Reverse(pattern)))
            .collect();
        self.queue.extend(entries);
    }

    fn score(&self, pattern: Pattern, count: u32) -> u64 {
        let Pair { first, second } = pattern.pair();
        let top = |literal: Literal| literal.shift + self.symbols[literal.symbol].width;
        let overlap = top(first)
            .min(top(second))
            .saturating_sub(first.shift.max(second.shift));
        u64::from(count) * u64::from(overlap.max(1))
    }

    /// The pattern of the largest score that occurs at least twice. Entries of the queue may be out of
    /// date: counts fall, and every rise adds an entry.
    fn best(&mut self) -> Option<Pattern> {
        while let Some((score, Reverse(pattern))) = self.queue.pop() {
            let count = self.counts.get(&pattern).copied().unwrap_or(0);
            if count < 2 {
                continue;
            }
            let now = self.score(pattern, count);
            if now == score {
                return Some(pattern);
            }
            if now < score {
                self.queue.push((now, Reverse(pattern)));
            }
        }
        None
    }

    /// Makes a symbol of the pattern and puts it into every row where it occurs and fits; `None` when
    /// that is fewer than two places.
    fn replace(&mut self, pattern: Pattern) -> Option<Pair> {
        let depth = self.symbols[pattern.first]
            .depth
            .max(self.symbols[pattern.second].depth)
            + 1;
        let places: Vec<(usize, Vec<(Literal, Literal)>)> = (0..self.rows.len())
            .map(|row| (row, self.occurrences(row, pattern, depth)))
            .filter(|(_, found)| !found.is_empty())
            .collect();
        if places.iter().map(|(_, found)| found.len()).sum::<usize>() < 2 {
            self.counts.remove(&pattern);
            return None;
        }
        let pair = pattern.pair();
        let second_scale = 1_i64 << pair.second.shift;
        let form = self.symbols[pattern.first].form.combine(
            1 << pair.first.shift,
            &self.symbols[pattern.second].form,
            if pattern.opposite {
                -second_scale
            } else {
                second_scale
            },
        );
        let symbol = self.symbols.len();
        self.symbols.push(Symbol {
            width: form.interval(self.inputs).width(),
            form,
            depth,
        });
        for (row, found) in places {
            for (first, second) in found {
                self.remove(row, first);
                self.remove(row, second);
                self.insert(
                    row,
                    Literal {
                        symbol,
                        shift: first.shift.min(second.shift),
                        negative: first.negative,
                    },
                );
            }
        }
        Some(pair)
    }

    /// Disjoint occurrences of a pattern in a row that its depth leaves room for.
    fn occurrences(&self, row: usize, pattern: Pattern, depth: u32) -> Vec<(Literal, Literal)> {
        let literals = &self.rows[row];
        let weight = |symbol: usize| 1_u64 << self.symbols[symbol].depth;
        let mut used: u64 = literals.iter().map(|l| weight(l.symbol)).sum();
        let more = (1_u64 << depth) - weight(pattern.first) - weight(pattern.second);
        let mut taken: Vec<Literal> = Vec::new();
        let mut found = Vec::new();
        for &first in literals.iter().filter(|l| l.symbol == pattern.first) {
            let Ok(shift) = u32::try_from(first.shift as i32 + pattern.shift) else {
                continue;
            };
            let second = Literal {
                symbol: pattern.second,
                shift,
                negative: first.negative != pattern.opposite,
            };
            let free = |literal: &Literal| !taken.contains(literal);
            if used + more <= self.budgets[row]
                && second != first
                && literals.contains(&second)
                && free(&first)
                && free(&second)
            {
                used += more;
                taken.extend([first, second]);
                found.push((first, second));
            }
        }
        found
    }

    fn remove(&mut self, row: usize, literal: Literal) {
        self.rows[row].retain(|other| *other != literal);
        for other in &self.rows[row] {
            if let Some(count) = self.counts.get_mut(&Pattern::of(other, &literal)) {
                *count = count.saturating_sub(1);
            }
        }
    }

    fn insert(&mut self, row: usize, literal: Literal) {
        for index in 0..self.rows[row].len() {
            let pattern = Pattern::of(&self.rows[row][index], &literal);
            let count = self.counts.entry(pattern).or_insert(0);
            *count += 1;
            let count = *count;
            if count > 1 {
                let score = self.score(pattern, count);
                self.queue.push((score, Reverse(pattern)));
            }
        }
        self.rows[row].push(literal);
    }
}
