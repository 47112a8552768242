//! What sums are written in: symbols (inputs, outputs, pairs made) and plus or minus shifted ones of them.

use super::range::Range;

/// Plus or minus a shifted symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) symbol: u32,
    pub(super) shift: i32,
    pub(super) negative: bool,
}

/// What a symbol stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A row of the matrix.
    Input(u32),
    /// A column of the matrix.
    Column,
    /// The first, plus or minus the second shifted.
    Pair(Pattern),
}

/// What the search has to know of a symbol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    pub(super) meaning: Meaning,
    pub(super) range: Range,
    pub(super) depth: u32,
    top: i32,
    top_subtracted: i32,
}

impl Symbol {
    pub(super) fn new(meaning: Meaning, range: Range, depth: u32) -> Self {
        Self {
            meaning,
            range,
            depth,
            top: range.top(),
            top_subtracted: range.top_subtracted(),
        }
    }
}

/// Two literals up to a common shift and sign, in one word: symbols, shift of the second less that of the
/// first, and whether the signs differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Pattern(u64);

/// Depth may be bounded to fewer levels than this.
pub(super) const DEEPEST: u32 = 40;

const SHIFT_BITS: u32 = 11;
const SYMBOL_BITS: u32 = 26;
/// No more symbols than this in one matrix.
pub(super) const MOST_SYMBOLS: usize = 1 << SYMBOL_BITS;

impl Pattern {
    /// The pattern of two literals.
    pub(super) fn of(a: Literal, b: Literal) -> Self {
        let forward = (a.symbol, a.shift) < (b.symbol, b.shift);
        let (first, second) = if forward { (a, b) } else { (b, a) };
        let shift = second.shift - first.shift + (1 << (SHIFT_BITS - 1));
        let word = u64::from(first.symbol) << (SYMBOL_BITS + SHIFT_BITS + 1)
            | u64::from(second.symbol) << (SHIFT_BITS + 1)
            | (shift as u64) << 1
            | u64::from(a.negative != b.negative);
        Self(word)
    }

    pub(super) fn first(self) -> u32 {
        (self.0 >> (SYMBOL_BITS + SHIFT_BITS + 1)) as u32
    }

    pub(super) fn second(self) -> u32 {
        (self.0 >> (SHIFT_BITS + 1)) as u32 & (MOST_SYMBOLS - 1) as u32
    }

    /// Shift of the second less that of the first.
    pub(super) fn shift(self) -> i32 {
        ((self.0 >> 1) as i32 & ((1 << SHIFT_BITS) - 1)) - (1 << (SHIFT_BITS - 1))
    }

    /// Is the second subtracted?
    pub(super) fn subtract(self) -> bool {
        self.0 & 1 == 1
    }

    pub(super) fn word(self) -> u64 {
        self.0
    }

    pub(super) fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// A number that orders patterns at random, the same for the same seed.
    pub(super) fn lot(self, seed: u64) -> u64 {
        let mut word = (self.0 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word ^ (word >> 31)
    }
}

/// Bits of a pattern's adder, and bits in which its operands overlap.
#[derive(Clone, Copy, Debug)]
pub(super) struct PairBits {
    pub(super) price: i32,
    pub(super) overlap: i32,
    /// From the lowest bit of either operand to the top of the higher one.
    pub(super) span: i32,
}

/// The bits of a pattern over the given symbols.
pub(super) fn pair_bits(pattern: Pattern, symbols: &[Symbol]) -> PairBits {
    let a = &symbols[pattern.first() as usize];
    let b = &symbols[pattern.second() as usize];
    let shift = pattern.shift();
    let sign = i32::from(a.range.is_signed() || b.range.is_signed());
    let low_b = b.range.exponent + shift;
    let low = a.range.exponent.max(low_b);
    let [top_a, top_b] = [a.top, b.top + shift];
    let price = if pattern.subtract() {
        // Either may be the one subtracted.
        top_a
            .max(b.top_subtracted + shift)
            .min(a.top_subtracted.max(top_b))
    } else {
        top_a.max(top_b)
    };
    PairBits {
        price: (price - low + sign).max(0),
        overlap: (top_a.min(top_b) - low + sign).max(0),
        span: top_a.max(top_b) - a.range.exponent.min(low_b),
    }
}
