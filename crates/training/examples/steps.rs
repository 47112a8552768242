//! Trains 16-64-32-32-5 with 6-bit weights, biases and activations for a number of steps over batches of
//! 1024 made-up rows: `steps best|avx2|scalar COUNT`. For counting instructions, so nothing is printed.

use std::error::Error;

use bitfront_kernel::{Kernels, Level};
use bitfront_network::{Candidate, Head, Layer, Operation, SCALE_BITS};
use bitfront_training::{Control, Recipe, Samples, Targets, Trainer};

const FEATURES: usize = 16;
const BATCH: usize = 1024;
const USAGE: &str = "usage: steps best|avx2|scalar COUNT";

fn candidate() -> Result<Candidate, Box<dyn Error>> {
    let weights = "quantized_bits(6,0,alpha=1.0)".parse()?;
    let mut layers = Vec::new();
    for (index, units) in [64, 32, 32, 5].into_iter().enumerate() {
        if index > 0 {
            let quantizer = "quantized_relu(6)".parse()?;
            let name = format!("relu{index}");
            layers.push(Layer::new(name, Operation::Activation { quantizer }));
        }
        let dense = Operation::Dense {
            units,
            kernel: weights,
            bias: Some(weights),
            fold: None,
        };
        layers.push(Layer::new(format!("fc{index}"), dense));
    }
    Ok(Candidate {
        input_shape: vec![FEATURES],
        input_quantizer: "float".parse()?,
        layers,
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [level, count] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let kernels = match level.as_str() {
        "best" => Some(Kernels::detect()),
        "avx2" => Kernels::at(Level::Avx2),
        "scalar" => Kernels::at(Level::Scalar),
        _ => return Err(USAGE.into()),
    };
    let kernels = kernels.ok_or("this CPU does not have that level")?;
    let rows = count.parse::<usize>()? * BATCH;
    let mut state = 1_u32;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let x: Vec<f32> = (0..rows * FEATURES)
        .map(|_| draw() as f32 / (1 << 22) as f32 - 2.0)
        .collect();
    let y: Vec<u8> = (0..rows).map(|_| (draw() % 5) as u8).collect();
    let samples = |rows: usize| Samples {
        x: &x[..rows * FEATURES],
        y: Targets::Classes(&y[..rows]),
        rows,
        columns: FEATURES,
    };
    let recipe = Recipe {
        epochs: 1,
        batch_size: BATCH,
        ..Recipe::default()
    };
    let candidate = candidate()?;
    let trainer = Trainer::new(&candidate, &samples(rows), &samples(1), &recipe, 1)?;
    trainer
        .on(kernels)
        .run(&mut |_| Control::Continue, &|| false)?;
    Ok(())
}
