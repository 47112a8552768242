//! Counted randomness: every number is a function of the trial's seed and of what it is for.
//!
//! The rule this module keeps: streams and draws are written out here, from `ChaCha8` words, so that a
//! stored seed means the same weights after any update of a library.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream is for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// Starting kernel of a dense layer; the index counts dense layers.
    Initial,
    /// Starting kernel of any other layer; the index counts such kernels.
    Kernel,
    /// Order of the rows; the index is the epoch, from 0.
    Order,
    /// What a quantizer draws in training; the index is the step, from 0.
    Quantizer,
    /// What a dropout layer zeroes; the index is the step, from 0.
    Dropout,
}

/// The stream of (`seed`, `purpose`, `index`).
pub(crate) fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    stream_of(seed, purpose, index, 0)
}

/// The stream of (`seed`, `purpose`, `index`) that belongs to `place`.
pub(crate) fn stream_of(seed: u64, purpose: Purpose, index: u64, place: u64) -> ChaCha8Rng {
    let label = match purpose {
        Purpose::Initial => b"bf.init_",
        Purpose::Kernel => b"bf.kernl",
        Purpose::Order => b"bf.order",
        Purpose::Quantizer => b"bf.quant",
        Purpose::Dropout => b"bf.dropo",
    };
    let mut key = [0_u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(label);
    key[16..24].copy_from_slice(&index.to_le_bytes());
    key[24..].copy_from_slice(&place.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// The order in which a run with this seed reads `rows` rows in an epoch (from 1), as indices; batches are
/// its consecutive parts. For comparisons with other trainers over the same batches.
#[must_use]
pub fn row_order(seed: u64, epoch: u32, rows: usize) -> Vec<u32> {
    let mut order = vec![0; rows];
    let index = u64::from(epoch.saturating_sub(1));
    shuffle(&mut stream(seed, Purpose::Order, index), &mut order);
    order
}

/// A value in `[-limit, limit)`, on a grid of 2^-23 times the limit.
pub(crate) fn uniform(words: &mut ChaCha8Rng, limit: f32) -> f32 {
    let steps = words.next_u32() >> 8;
    (steps as f32 / (1 << 23) as f32 - 1.0) * limit
}

/// Puts `0..order.len()` in an unbiased random order.
pub(crate) fn shuffle(words: &mut ChaCha8Rng, order: &mut [u32]) {
    for (row, place) in order.iter_mut().zip(0..) {
        *row = place;
    }
    for last in (1..order.len()).rev() {
        // Lemire's multiplication; the few words that would favour some rows are drawn again. Their number is
        // below `count`, so that the division is rarely needed.
        let count = last as u32 + 1;
        let draw = loop {
            let product = u64::from(words.next_u32()) * u64::from(count);
            let low = product as u32;
            if low >= count || low >= count.wrapping_neg() % count {
                break product >> 32;
            }
        };
        order.swap(last, draw as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_is_a_permutation_that_never_changes() {
        let mut order = [0_u32; 12];
        shuffle(&mut stream(42, Purpose::Order, 3), &mut order);
        assert_eq!(order, [3, 5, 1, 8, 7, 4, 11, 0, 9, 2, 10, 6]);
        assert_eq!(row_order(42, 4, 12), order);
        let mut sorted = order;
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn uniform_fills_its_range() {
        let mut words = stream(1, Purpose::Initial, 0);
        let values: Vec<f32> = (0..10_000).map(|_| uniform(&mut words, 2.0)).collect();
        let mean = values.iter().sum::<f32>() / 10_000.0;
        assert!(mean.abs() < 0.05, "{mean}");
        assert!(values.iter().all(|v| (-2.0..2.0).contains(v)));
        assert!(values.iter().any(|v| *v < -1.99) && values.iter().any(|v| *v > 1.99));
    }
}
