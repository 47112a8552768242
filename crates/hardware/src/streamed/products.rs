//! What the products of a shared stage are made of: LUTs, or DSP blocks, and how many of these.
//!
//! The rule this module keeps: a product that is counted as a block is one that Yosys' `synth_xilinx -family xcup` maps to exactly
//! one, and no other product becomes a block. It takes factors of at least 2 bits and products of at least 9, as they are
//! when signs that nothing needs are off; equal products are one.

use std::collections::{HashMap, HashSet};

use super::costs::{weight_bits, word_bits};
use super::product_luts::product_luts;
use super::shared::{Shared, signed_bits};
use crate::circuit::{Multipliers, fits_block, is_mapped_to_block};

/// What a product is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// A DSP block.
    Block,
    /// LUTs, and synthesis does so by itself.
    Luts,
    /// LUTs, where synthesis would take one block or several.
    Rows,
}

impl Shared {
    /// What the product of a lane for an output is made of.
    pub(super) fn made(&self, lane: usize, output: usize) -> Made {
        if self.made_of == Multipliers::Luts {
            return Made::Luts;
        }
        let (word, weight) = (self.word(lane), self.weight_range(lane, output));
        let zeros = self.zeros(lane, output);
        // Of two factors that are never negative synthesis drops the signs.
        let signless = word.lo >= 0 && weight.lo >= 0;
        let signed = [signed_bits(word), signed_bits(weight) - zeros];
        let seen = signed.map(|bits| bits - u32::from(signless));
        let product = signed_bits(self.product(lane, output)).saturating_sub(zeros);
        let is_shift = weight.lo == weight.hi && (weight.lo >> zeros).abs() == 1;
        if is_shift || !is_mapped_to_block(seen, product.min(seen[0] + seen[1])) {
            return Made::Luts;
        }
        if fits_block(signed) && self.made_of.pays_a_block(self.luts_of(lane, output)) {
            Made::Block
        } else {
            Made::Rows
        }
    }

    /// LUTs that the product of a lane for an output would take.
    fn luts_of(&self, lane: usize, output: usize) -> u64 {
        let (mut registers, mut cells) = (HashMap::new(), HashSet::new());
        let weight = weight_bits(self, lane, output, &mut registers, &mut cells);
        let word = self.word(lane);
        let bits = signed_bits(self.product(lane, output));
        product_luts(&weight, word_bits(word), word.lo < 0, bits)
    }

    /// DSP blocks: one for each different product that is made in one.
    pub(super) fn blocks(&self) -> u64 {
        let mut different = HashSet::new();
        for output in 0..self.outputs {
            for lane in 0..self.lanes {
                if self.made(lane, output) == Made::Block {
                    let zeros = self.zeros(lane, output);
                    let weights =
                        (0..self.cycles()).map(|cycle| self.weight(cycle, lane, output) >> zeros);
                    different.insert((lane, weights.collect::<Vec<i64>>()));
                }
            }
        }
        different.len() as u64
    }
}
