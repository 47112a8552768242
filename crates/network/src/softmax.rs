//! Softmax in integers by two tables, as hardware does it.
//!
//! The rule this module keeps: tables and results are integers found with correctly rounded
//! operations alone, so every machine and every circuit gives the same probabilities.

use bitfront_kernel::exp;

use crate::{Head, IntegerProgram, SoftmaxTables};

/// An integer softmax: an exponential table addressed by the distance below the largest logit, and
/// a table of inverses addressed by the sum of the exponentials.
///
/// With `e = exp_fraction`, `i = inverse_fraction` and `o = output_fraction`:
///
/// 1. `d[k] = max - logit[k]`, in units of the logits;
/// 2. `a[k] = floor(d[k] * 2^(address_fraction - logit fraction))`, at most `2^address_bits - 1`;
/// 3. `E[k] = exp[a[k]]`, where `exp[a] = round(exp(-a * 2^-address_fraction) * 2^e)`;
/// 4. `S = sum E[k]`, at least `2^e` because the largest logit has the distance 0;
/// 5. `I = inverse[(S - 2^e) >> inverse_shift]`, where the inverse of a bucket is
///    `round(2^(e + i) / middle of the bucket)`;
/// 6. `p[k] = (E[k] * I) >> (e + i - o)`, at most `2^o`.
///
/// Probabilities need not sum to one. [`SoftmaxProgram::error_bound`] says how far each may be from
/// the real softmax of the same logits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftmaxProgram {
    /// The precision that was asked for.
    pub tables: SoftmaxTables,
    /// Fraction bits of the logits.
    pub logit_fraction: i32,
    /// Number of classes.
    pub classes: usize,
    /// `2^address_bits` exponentials in units of `2^-exp_fraction`.
    pub exp: Vec<u32>,
    /// Inverses of the sums that occur, in units of `2^-inverse_fraction`; at most
    /// `2^address_bits`.
    pub inverse: Vec<u32>,
    /// Right shift from `S - 2^exp_fraction` to the address of its inverse: the smallest at which
    /// the largest possible sum has an address.
    pub inverse_shift: u32,
}

impl SoftmaxProgram {
    /// The tables for so many classes (1 to 256) of logits with so many fraction bits.
    ///
    /// # Panics
    /// If a setting is out of the range that [`SoftmaxTables`] names, which
    /// [`crate::Candidate::check`] reports.
    pub fn new(tables: SoftmaxTables, logit_fraction: i32, classes: usize) -> Self {
        assert!(
            tables.address_bits <= 16
                && tables.exp_fraction <= 24
                && tables.inverse_fraction <= 24
                && tables.output_fraction <= 24
                && (1..=256).contains(&classes),
            "settings are those that Candidate::check accepts"
        );
        let one = 1u64 << tables.exp_fraction;
        let step = 2f64.powi(-(tables.address_fraction as i32));
        let addresses = 1u64 << tables.address_bits;
        let exponential = |a: u64| (exp(-(a as f64) * step) * one as f64).round_ties_even() as u32;
        let most = (classes as u64 - 1) * one;
        let mut inverse_shift = 0;
        while most >> inverse_shift >= addresses {
            inverse_shift += 1;
        }
        let numerator = 1u64 << (tables.exp_fraction + tables.inverse_fraction);
        let inverse = |bucket: u64| {
            // The middle of a bucket is a half: both sides are doubled, then halves round up.
            let twice = 2 * (one + (bucket << inverse_shift)) + (1 << inverse_shift) - 1;
            ((4 * numerator + twice) / (2 * twice)) as u32
        };
        Self {
            tables,
            logit_fraction,
            classes,
            exp: (0..addresses).map(exponential).collect(),
            inverse: (0..=most >> inverse_shift).map(inverse).collect(),
            inverse_shift,
        }
    }

    /// Address in the exponential table for a distance of at least 0 in units of the logits.
    pub fn address(&self, distance: u64) -> usize {
        let last = (1u64 << self.tables.address_bits) - 1;
        let shift = self.tables.address_fraction as i32 - self.logit_fraction;
        let address = if shift > 0 {
            // Beyond 16 bits only a distance of 0 has an address of its own.
            let shift = shift.min(16);
            if distance > last >> shift {
                last
            } else {
                distance << shift
            }
        } else {
            distance.checked_shr(shift.unsigned_abs()).unwrap_or(0)
        };
        address.min(last) as usize
    }

    /// Probabilities of one row of logits (at most 2^54 apart), in units of `2^-output_fraction`.
    ///
    /// # Panics
    /// If `logits` are not [`SoftmaxProgram::classes`] numbers.
    pub fn probabilities(&self, logits: &[i64]) -> Vec<u32> {
        assert_eq!(logits.len(), self.classes, "one logit a class");
        let largest = logits.iter().copied().max().unwrap_or(0);
        let tables = &self.tables;
        let exponentials: Vec<u64> = logits
            .iter()
            .map(|logit| u64::from(self.exp[self.address(largest.abs_diff(*logit))]))
            .collect();
        let sum: u64 = exponentials.iter().sum();
        let bucket = (sum - (1 << tables.exp_fraction)) >> self.inverse_shift;
        let inverse = u64::from(self.inverse[bucket as usize]);
        let have = tables.exp_fraction + tables.inverse_fraction;
        let probability = |e: u64| {
            let product = e * inverse;
            let p = if have >= tables.output_fraction {
                product >> (have - tables.output_fraction)
            } else {
                product << (tables.output_fraction - have)
            };
            p.min(1 << tables.output_fraction) as u32
        };
        exponentials.into_iter().map(probability).collect()
    }

    /// Largest distance of a probability from the real softmax of the same logits.
    ///
    /// With the address step `q = 2^-address_fraction`, `n` classes and
    /// `r = 2^-(e + 1) + exp(-q * (2^address_bits - 1))`, it is the sum of
    ///
    /// - `(exp(q) - 1) / 4`: flooring an address enlarges an exponential by up to `exp(q)`, which
    ///   moves a share `p` by at most `p * (1 - p)` of that;
    /// - `n * r`: rounded exponentials, and those beyond the last address (the sum is at least 1);
    /// - `2^(inverse_shift - 1 - e)`: half a bucket of sums (0 without a shift);
    /// - `2^-(i + 1)`: rounded inverses;
    /// - `2^-o`: the floor at the end.
    pub fn error_bound(&self) -> f64 {
        let tables = &self.tables;
        let power = |exponent: u32| 2f64.powi(-(exponent as i32));
        let step = power(tables.address_fraction);
        let last = ((1u64 << tables.address_bits) - 1) as f64;
        let each = power(tables.exp_fraction + 1) + exp(-step * last);
        let bucket = match self.inverse_shift {
            0 => 0.0,
            shift => 2f64.powi(shift as i32 - 1) * power(tables.exp_fraction),
        };
        (exp(step) - 1.0) / 4.0
            + self.classes as f64 * each
            + bucket
            + power(tables.inverse_fraction + 1)
            + power(tables.output_fraction)
    }
}

impl IntegerProgram {
    /// The integer softmax of a head with tables.
    pub fn softmax(&self) -> Option<SoftmaxProgram> {
        match self.candidate.head {
            Head::Softmax {
                tables: Some(tables),
            } => {
                let classes = self.outputs();
                Some(SoftmaxProgram::new(tables, self.output_fraction, classes))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real(logits: &[i64], fraction: i32) -> Vec<f64> {
        let largest = logits.iter().copied().max().unwrap_or(0);
        let unit = 2f64.powi(-fraction);
        let e: Vec<f64> = logits
            .iter()
            .map(|l| (-(largest.abs_diff(*l) as f64) * unit).exp())
            .collect();
        let sum: f64 = e.iter().sum();
        e.into_iter().map(|e| e / sum).collect()
    }

    #[test]
    fn one_row_by_hand() {
        // Two classes, exp in 4 fraction bits: E = [16, round(16/e) = 6], S = 22, S - 16 = 6 at
        // shift 1 (the largest sum is 16 above, 16 addresses): bucket 3 is sums 22 and 23, its
        // inverse round(2^8 / 22.5) = 11; 16 * 11 >> 4 = 11, 6 * 11 >> 4 = 4.
        let tables = SoftmaxTables {
            address_bits: 4,
            address_fraction: 0,
            exp_fraction: 4,
            inverse_fraction: 4,
            output_fraction: 4,
        };
        let program = SoftmaxProgram::new(tables, 1, 2);
        assert_eq!(program.inverse_shift, 1);
        assert_eq!(program.inverse.len(), 9);
        // Distance 3 at one fraction bit is 1.5: address 1.
        assert_eq!(program.probabilities(&[5, 2]), [11, 4]);
        assert_eq!(program.probabilities(&[-7, -7]), [8, 8]);
    }

    #[test]
    fn addresses_saturate_at_every_scale() {
        let tables = SoftmaxTables::default();
        for (fraction, distance, address) in [
            (6, 5, 5),
            (6, 1023, 1023),
            (6, 1024, 1023),
            (8, 7, 1),
            (900, u64::MAX >> 10, 0),
            (4, 255, 1020),
            (4, 256, 1023),
            (-900, 1, 1023),
            (-900, 0, 0),
            (6, 1 << 54, 1023),
        ] {
            let program = SoftmaxProgram::new(tables, fraction, 3);
            assert_eq!(program.address(distance), address, "{fraction} {distance}");
        }
    }

    #[test]
    fn errors_stay_within_the_bound() {
        let mut state = 7u64;
        let mut random = move |n: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        };
        let mut worst = (0.0f64, 0.0f64);
        for _ in 0..300 {
            let tables = SoftmaxTables {
                address_bits: 4 + random(10) as u32,
                address_fraction: random(13) as u32,
                exp_fraction: 4 + random(21) as u32,
                inverse_fraction: 4 + random(21) as u32,
                output_fraction: 1 + random(24) as u32,
            };
            let most = if random(4) == 0 { 255 } else { 9 };
            let classes = 2 + random(most) as usize;
            let fraction = random(14) as i32 - 2;
            let program = SoftmaxProgram::new(tables, fraction, classes);
            assert!(program.inverse.len() <= 1 << tables.address_bits);
            let unit = 2f64.powi(-(tables.output_fraction as i32));
            for _ in 0..40 {
                let spread = 1 << random(16);
                let logits: Vec<i64> = (0..classes).map(|_| random(spread) as i64).collect();
                let found = program.probabilities(&logits);
                for (p, real) in found.iter().zip(real(&logits, fraction)) {
                    let error = (f64::from(*p) * unit - real).abs();
                    let bound = program.error_bound();
                    assert!(error <= bound, "{error} > {bound} {tables:?} {logits:?}");
                    if error / bound > worst.0 / worst.1.max(1e-300) {
                        worst = (error, bound);
                    }
                }
            }
        }
        println!(
            "closest to its bound: an error of {} of {}",
            worst.0, worst.1
        );
        // A bound far from what happens would say nothing.
        assert!(worst.0 > 0.3 * worst.1);
    }

    #[test]
    fn the_usual_tables_are_close() {
        let program = SoftmaxProgram::new(SoftmaxTables::default(), 10, 5);
        let bound = program.error_bound();
        assert!(bound < 0.008, "{bound}");
        assert_eq!((program.exp.len(), program.exp[0]), (1024, 1 << 17));
    }
}
