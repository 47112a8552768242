//! Speed of quantizers on one core: `cargo run --release --example speed`.
//!
//! First values a second of many families on a batch that stays in the second-level cache, then bytes
//! a second of the two most used ones against a copy written with the same loop (and against the
//! standard library's), at 16 KiB and 64 MiB: medians of interleaved runs.

use std::time::Instant;

use bitfront_kernel::Kernels;
use bitfront_quantizer::{ParseQuantizerError, Quantizer};

fn main() -> Result<(), ParseQuantizerError> {
    families()?;
    for (bytes, repeats, rounds) in [(16 << 10, 128, 2001), (64 << 20, 1, 21)] {
        against_copies(bytes, repeats, rounds)?;
    }
    Ok(())
}

fn against_copies(bytes: usize, repeats: usize, rounds: usize) -> Result<(), ParseQuantizerError> {
    let x: Vec<f32> = (0..bytes / 4)
        .map(|i| ((i * 7919) % 4001) as f32 / 500.0 - 4.0)
        .collect();
    let mut y = vec![0f32; x.len()];
    let kernels = Kernels::detect();
    let quantizers = [
        "quantized_bits(6,0,alpha=1.0)".parse::<Quantizer>()?,
        "quantized_relu(6,0)".parse()?,
    ];
    let mut times = vec![Vec::new(); 4];
    for _ in 0..rounds {
        let mut measure = |at: usize, run: &mut dyn FnMut(&mut [f32])| {
            let start = Instant::now();
            for _ in 0..repeats {
                run(std::hint::black_box(&mut y));
            }
            times[at].push(start.elapsed().as_secs_f64());
        };
        measure(0, &mut |y| kernels.copy(std::hint::black_box(&x), y));
        measure(1, &mut |y| y.copy_from_slice(std::hint::black_box(&x)));
        for (i, q) in quantizers.iter().enumerate() {
            measure(2 + i, &mut |y| {
                q.quantize(std::hint::black_box(&x), x.len(), y);
            });
        }
    }
    let speed = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        (bytes * repeats) as f64 / times[times.len() / 2] / 1e9
    };
    let speeds: Vec<f64> = times.iter_mut().map(speed).collect();
    println!(
        "{} KiB: copy {:.1} GB/s, the standard library's {:.1} GB/s",
        bytes >> 10,
        speeds[0],
        speeds[1]
    );
    for (q, speed) in quantizers.iter().zip(&speeds[2..]) {
        println!(
            "  {:30} {speed:.1} GB/s, {:.2} of the copy, {:.2} of the standard library's",
            q.to_string(),
            speed / speeds[0],
            speed / speeds[1]
        );
    }
    Ok(())
}

fn families() -> Result<(), ParseQuantizerError> {
    let (rows, columns) = (1024, 64);
    let x: Vec<f32> = (0..rows * columns)
        .map(|i| ((i * 7919) % 4001) as f32 / 500.0 - 4.0)
        .collect();
    let mut y = vec![0f32; x.len()];
    for text in [
        "quantized_bits(6,0,alpha=1.0)",
        "quantized_bits(6,0,alpha='auto_po2')",
        "quantized_bits(24,0,alpha=1.0)",
        "quantized_linear(6,0)",
        "quantized_relu(6,0)",
        "quantized_relu(6,0,negative_slope=0.125)",
        "quantized_relu(6,0,use_sigmoid=1)",
        "quantized_tanh(6)",
        "quantized_tanh(6,use_real_tanh=True)",
        "quantized_sigmoid(6)",
        "quantized_sigmoid(6,use_real_sigmoid=True)",
        "quantized_ulaw(6,0)",
        "quantized_hswish(6,1)",
        "binary(alpha=1.0)",
        "ternary(alpha=1.0)",
        "ternary()",
        "quantized_po2(4,max_value=1)",
        "quantized_relu_po2(4,max_value=4)",
        "ap_fixed<8,3,AP_RND_CONV,AP_SAT>",
        "ap_fixed<8,3>",
    ] {
        let q: Quantizer = text.parse()?;
        let mut gradient = vec![1f32; x.len()];
        let (mut forward, mut backward) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..20 {
            let start = Instant::now();
            q.quantize(&x, columns, &mut y);
            forward = forward.min(start.elapsed().as_secs_f64());
            let start = Instant::now();
            q.straight_through(&x, columns, &mut gradient);
            backward = backward.min(start.elapsed().as_secs_f64());
        }
        let rate = |seconds: f64| x.len() as f64 / seconds / 1e6;
        println!(
            "{text:42} {:8.0} M/s forward {:8.0} M/s backward",
            rate(forward),
            rate(backward)
        );
    }
    Ok(())
}
