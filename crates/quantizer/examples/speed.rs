//! Elements a second of quantizers on one core: `cargo run --release --example speed`.

use std::time::Instant;

use bitfront_quantizer::Quantizer;

fn main() -> Result<(), bitfront_quantizer::ParseQuantizerError> {
    // A batch of activations that stays in the second-level cache.
    let (rows, columns) = (1024, 64);
    let x: Vec<f32> = (0..rows * columns)
        .map(|i| ((i * 7919) % 4001) as f32 / 500.0 - 4.0)
        .collect();
    let mut y = vec![0f32; x.len()];
    for text in [
        "quantized_bits(6,0,alpha=1.0)",
        "quantized_bits(6,0,alpha='auto_po2')",
        "quantized_bits(24,0,alpha=1.0)",
        "quantized_relu(6,0)",
        "quantized_relu(6,0,negative_slope=0.125)",
        "quantized_relu(6,0,use_sigmoid=1)",
        "binary(alpha=1.0)",
        "ternary(alpha=1.0)",
        "ternary()",
        "quantized_po2(4,max_value=1)",
        "quantized_relu_po2(4,max_value=4)",
    ] {
        let q: Quantizer = text.parse()?;
        let mut gradient = vec![1f32; x.len()];
        let (mut forward, mut backward) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..50 {
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
