//! Random numbers that are a function of the search's seed, a purpose and a trial number.

use crate::digest::hash_parts;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of draws.
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of `purpose` for trial `number`.
    pub(super) fn new(seed: u64, purpose: &str, number: u32) -> Self {
        Self(ChaCha8Rng::from_seed(hash_parts(&[
            purpose.as_bytes(),
            &seed.to_le_bytes(),
            &number.to_le_bytes(),
        ])))
    }

    /// Uniform in `0..bound`, without bias; `bound` is at least 1.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        // Draws above the last whole multiple of the bound are thrown away.
        let limit = u64::MAX - u64::MAX % bound;
        loop {
            let word = self.0.next_u64();
            if word < limit {
                return (word % bound) as usize;
            }
        }
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `probability`.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::Draw;

    #[test]
    fn draws_cover_their_range_evenly() {
        let mut draw = Draw::new(1, "test", 0);
        let mut counts = [0_u32; 5];
        for _ in 0..5000 {
            counts[draw.below(5)] += 1;
        }
        assert!(
            counts.iter().all(|&count| (900..1100).contains(&count)),
            "{counts:?}"
        );
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_number() {
        let first = |seed, purpose, number| Draw::new(seed, purpose, number).below(usize::MAX);
        let one = first(1, "propose", 0);
        assert_eq!(one, first(1, "propose", 0));
        assert_ne!(one, first(2, "propose", 0));
        assert_ne!(one, first(1, "other", 0));
        assert_ne!(one, first(1, "propose", 1));
    }
}
