//! Products by constants in DSP blocks: which ones, and how many blocks synthesis will take.
//!
//! The rule this module keeps: a product that is counted as a block is one that Yosys' `synth_xilinx -family xcup`
//! maps to exactly one DSP48E2. It takes a `$mul` of at least 2 by 2 bits with at least 9 bits of result, and cuts
//! it into several where the factors are wider than 27 and 18 bits. A factor that is a power of two is a wire
//! and never gets there; factors are odd here, so no bit of them is stripped off either.

use super::bits::{Bit, Bits};
use super::{Circuit, Node, Operation, Wire, live, signed_digits};
use bitfront_network::Interval;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bits of a block's wider and narrower factor, both two's complement.
const FACTOR_BITS: [u32; 2] = [27, 18];
/// Fewest bits of a product that Yosys takes a block for.
const LEAST_PRODUCT_BITS: u32 = 9;
/// Fewest bits of a factor that Yosys takes a block for.
const LEAST_FACTOR_BITS: u32 = 2;

/// What products of variables by weights are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Multipliers {
    /// Shifts and adders, shared within a kernel.
    #[default]
    Luts,
    /// A DSP block each, where a block takes it.
    Dsps,
    /// A DSP block where a multiplier of adders alone would take more LUTs than that.
    Auto {
        /// Price of a block in LUTs.
        luts_per_dsp: u32,
    },
}

impl Multipliers {
    /// Whether the product of a variable in `range` and an odd factor goes into a block.
    pub(crate) fn takes_block(self, range: Interval, factor: i64) -> bool {
        if factor < 3 || range.width() < LEAST_FACTOR_BITS {
            return false;
        }
        let product = Interval {
            lo: range.lo * factor,
            hi: range.hi * factor,
        };
        let bits = product.width();
        let signed = |range: Interval| range.width() + u32::from(!range.is_signed());
        bits >= LEAST_PRODUCT_BITS
            && fits_block([signed(range), signed(Interval::point(factor))])
            && self.pays_a_block(adder_cells(bits, factor))
    }

    /// Whether a block is taken for a product that would take so many LUTs.
    pub(crate) fn pays_a_block(self, luts: u64) -> bool {
        match self {
            Self::Luts => false,
            Self::Dsps => true,
            Self::Auto { luts_per_dsp } => luts > u64::from(luts_per_dsp),
        }
    }
}

/// Whether synthesis makes a block, and not LUTs, of a product where it may: factors and product of so many bits.
pub(crate) fn is_mapped_to_block(factors: [u32; 2], product: u32) -> bool {
    factors.iter().all(|bits| *bits >= LEAST_FACTOR_BITS) && product >= LEAST_PRODUCT_BITS
}

/// Whether factors of so many bits, two's complement, fit one block.
pub(crate) fn fits_block([left, right]: [u32; 2]) -> bool {
    let [wide, narrow] = FACTOR_BITS;
    left.max(right) <= wide && left.min(right) <= narrow
}

/// LUTs of a multiplier of adders, nothing shared: an adder of the product's width for each signed digit but
/// the first.
fn adder_cells(product_bits: u32, factor: i64) -> u64 {
    let adders = signed_digits(factor).len().saturating_sub(1);
    adders as u64 * u64::from(product_bits)
}

/// A product by a constant.
#[derive(Clone, Copy)]
struct Product {
    factor: i64,
    /// Without those below that are zero and those above that nothing reads.
    bits: u32,
    in_block: bool,
}

impl Circuit {
    /// DSP blocks that synthesis takes.
    pub fn dsp_blocks(&self) -> u64 {
        self.products().filter(|product| product.in_block).count() as u64
    }

    /// LUTs of products that were meant for blocks and have too few bits left that are neither zero nor unread.
    pub(crate) fn soft_multiplier_cells(&self) -> u64 {
        let soft = self.products().filter(|product| !product.in_block);
        soft.map(|product| adder_cells(product.bits, product.factor))
            .sum()
    }

    /// Different products, as synthesis sees them.
    fn products(&self) -> impl Iterator<Item = Product> {
        let multiplies = |node: &Node| matches!(node.operation, Operation::Multiply { .. });
        if !self.nodes.iter().any(multiplies) {
            // Most circuits have none, and need not be followed bit by bit.
            return Vec::new().into_iter();
        }
        let bits = Bits::of(self);
        let live = live::bits(self, &bits);
        // Equal products are one: what is read of any of them is read of it.
        let mut products: BTreeMap<&[Bit], Product> = BTreeMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let Operation::Multiply { source, factor } = node.operation else {
                continue;
            };
            let zeros = |row: &[Bit]| {
                let zeros = row.iter().take_while(|bit| **bit == Bit::Known(false));
                zeros.count() as u32
            };
            let row = bits.row(Wire(index as u32));
            let read = (64 - live[index].leading_zeros()).min(node.width());
            let bits_left = read.saturating_sub(zeros(row));
            let variable = self.node(source).width() - zeros(bits.row(source));
            let product = Product {
                factor,
                bits: bits_left,
                in_block: bits_left >= LEAST_PRODUCT_BITS && variable >= LEAST_FACTOR_BITS,
            };
            let known = products.entry(row).or_insert(product);
            if known.bits < product.bits {
                *known = product;
            }
        }
        products.into_values().collect::<Vec<_>>().into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_taken_within_their_widths_and_above_their_price() {
        let range = |lo: i64, hi: i64| Interval { lo, hi };
        let dsps = |range, factor| Multipliers::Dsps.takes_block(range, factor);
        // 31 * 11 has nine bits, 23 * 11 eight.
        assert!(dsps(range(0, 31), 11) && !dsps(range(0, 23), 11));
        // A power of two is a wire, one bit a row of gates.
        assert!(!dsps(range(0, 1 << 12), 1) && !dsps(range(0, 1), 1001));
        // Two's complement of 27 by 18 bits, and the other way around.
        let (wide, narrow) = ((1 << 26) - 1, (1 << 17) - 1);
        assert!(dsps(range(0, wide), narrow) && dsps(range(-narrow - 1, narrow), wide));
        assert!(!dsps(range(0, wide), narrow + 2) && !dsps(range(0, wide + 1), 3));
        assert!(!Multipliers::Luts.takes_block(range(0, 31), 11));
        // 21 has three digits: two adders of eleven bits for six bits by 21.
        let auto = |luts_per_dsp| Multipliers::Auto { luts_per_dsp }.takes_block(range(0, 63), 21);
        assert!(auto(21) && !auto(22));
    }
}
