//! Random networks, weights and rows from a seed, shared by the tests of this crate.

pub(crate) mod graph;
pub(crate) mod quantizers;

use bitfront_network::{Candidate, Part, TensorSpec, Weights};

/// A small counter-based generator (splitmix64): the same numbers on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// 1 to `most`.
    pub(crate) fn up_to(&mut self, most: usize) -> usize {
        1 + self.below(most)
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Roughly normal.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..6).map(|_| self.unit() - 0.5).sum::<f32>() * 1.4
    }
}

/// Weights of a spread between 2^-6 and 2^4: some columns all zero, some single ones huge or tiny;
/// gammas of both signs and zero, variances down to zero.
pub(crate) fn weights(random: &mut Random, candidate: &Candidate) -> Weights {
    Weights::build(candidate, |spec| tensor(random, spec))
}

fn tensor(random: &mut Random, spec: &TensorSpec) -> Vec<f32> {
    let size: usize = spec.shape.iter().product();
    let columns = spec.shape.last().copied().unwrap_or(1).max(1);
    let spread = 2f32.powi(random.below(11) as i32 - 6);
    match spec.part {
        Part::Variance => (0..size)
            .map(|_| match random.below(12) {
                0 => 0.0,
                1 => 1e-6 * random.unit(),
                2 => 100.0 * random.unit(),
                _ => 2.0 * random.unit(),
            })
            .collect(),
        Part::Gamma => (0..size)
            .map(|_| match random.below(12) {
                0 => 0.0,
                1 => -1.0,
                _ => random.normal(),
            })
            .collect(),
        Part::Beta | Part::Mean => (0..size)
            .map(|_| {
                if random.chance(10) {
                    0.0
                } else {
                    random.normal()
                }
            })
            .collect(),
        _ => {
            let zero: Vec<bool> = (0..columns).map(|_| random.chance(5)).collect();
            let all = random.chance(5);
            let value = |i: usize, random: &mut Random| {
                let value = spread * random.normal();
                match random.below(100) {
                    _ if all || zero[i % columns] => 0.0,
                    0 => value * 1e4,
                    1 => value * 1e-6,
                    _ => value,
                }
            };
            (0..size).map(|i| value(i, random)).collect()
        }
    }
}

/// Standardised rows with zeros, halves and outliers among them.
pub(crate) fn rows(random: &mut Random, candidate: &Candidate, count: usize) -> Vec<f32> {
    let value = |random: &mut Random| match random.below(12) {
        0 => 0.0,
        1 => -0.0,
        2 => (random.below(65) as f32 - 32.0) / 8.0,
        3 => 1e9 * random.normal(),
        4 => 1e-7 * random.normal(),
        _ => 2.0 * random.normal(),
    };
    (0..count * candidate.inputs())
        .map(|_| value(random))
        .collect()
}
