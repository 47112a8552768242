//! Functions of narrow sources as tables: which addresses they have, what they cost and their logic.
//!
//! An address is the source's bits without those that the function does not read. Addresses that no source
//! in range has give the code of the nearest that one has, so that they add as little logic as is simple to say.
//! The logic of each bit of the code is a decision diagram over the address, the highest bit first: selections of
//! two, equal ones made once for all bits. Synthesis packs six address bits into a LUT.

use super::Wire;
use super::node::{Node, Operation};
use std::collections::{HashMap, HashSet};

/// Most address bits of a table.
pub(crate) const MOST_ADDRESS_BITS: u32 = 12;
/// Inputs of a LUT.
const LUT_INPUTS: u32 = 6;

/// A table behind a source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    /// Bits of an address.
    pub(crate) address_bits: u32,
    /// Whether the highest is the source's sign.
    signed: bool,
    /// The address, as a number, that the first code belongs to.
    first: i64,
    codes: &'a [i64],
}

/// What a bit is: known, or one of the selections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Selected {
    /// A constant.
    Known(bool),
    /// A selection by its number.
    Selection(usize),
}

/// `address[bit] ? high : low`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Selection {
    pub(crate) bit: u32,
    pub(crate) high: Selected,
    pub(crate) low: Selected,
}

/// Parts that a table is priced by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableCells {
    /// LUTs of each bit of the code by itself: one if it reads at most six address bits, and twice that for each further one.
    pub(crate) by_bit: u64,
    /// Bits of the code that read at most six address bits.
    pub(crate) narrow: u64,
    /// Of the other bits: different functions of the six lowest address bits that are neither constant nor one of these bits.
    pub(crate) leaves: u64,
    /// Selections between them, by the address bits above, of a constant or of a function and its complement.
    pub(crate) gates: u64,
    /// The other selections.
    pub(crate) selections: u64,
}

/// A part of a table that may occur again: a function of the lowest address bits, or a selection on a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Leaf(u64),
    Selection(usize, usize, (usize, bool)),
}

/// A part by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbered {
    at: usize,
    constant: bool,
}

impl<'a> Table<'a> {
    /// The table of a node, if it is one; `nodes` holds its source.
    pub(crate) fn of(nodes: &[Node], operation: &'a Operation) -> Option<(Wire, u32, Self)> {
        let Operation::Table {
            source,
            dropped,
            first,
            codes,
        } = operation
        else {
            return None;
        };
        let from = &nodes[source.0 as usize];
        let table = Self::new(from.width(), from.is_signed(), *dropped, *first, codes);
        Some((*source, *dropped, table))
    }

    /// A table of sources of `width` bits whose lowest `dropped` are not read.
    pub(crate) fn new(
        width: u32,
        signed: bool,
        dropped: u32,
        first: i64,
        codes: &'a [i64],
    ) -> Self {
        Self {
            address_bits: width - dropped,
            signed,
            first,
            codes,
        }
    }

    /// The code at an address, as bits.
    fn code(&self, address: usize) -> i64 {
        let sign = 1_i64 << (self.address_bits - 1);
        let address = address as i64;
        let number = if self.signed && address & sign != 0 {
            address - 2 * sign
        } else {
            address
        };
        let last = self.codes.len() as i64 - 1;
        self.codes[(number - self.first).clamp(0, last) as usize]
    }

    /// One bit of the codes of all addresses, 64 to a word; few addresses are repeated.
    fn words(&self, bit: u32) -> Vec<u64> {
        let addresses = 1_usize << self.address_bits;
        let mut words = vec![0_u64; addresses.div_ceil(64)];
        for at in 0..addresses.max(64) {
            let set = (self.code(at % addresses) >> bit.min(63)) & 1;
            words[at / 64] |= (set as u64) << (at % 64);
        }
        words
    }

    /// The address bits that some of the codes' bits in `mask` depend on.
    pub(crate) fn read_bits(&self, mask: u64) -> u64 {
        let addresses = 1_usize << self.address_bits;
        let codes: Vec<u64> = (0..addresses)
            .map(|at| self.code(at) as u64 & mask)
            .collect();
        let reads = |bit: &u32| (0..addresses).any(|at| codes[at] != codes[at ^ 1 << bit]);
        let bits = (0..self.address_bits).filter(reads);
        bits.fold(0, |all, bit| all | 1 << bit)
    }

    /// The address bit that a bit of the code is, if it is one.
    pub(crate) fn address_bit(&self, bit: u32) -> Option<u32> {
        let mask = 1_u64 << bit.min(63);
        let read = self.read_bits(mask);
        let is_one = read.is_power_of_two() && self.code(0) as u64 & mask == 0;
        is_one.then(|| read.trailing_zeros())
    }

    /// What the bits of codes of `width` bits are made of.
    pub(crate) fn cells(&self, width: u32) -> TableCells {
        let mut made: HashMap<Part, usize> = HashMap::new();
        let mut different: HashSet<Vec<u64>> = HashSet::new();
        let mut cells = TableCells::default();
        for bit in 0..width {
            let words = self.words(bit);
            let read = self.read_bits(1 << bit.min(63)).count_ones();
            // A function and its complement are one, with the complement noted beside it.
            let inverted = words[0] & 1 == 1;
            let signless = words
                .iter()
                .map(|word| if inverted { !word } else { *word });
            if read < 2 || !different.insert(signless.collect()) {
                continue;
            }
            cells.by_bit += 1 << read.saturating_sub(LUT_INPUTS);
            if read <= LUT_INPUTS {
                cells.narrow += 1;
                continue;
            }
            let words = words.into_iter().map(|word| {
                let least = word.min(!word);
                let next = made.len();
                let at = *made.entry(Part::Leaf(least)).or_insert(next);
                cells.leaves += u64::from(at == next && support(least) > 1);
                (
                    Numbered {
                        at,
                        constant: least == 0,
                    },
                    least != word,
                )
            });
            let mut row: Vec<(Numbered, bool)> = words.collect();
            while row.len() > 1 {
                let level = row.len();
                row = row
                    .chunks(2)
                    .map(|pair| match *pair {
                        [low, high] if low != high => {
                            let part =
                                Part::Selection(level, low.0.at, (high.0.at, high.1 ^ low.1));
                            let next = made.len();
                            let at = *made.entry(part).or_insert(next);
                            if at == next {
                                if low.0.constant || high.0.constant || low.0 == high.0 {
                                    cells.gates += 1;
                                } else {
                                    cells.selections += 1;
                                }
                            }
                            (
                                Numbered {
                                    at,
                                    constant: false,
                                },
                                low.1,
                            )
                        }
                        _ => pair[0],
                    })
                    .collect();
            }
        }
        cells
    }

    /// The selections of codes of `width` bits, each after those it reads, and what each bit is.
    pub(crate) fn logic(&self, width: u32) -> (Vec<Selection>, Vec<Selected>) {
        let mut made: HashMap<Selection, usize> = HashMap::new();
        let mut all = Vec::new();
        let outputs = (0..width).map(|bit| {
            let mut row: Vec<Selected> = (0..1_usize << self.address_bits)
                .map(|at| Selected::Known((self.code(at) >> bit.min(63)) & 1 == 1))
                .collect();
            for bit in 0..self.address_bits {
                row = row
                    .chunks(2)
                    .map(|pair| match *pair {
                        [low, high] if low != high => {
                            let selection = Selection { bit, high, low };
                            let next = all.len();
                            let at = *made.entry(selection).or_insert(next);
                            if at == next {
                                all.push(selection);
                            }
                            Selected::Selection(at)
                        }
                        _ => pair[0],
                    })
                    .collect();
            }
            row[0]
        });
        let outputs = outputs.collect();
        (all, outputs)
    }
}

/// How many of its six inputs a function reads.
fn support(word: u64) -> u32 {
    const HIGH: [u64; 6] = [
        0xaaaa_aaaa_aaaa_aaaa,
        0xcccc_cccc_cccc_cccc,
        0xf0f0_f0f0_f0f0_f0f0,
        0xff00_ff00_ff00_ff00,
        0xffff_0000_ffff_0000,
        0xffff_ffff_0000_0000,
    ];
    let reads = |(bit, high): (usize, &u64)| (word & high) >> (1 << bit) != word & !high;
    HIGH.iter().enumerate().filter(|one| reads(*one)).count() as u32
}
