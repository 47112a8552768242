//! Jets a second of integer inference on one core: `cargo run --release --example throughput`.
//!
//! The network is 16-64-32-32-5 with random weights, its formats all of one width. Runs are a few milliseconds long, so
//! that the best of them is one that no other process interrupted.

use std::time::Instant;

use bitfront_network::{Activation, Candidate, IntegerProgram, Layer, LayerWeights, Weights};

fn candidate(bits: u32) -> Result<Candidate, Box<dyn std::error::Error>> {
    let units = [64, 32, 32, 5];
    let layers = (0..4).map(|index| {
        let activation = format!("quantized_relu({bits},0)").parse()?;
        Ok(Layer {
            name: format!("fc{index}"),
            units: units[index],
            kernel: format!("quantized_bits({bits},0,alpha=1.0)").parse()?,
            bias: format!("quantized_bits({bits},0,alpha=1.0)").parse()?,
            activation: (index < 3).then(|| Activation {
                name: format!("relu{index}"),
                quantizer: activation,
            }),
        })
    });
    Ok(Candidate {
        inputs: 16,
        input_quantizer: "quantized_bits(8,3,alpha=1.0)".parse()?,
        layers: layers.collect::<Result<_, Box<dyn std::error::Error>>>()?,
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut state = 1u64;
    let mut uniform = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    for bits in [2, 4, 6, 8, 12] {
        let candidate = candidate(bits)?;
        let layers = (0..4).map(|index| {
            let (inputs, units) = candidate.layer_shape(index);
            LayerWeights {
                kernel: (0..inputs * units).map(|_| uniform()).collect(),
                bias: (0..units).map(|_| uniform()).collect(),
            }
        });
        let program = IntegerProgram::freeze(
            &candidate,
            &Weights {
                layers: layers.collect(),
            },
        )?;
        let count = 8_192;
        let rows: Vec<f32> = (0..count * 16).map(|_| 3.0 * uniform()).collect();
        let codes = program.input_codes(&rows);
        let mut best = f64::INFINITY;
        let mut classes = [0usize; 5];
        for _ in 0..100 {
            let start = Instant::now();
            let found = program.classify(&codes);
            best = best.min(start.elapsed().as_secs_f64());
            for class in found {
                classes[usize::from(class)] += 1;
            }
        }
        let rate = f64::from(count) / best / 1e6;
        println!("{bits:2} bits: {rate:.2} million jets/s on one core, best of 100 ({classes:?})");
    }
    Ok(())
}
