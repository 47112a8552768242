//! The limit that training is measured against: fused multiply-adds on registers alone.

use crate::buffer::LANES;
use crate::lanes::Lanes;
use crate::level::{Kernels, dispatch};

/// Independent chains in the loop: four cycles of latency on two ports need eight, of two registers each
/// on AVX2.
const CHAINS: usize = 12;

#[inline(always)]
unsafe fn multiply_adds<V: Lanes>(turns: usize, seed: f32) -> (usize, f32) {
    if V::WIDE {
        turn_over::<V, CHAINS>(turns, seed)
    } else {
        turn_over::<V, { CHAINS / 2 }>(turns, seed)
    }
}

/// Multiply-adds a turn, and the sum of all chains.
#[inline(always)]
unsafe fn turn_over<V: Lanes, const N: usize>(turns: usize, seed: f32) -> (usize, f32) {
    let (factor, addend) = (V::splat(seed), V::splat(1.0 - seed));
    let mut chains = [addend; N];
    for _ in 0..turns {
        for chain in &mut chains {
            *chain = chain.mul_add(factor, addend);
        }
    }
    let mut total = V::splat(0.0);
    for chain in chains {
        total = total.add(chain);
    }
    let mut out = [0.0; LANES];
    total.store(out.as_mut_ptr());
    (N * LANES, out.iter().sum())
}

impl Kernels {
    /// Multiplies and adds f32 `turns` times on registers alone; returns how many multiply-adds (two
    /// operations each) that were, and their sum. Timing it gives this level's peak.
    pub fn float_peak(self, turns: usize) -> (u64, f32) {
        let seed = std::hint::black_box(0.999_f32);
        let (per_turn, sum) = dispatch!(
            self.level(),
            multiply_adds(turns: usize, seed: f32) -> (usize, f32)
        );
        (turns as u64 * per_turn as u64, std::hint::black_box(sum))
    }
}
