//! Adders out of shared sums: pairs as they are needed, then each sum's own adders.

use super::graph::Adder;
use super::range::{Range, adder_price};
use super::symbols::{DEEPEST, Literal, Meaning, Symbol};
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// Plus or minus a shifted wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    pub(super) wire: u32,
    pub(super) shift: i32,
    pub(super) negative: bool,
    /// Of the shifted wire, its sign apart.
    pub(super) range: Range,
    pub(super) depth: u32,
}

impl Term {
    /// `2^depth`.
    fn weight(&self) -> u64 {
        1 << self.depth.min(DEEPEST)
    }

    fn scaled(self, shift: i32, negate: bool) -> Self {
        Self {
            shift: self.shift + shift,
            negative: self.negative != negate,
            range: self.range.shifted(shift),
            ..self
        }
    }
}

/// How a sum's terms are joined: the pair of the least price and weighted bits first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Joining {
    /// Weight of a bit of the result, from its lowest to its top.
    pub(super) span: f64,
    /// Weight of a bit by which the operands' lowest bits differ.
    pub(super) slant: f64,
    /// Weight of a bit by which the operands' tops differ.
    pub(super) ragged: f64,
}

/// The graph so far.
pub(super) struct Builder<'a> {
    symbols: &'a [Symbol],
    pub(super) adders: Vec<Adder>,
    pub(super) price: u64,
    inputs: u32,
    made: Vec<Option<Term>>,
    known: HashMap<Adder, Term, FixedState>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(symbols: &'a [Symbol], inputs: u32) -> Self {
        Self {
            symbols,
            adders: Vec::new(),
            price: 0,
            inputs,
            made: vec![None; symbols.len()],
            known: HashMap::default(),
        }
    }

    /// Says what a column's symbol is.
    pub(super) fn define(&mut self, symbol: u32, term: Term) {
        self.made[symbol as usize] = Some(term);
    }

    /// The wire of a literal; its pairs are made where they aren't yet. None where a range is too wide.
    pub(super) fn literal(&mut self, literal: Literal) -> Option<Term> {
        let term = self.symbol(literal.symbol)?;
        Some(term.scaled(literal.shift, literal.negative))
    }

    /// A symbol's wire. Its parts are made before it, by a list instead of recursion: chains may be long.
    fn symbol(&mut self, symbol: u32) -> Option<Term> {
        let mut open = vec![symbol];
        while let Some(&next) = open.last() {
            if self.made[next as usize].is_some() {
                open.pop();
                continue;
            }
            let known = &self.symbols[next as usize];
            let term = match known.meaning {
                Meaning::Input(input) => Term {
                    wire: input,
                    shift: 0,
                    negative: false,
                    range: known.range,
                    depth: 0,
                },
                // Columns are defined in the tree's order, before they are used.
                Meaning::Column => return None,
                Meaning::Pair(pattern) => {
                    let parts = [pattern.first(), pattern.second()];
                    let missing = parts.map(|part| self.made[part as usize].is_none());
                    if missing.contains(&true) {
                        open.extend((0..2).filter(|&n| missing[n]).map(|n| parts[n]));
                        continue;
                    }
                    let a = self.made[parts[0] as usize]?;
                    let b =
                        self.made[parts[1] as usize]?.scaled(pattern.shift(), pattern.subtract());
                    self.join(a, b)?
                }
            };
            self.made[next as usize] = Some(term);
        }
        self.made[symbol as usize]
    }

    /// One adder for two terms.
    fn join(&mut self, a: Term, b: Term) -> Option<Term> {
        let (a, b, price) = ordered(a, b);
        let subtract = a.negative != b.negative;
        let adder = Adder {
            a: a.wire,
            b: b.wire,
            shift: b.shift - a.shift,
            subtract,
        };
        if let Some(&term) = self.known.get(&adder) {
            return Some(Term {
                shift: a.shift,
                negative: a.negative,
                range: term.range.shifted(a.shift),
                ..term
            });
        }
        let range_b = if subtract { b.range.negated() } else { b.range };
        let term = Term {
            wire: self.inputs + self.adders.len() as u32,
            shift: a.shift,
            negative: a.negative,
            range: a.range.plus(range_b)?,
            depth: a.depth.max(b.depth) + 1,
        };
        self.adders.push(adder);
        self.price += u64::from(price);
        self.known.insert(
            adder,
            Term {
                shift: 0,
                negative: false,
                range: term.range.shifted(-a.shift),
                ..term
            },
        );
        Some(term)
    }

    /// Adds up the terms, at most `budget` levels deep; none where there are none or a range is too wide.
    ///
    /// `2^depth` of the terms must sum to `2^budget` or less, and does after each adder.
    pub(super) fn sum(
        &mut self,
        mut terms: Vec<Term>,
        joining: &Joining,
        budget: Option<u32>,
    ) -> Option<Term> {
        let order = |term: &Term| (term.range.exponent, term.range.top());
        terms.sort_by_key(order);
        while terms.len() > 1 {
            let spare = budget.map(|budget| {
                let used: u64 = terms.iter().map(Term::weight).sum();
                (1_u64 << budget).saturating_sub(used)
            });
            let mut best: Option<(f64, usize, usize)> = None;
            // In long sums only neighbours are looked at, unless no neighbours fit the budget.
            for reach in [
                if terms.len() > LONG { NEIGHBOURS } else { LONG },
                terms.len(),
            ] {
                for two in 1..terms.len() {
                    for one in two.saturating_sub(reach)..two {
                        let [a, b] = [&terms[one], &terms[two]];
                        if spare.is_some_and(|spare| growth(a, b) > spare) {
                            continue;
                        }
                        let unease = unease(a, b, joining);
                        if best.is_none_or(|(least, ..)| unease < least) {
                            best = Some((unease, one, two));
                        }
                    }
                }
                if best.is_some() {
                    break;
                }
            }
            let (_, one, two) = best?;
            let b = terms.remove(two);
            let a = terms.remove(one);
            let sum = self.join(a, b)?;
            let place = terms.partition_point(|term| order(term) < order(&sum));
            terms.insert(place, sum);
        }
        terms.pop()
    }
}

/// Sums of more terms than this are long.
const LONG: usize = 48;
/// How far apart two terms of a long sum may stand, in order of weight, to be joined.
const NEIGHBOURS: usize = 6;

/// By how much joining two terms raises the sum of `2^depth`.
fn growth(a: &Term, b: &Term) -> u64 {
    (1 << (a.depth.max(b.depth) + 1).min(DEEPEST + 1)) - a.weight() - b.weight()
}

fn unease(a: &Term, b: &Term, joining: &Joining) -> f64 {
    let price = ordered(*a, *b).2;
    let [low_a, low_b] = [a.range.exponent, b.range.exponent];
    let [top_a, top_b] = [a.range.top(), b.range.top()];
    f64::from(price)
        + joining.span * f64::from(top_a.max(top_b) - low_a.min(low_b))
        + joining.slant * f64::from((low_a - low_b).abs())
        + joining.ragged * f64::from((top_a - top_b).abs())
}

/// The order of two terms in which their adder is the cheaper, and its price.
fn ordered(a: Term, b: Term) -> (Term, Term, u32) {
    if a.negative == b.negative {
        let price = adder_price(&a.range, &b.range, false);
        let forward = (a.wire, a.shift) <= (b.wire, b.shift);
        return if forward {
            (a, b, price)
        } else {
            (b, a, price)
        };
    }
    let forward = adder_price(&a.range, &b.range, true);
    let backward = adder_price(&b.range, &a.range, true);
    if forward < backward || (forward == backward && b.negative) {
        (a, b, forward)
    } else {
        (b, a, backward)
    }
}
