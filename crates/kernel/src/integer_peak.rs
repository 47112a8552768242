//! The limit that integer inference is measured against: its multiply-add on registers alone.

use crate::Kernels;
use crate::buffer::LANES;
use crate::integer_lanes::{IntegerLanes, Path, integer_dispatch};

/// Independent sums in the loop: enough to hide latencies, few enough to stay in registers.
const fn sums(wide: bool) -> usize {
    if wide { 12 } else { 6 }
}

#[inline(always)]
unsafe fn multiply_adds<V: IntegerLanes>(bytes: bool, turns: usize, seed: i32) -> (usize, i32) {
    if V::WIDE {
        turn_over::<V, { sums(true) }>(bytes, turns, seed)
    } else {
        turn_over::<V, { sums(false) }>(bytes, turns, seed)
    }
}

/// Multiply-adds of codes a turn, and their sum.
#[inline(always)]
unsafe fn turn_over<V: IntegerLanes, const SUMS: usize>(
    bytes: bool,
    turns: usize,
    seed: i32,
) -> (usize, i32) {
    let w = V::splat(seed);
    let mut sums = [w; SUMS];
    for _ in 0..turns {
        // A factor that changes, so that no product can be taken out of the loop.
        for i in 0..SUMS {
            let x = sums[(i + 1) % SUMS];
            sums[i] = if bytes {
                sums[i].dot_small_bytes(x, w)
            } else {
                sums[i].dot_words(x, w)
            };
        }
    }
    let mut total = w;
    for sum in sums {
        total = total.add(sum);
    }
    let mut out = [0; LANES];
    total.store(out.as_mut_ptr());
    let total = out.iter().fold(0, |a: i32, b| a.wrapping_add(*b));
    (SUMS * LANES * if bytes { 4 } else { 2 }, total)
}

impl Kernels {
    /// Multiplies and adds `turns` times on registers alone, with the instruction that byte codes (or
    /// 16-bit words) use on this level; returns how many multiply-adds that were, and their sum.
    /// Timing it gives the peak that [`crate::IntegerChain`] is compared with.
    pub fn integer_peak(self, bytes: bool, turns: usize) -> (u64, i32) {
        let seed = std::hint::black_box(0x0302_0101);
        let (per_turn, sum) = integer_dispatch!(
            Path::of(self),
            multiply_adds(bytes: bool, turns: usize, seed: i32) -> (usize, i32)
        );
        (turns as u64 * per_turn as u64, std::hint::black_box(sum))
    }
}
