//! Rows a second of exact integer inference on one core, and their share of the multiply-add peak:
//! `cargo run --release -p bitfront-kernel --example integer`.
//!
//! The chain is 16-64-32-32-5 with random weights. Runs of the chain and of the register-only peak
//! alternate, a few milliseconds each; medians are printed.

use std::time::Instant;

use bitfront_kernel::{
    DenseCodes, IntegerChain, IntegerFault, Kernels, Level, Overflow, Requantize, Rounding,
};

const SIZES: [usize; 5] = [16, 64, 32, 32, 5];
const ROWS: usize = 49_152;
const RUNS: usize = 101;

/// Random numbers of a fixed seed.
struct Random(u64);

impl Random {
    fn within(&mut self, low: i32, high: i32) -> i32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        low + ((self.0 >> 33) % (high - low + 1) as u64) as i32
    }

    fn many(&mut self, count: usize, low: i32, high: i32) -> Vec<i32> {
        (0..count).map(|_| self.within(low, high)).collect()
    }
}

/// A chain with weights of `bits`, activations 0..2^bits - 1 and 8-bit signed inputs.
fn chain(bits: u32, random: &mut Random) -> Result<IntegerChain, IntegerFault> {
    let half = 1 << (bits - 1);
    let weights: Vec<Vec<i32>> = SIZES
        .windows(2)
        .map(|pair| random.many(pair[0] * pair[1], -half, half - 1))
        .collect();
    let biases: Vec<Vec<i32>> = SIZES
        .windows(2)
        .map(|pair| random.many(pair[1], -half << 6, half << 6))
        .collect();
    let shifts = [bits; 64];
    let layers: Vec<DenseCodes<'_>> = (0..4)
        .map(|layer| DenseCodes {
            inputs: SIZES[layer],
            outputs: SIZES[layer + 1],
            input_range: if layer == 0 {
                (-128, 127)
            } else {
                (0, 2 * half - 1)
            },
            weights: &weights[layer],
            bias: &biases[layer],
            requantize: (layer < 3).then(|| Requantize {
                shifts: &shifts[..SIZES[layer + 1]],
                rounding: Rounding::HalfEven,
                overflow: Overflow::Saturate,
                low: 0,
                high: 2 * half - 1,
            }),
        })
        .collect();
    IntegerChain::new(&layers)
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), IntegerFault> {
    let mut random = Random(1);
    let codes = random.many(ROWS * SIZES[0], -128, 127);
    for kernels in Level::ALL.into_iter().filter_map(Kernels::at) {
        for bits in [6, 8, 12] {
            let chain = chain(bits, &mut random)?;
            let mut sums = vec![0; ROWS * chain.outputs()];
            let mut classes = vec![0; ROWS];
            let (mut run, mut classify, mut peak) = (vec![], vec![], vec![]);
            let mut fault = Ok(());
            for _ in 0..RUNS {
                let mut multiply_adds = 0;
                let time = seconds(|| {
                    multiply_adds = kernels.integer_peak(chain.is_bytes(), 200_000).0;
                });
                peak.push(multiply_adds as f64 / time);
                let time = seconds(|| fault = chain.run(kernels, &codes, &mut sums));
                fault.clone()?;
                run.push(ROWS as f64 / time);
                let time = seconds(|| fault = chain.classify(kernels, &codes, &mut classes));
                fault.clone()?;
                classify.push(ROWS as f64 / time);
            }
            let (run, classify, peak) = (median(run), median(classify), median(peak));
            print!(
                "{:>6} {bits:2} bits ({}): {:6.2} million rows/s to sums, {:6.2} to classes",
                kernels.level().name(),
                if chain.is_bytes() { "bytes" } else { "words" },
                run / 1e6,
                classify / 1e6,
            );
            // What the compiler makes of the portable loop is no limit of the CPU.
            if kernels.level() == Level::Scalar {
                println!();
                continue;
            }
            println!(
                "; peak {:5.1} G multiply-adds/s, share {:.2}",
                peak / 1e9,
                run * chain.multiply_adds() as f64 / peak
            );
        }
    }
    Ok(())
}
