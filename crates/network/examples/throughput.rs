//! Jets a second of integer inference on one core, and the share of the multiply-add peak:
//! `cargo run --release -p bitfront-network --example throughput`.
//!
//! The network is 16-64-32-32-5 with random weights, its formats all of one width. Runs of it and
//! of the kernels' register-only peak alternate, a few milliseconds each; the best and the median
//! are printed, and the ratio of the medians.

use std::time::Instant;

use bitfront_kernel::Kernels;
use bitfront_network::{Candidate, DenseStack, IntegerProgram, StackLayer, Weights};

const UNITS: [usize; 5] = [16, 64, 32, 32, 5];
const ROWS: usize = 49_152;
const RUNS: usize = 101;

fn candidate(bits: u32) -> Result<Candidate, Box<dyn std::error::Error>> {
    let layers = (0..4).map(|index| {
        let name = format!("relu{index}");
        let activation = format!("quantized_relu({bits},0)").parse()?;
        Ok(StackLayer {
            name: format!("fc{index}"),
            inputs: UNITS[index],
            units: UNITS[index + 1],
            kernel: format!("quantized_bits({bits},0,alpha=1.0)").parse()?,
            bias: format!("quantized_bits({bits},0,alpha=1.0)").parse()?,
            activation: (index < 3).then_some((name, activation)),
        })
    });
    let stack = DenseStack {
        inputs: UNITS[0],
        input_quantizer: "quantized_bits(8,3,alpha=1.0)".parse()?,
        layers: layers.collect::<Result<_, Box<dyn std::error::Error>>>()?,
        positions: (0..4).collect(),
    };
    Ok(stack.candidate())
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut state = 1u64;
    let mut uniform = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let kernels = Kernels::detect();
    let multiply_adds: usize = UNITS.windows(2).map(|pair| pair[0] * pair[1]).sum();
    println!("{} kernels, {ROWS} jets a run", kernels.level().name());
    for bits in [2, 4, 6, 8, 12] {
        let candidate = candidate(bits)?;
        let weights = Weights::build(&candidate, |spec| {
            (0..spec.shape.iter().product())
                .map(|_| uniform())
                .collect()
        });
        let program = IntegerProgram::freeze(&candidate, &weights)?;
        let rows: Vec<f32> = (0..ROWS * 16).map(|_| 3.0 * uniform()).collect();
        let codes = program.input_codes(&rows);
        let (mut times, mut peaks, mut logits) = (Vec::new(), Vec::new(), Vec::new());
        let mut classes = [0usize; 5];
        for _ in 0..RUNS {
            let mut count = 0;
            // Bytes hold codes and weights of up to 8 bits.
            let time = seconds(|| count = kernels.integer_peak(bits <= 8, 200_000).0);
            peaks.push(count as f64 / time);
            let mut found = None;
            times.push(seconds(|| found = program.classify(&codes)));
            logits.push(seconds(|| {
                std::hint::black_box(program.logits(&codes));
            }));
            for class in found.unwrap_or_default() {
                classes[usize::from(class)] += 1;
            }
        }
        times.sort_by(f64::total_cmp);
        peaks.sort_by(f64::total_cmp);
        logits.sort_by(f64::total_cmp);
        let rate = |time: f64| ROWS as f64 / time / 1e6;
        let (best, median) = (rate(times[0]), rate(times[RUNS / 2]));
        let limit = peaks[RUNS / 2] / multiply_adds as f64 / 1e6;
        println!(
            "{bits:2} bits: {median:6.2} million jets/s to classes (best {best:.2}), {:6.2} to \
             logits; {limit:.1} at the multiply-add peak, ratio {:.2} (best {:.2}); {classes:?}",
            rate(logits[RUNS / 2]),
            median / limit,
            best / limit
        );
    }
    Ok(())
}
