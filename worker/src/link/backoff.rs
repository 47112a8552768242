//! Full-jitter backoff: how long to wait before a call is tried again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Waits grow as `base * 2^n` up to `cap`; each is drawn evenly from zero to that, so that workers
/// that lost the same coordinator do not come back in step.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    base: Duration,
    cap: Duration,
    tries: u32,
    noise: u64,
}

impl Backoff {
    /// The schedule of every call: 100 ms doubling up to 5 s.
    pub(crate) fn new() -> Self {
        // RandomState is seeded by the system for each process and counts up for each instance:
        // spread between workers is all that is needed here.
        Self::seeded(RandomState::new().build_hasher().finish())
    }

    fn seeded(seed: u64) -> Self {
        Self {
            base: Duration::from_millis(100),
            cap: Duration::from_secs(5),
            tries: 0,
            noise: seed,
        }
    }

    /// The next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let ceiling = self
            .base
            .saturating_mul(1 << self.tries.min(16))
            .min(self.cap);
        self.tries = self.tries.saturating_add(1);
        self.noise = self
            .noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let part = (self.noise >> 11) as f64 / (1_u64 << 53) as f64;
        ceiling.mul_f64(part)
    }

    /// Starts again from the shortest wait, after a success.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_under_a_doubling_ceiling_and_the_cap() {
        for seed in 0..200 {
            let mut backoff = Backoff::seeded(seed);
            for n in 0..40_u32 {
                let ceiling = Duration::from_millis(100)
                    .saturating_mul(1 << n.min(16))
                    .min(Duration::from_secs(5));
                assert!(backoff.next() <= ceiling);
            }
        }
    }

    #[test]
    fn waits_are_spread_over_the_whole_range() {
        let late: Vec<f64> = (0..500)
            .map(|seed| {
                let mut backoff = Backoff::seeded(seed * 7_919);
                for _ in 0..10 {
                    backoff.next();
                }
                backoff.next().as_secs_f64()
            })
            .collect();
        assert!(late.iter().any(|s| *s < 0.5), "some waits are short");
        assert!(late.iter().any(|s| *s > 4.5), "some waits are long");
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::seeded(1);
        for _ in 0..10 {
            backoff.next();
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }
}
