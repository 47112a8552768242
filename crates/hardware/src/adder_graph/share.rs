//! Common pairs: two literals that several sums need are added once.
//!
//! Every two-literal pattern is counted over all sums; the one of the best score becomes a symbol and takes
//! the place of all its occurrences, until no pattern occurs twice. Counts are changed, not recounted.
//! A count of old symbols only ever falls, so a stale entry of the queue stands too high, never too low,
//! and is corrected when it comes up.
//!
//! The rule this module keeps: the value of every sum stays the same.

use super::range::Range;
use super::symbols::{DEEPEST, Literal, MOST_SYMBOLS, Meaning, Pattern, Symbol, pair_bits};
use foldhash::fast::FixedState;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// How patterns are ranked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Taste {
    /// Taken off the count: one where the pattern's own adder is to be paid.
    pub(super) first: f64,
    /// Weight of a bit of the adder saved.
    pub(super) price: f64,
    /// Weight of a bit in which the operands overlap.
    pub(super) overlap: f64,
    /// Weight of a bit between lowest and highest, which later adders carry along.
    pub(super) span: f64,
    /// Added to the weights.
    pub(super) base: f64,
    /// Scores differ at random by this share.
    pub(super) noise: f64,
    pub(super) seed: u64,
}

/// Sums being rewritten.
pub(super) struct Sums {
    pub(super) symbols: Vec<Symbol>,
    pub(super) rows: Vec<Vec<Literal>>,
    /// Levels that each row may take, where depth is bounded.
    pub(super) budgets: Option<Vec<u32>>,
}

/// Pairs counted at once; sums that have more are shared in blocks of inputs.
const MOST_PAIRS: usize = 8_000_000;

struct Search<'a> {
    sums: &'a mut Sums,
    taste: Taste,
    counts: HashMap<u64, u32, FixedState>,
    queue: BinaryHeap<(u64, Reverse<Pattern>)>,
    /// Rows in which a symbol may occur, a bit each.
    homes: Vec<u64>,
    words: usize,
    /// Rows may be parts of the sums: `blocks` in a row are parts of one.
    blocks: usize,
    /// By how much `2^depth` of each sum's literals may yet grow.
    spare: Vec<u64>,
    /// Patterns that now occur twice.
    risen: Vec<Pattern>,
}

impl Sums {
    /// Pairs of literals in all rows.
    pub(super) fn pairs(&self) -> usize {
        self.rows.iter().map(|row| row.len() * row.len() / 2).sum()
    }

    /// Puts common pairs in place of their occurrences.
    pub(super) fn share(&mut self, taste: Taste) {
        let blocks = self.pairs().div_ceil(MOST_PAIRS).max(1);
        let spare = self.spare();
        self.split(blocks);
        let words = self.rows.len().div_ceil(64);
        let mut homes = vec![0_u64; self.symbols.len() * words];
        for (number, row) in self.rows.iter().enumerate() {
            for literal in row {
                homes[literal.symbol as usize * words + number / 64] |= 1 << (number % 64);
            }
        }
        let room = self.pairs() / 2;
        let mut search = Search {
            sums: self,
            taste,
            counts: HashMap::with_capacity_and_hasher(room, FixedState::default()),
            queue: BinaryHeap::new(),
            homes,
            words,
            blocks,
            spare,
            risen: Vec::new(),
        };
        search.count_all();
        while let Some((score, Reverse(pattern))) = search.queue.pop() {
            let now = search.score(pattern);
            if now == score {
                search.replace(pattern);
            } else if now > 0 {
                search.queue.push((now, Reverse(pattern)));
            }
        }
        self.rows = self.rows.chunks(blocks).map(<[_]>::concat).collect();
    }

    /// Cuts each row into so many, block after block of symbols.
    fn split(&mut self, blocks: usize) {
        if blocks == 1 {
            return;
        }
        let symbols = self.symbols.len();
        let mut parts = vec![Vec::new(); self.rows.len() * blocks];
        for (number, row) in self.rows.iter().enumerate() {
            for &literal in row {
                let block = literal.symbol as usize * blocks / symbols;
                parts[number * blocks + block].push(literal);
            }
        }
        self.rows = parts;
    }

    fn spare(&self) -> Vec<u64> {
        let Some(budgets) = &self.budgets else {
            return vec![u64::MAX; self.rows.len()];
        };
        let left = |(row, &budget): (&Vec<Literal>, &u32)| {
            let used: u64 = row.iter().map(|literal| self.weight(literal.symbol)).sum();
            (1_u64 << budget).saturating_sub(used)
        };
        self.rows.iter().zip(budgets).map(left).collect()
    }

    /// `2^depth`: what a literal takes of a row's budget.
    fn weight(&self, symbol: u32) -> u64 {
        1 << self.symbols[symbol as usize].depth.min(DEEPEST)
    }
}

impl Search<'_> {
    fn count_all(&mut self) {
        for row in &self.sums.rows {
            for (place, &a) in row.iter().enumerate() {
                for &b in &row[..place] {
                    *self.counts.entry(Pattern::of(a, b).word()).or_insert(0) += 1;
                }
            }
        }
        let common: Vec<Pattern> = self
            .counts
            .iter()
            .filter(|&(_, &count)| count >= 2)
            .map(|(&word, _)| Pattern::from_word(word))
            .collect();
        let entries: Vec<_> = common
            .into_iter()
            .map(|pattern| (self.score(pattern), Reverse(pattern)))
            .filter(|entry| entry.0 > 0)
            .collect();
        self.queue = entries.into();
    }

    /// Of a pattern that occurs at least twice; zero where it does not, or isn't worth it.
    fn score(&self, pattern: Pattern) -> u64 {
        let count = self.counts.get(&pattern.word()).copied().unwrap_or(0);
        if count < 2 {
            return 0;
        }
        let taste = &self.taste;
        let bits = pair_bits(pattern, &self.sums.symbols);
        let mut score = (f64::from(count) - taste.first)
            * (taste.base
                + taste.price * f64::from(bits.price)
                + taste.overlap * f64::from(bits.overlap)
                + taste.span * f64::from(bits.span));
        if taste.noise > 0.0 {
            let lot = (pattern.lot(taste.seed) >> 11) as f64 / (1_u64 << 53) as f64;
            score *= 1.0 + taste.noise * lot;
        }
        // Positive doubles are ordered as their bits are.
        score.max(f64::MIN_POSITIVE).to_bits()
    }

    /// Places of non-overlapping occurrences in a row.
    fn occurrences(&self, row: usize, pattern: Pattern, found: &mut Vec<(usize, usize)>) {
        let literals = &self.sums.rows[row];
        found.clear();
        for (one, a) in literals.iter().enumerate() {
            if a.symbol != pattern.first() || found.iter().any(|&(p, q)| p == one || q == one) {
                continue;
            }
            let wanted = Literal {
                symbol: pattern.second(),
                shift: a.shift + pattern.shift(),
                negative: a.negative != pattern.subtract(),
            };
            if let Some(two) = literals.iter().position(|&b| b == wanted)
                && !found.iter().any(|&(p, q)| p == two || q == two)
            {
                found.push((one, two));
            }
        }
    }

    fn replace(&mut self, pattern: Pattern) {
        let [first, second] = [pattern.first() as usize, pattern.second() as usize];
        let mut found = Vec::new();
        let mut places: Vec<(usize, Literal, Literal)> = Vec::new();
        let depth = {
            let symbols = &self.sums.symbols;
            symbols[first].depth.max(symbols[second].depth) + 1
        };
        let bounded = self.sums.budgets.is_some();
        let growth = if bounded {
            let parts = self.sums.weight(pattern.first()) + self.sums.weight(pattern.second());
            (1_u64 << depth.min(DEEPEST)).saturating_sub(parts)
        } else {
            0
        };
        let mut spare = if bounded {
            self.spare.clone()
        } else {
            Vec::new()
        };
        for word in 0..self.words {
            let mut rows =
                self.homes[first * self.words + word] & self.homes[second * self.words + word];
            while rows != 0 {
                let row = word * 64 + rows.trailing_zeros() as usize;
                rows &= rows - 1;
                self.occurrences(row, pattern, &mut found);
                for &(one, two) in &found {
                    if bounded {
                        let left = &mut spare[row / self.blocks];
                        let Some(less) = left.checked_sub(growth) else {
                            break;
                        };
                        *left = less;
                    }
                    let literals = &self.sums.rows[row];
                    places.push((row, literals[one], literals[two]));
                }
            }
        }
        if places.len() < 2 || self.sums.symbols.len() >= MOST_SYMBOLS {
            return;
        }
        let Some(range) = self.range(pattern) else {
            return;
        };
        let symbol = self.sums.symbols.len() as u32;
        let meaning = Meaning::Pair(pattern);
        self.sums.symbols.push(Symbol::new(meaning, range, depth));
        self.homes.resize(self.homes.len() + self.words, 0);
        self.risen.clear();
        if bounded {
            self.spare = spare;
        }
        for (row, a, b) in places {
            self.homes[symbol as usize * self.words + row / 64] |= 1 << (row % 64);
            self.rewrite(row, a, b, Literal { symbol, ..a });
        }
        for pattern in std::mem::take(&mut self.risen) {
            let score = self.score(pattern);
            if score > 0 {
                self.queue.push((score, Reverse(pattern)));
            }
        }
    }

    fn rewrite(&mut self, row: usize, a: Literal, b: Literal, pair: Literal) {
        let literals = &mut self.sums.rows[row];
        literals.retain(|&literal| literal != a && literal != b);
        fall(&mut self.counts, a, b);
        for &other in literals.iter() {
            fall(&mut self.counts, a, other);
            fall(&mut self.counts, b, other);
            let pattern = Pattern::of(pair, other);
            let count = self.counts.entry(pattern.word()).or_insert(0);
            *count += 1;
            if *count == 2 {
                self.risen.push(pattern);
            }
        }
        literals.push(pair);
    }

    fn range(&self, pattern: Pattern) -> Option<Range> {
        let symbols = &self.sums.symbols;
        let b = symbols[pattern.second() as usize]
            .range
            .shifted(pattern.shift());
        let b = if pattern.subtract() { b.negated() } else { b };
        symbols[pattern.first() as usize].range.plus(b)
    }
}

fn fall(counts: &mut HashMap<u64, u32, FixedState>, a: Literal, b: Literal) {
    if let Some(count) = counts.get_mut(&Pattern::of(a, b).word()) {
        *count = count.saturating_sub(1);
    }
}
