//! Trains 16-64-32-32-5 from given weights, as `bench/training/parity` compares it with other libraries.
//!
//! `parity orders FOLDER SEED` writes the order of the rows of every epoch (`order<SEED>.u32`, 25 x rows);
//! `parity train FOLDER FORMAT SEED` reads `x{tr,te}.f32`, `y{tr,te}.u8` and `kernels<SEED>.f32` (the kernels
//! one after another, biases start at zero), trains 25 epochs of batches of 1024 over those orders and
//! prints a line of JSON: the accuracy on `te` after the last epoch and the mean train loss of each.

use std::error::Error;
use std::fs;
use std::path::Path;

use bitfront_network::{
    Candidate, Head, Layer, LayerWeights, Operation, Part, SCALE_BITS, Weights,
};
use bitfront_training::{Control, Recipe, Samples, Targets, Trainer, row_order};

type Failure = Box<dyn Error>;

const FEATURES: usize = 16;
const EPOCHS: u32 = 25;
const USAGE: &str = "usage: parity orders FOLDER SEED | parity train FOLDER FORMAT SEED";

/// Quantizers of kernels, biases and activations.
fn quantizers(format: &str) -> Result<[String; 3], Failure> {
    if format == "float" {
        return Ok(["float", "float", "relu"].map(String::from));
    }
    if let "ternary" | "binary" = format {
        let kernel = format!("{format}(alpha='auto_po2')");
        let bias = "quantized_bits(8,3,alpha=1.0)".to_owned();
        return Ok([kernel, bias, "quantized_relu(4,2)".to_owned()]);
    }
    let bits: u32 = format
        .strip_suffix("_bit")
        .ok_or_else(|| format!("format {format}; accepted: float, N_bit, ternary, binary"))?
        .parse()?;
    let weights = format!("quantized_bits({bits},0,alpha=1.0)");
    Ok([weights.clone(), weights, format!("quantized_relu({bits})")])
}

fn candidate(format: &str) -> Result<Candidate, Failure> {
    let [kernel, bias, activation] = quantizers(format)?;
    let mut layers = Vec::new();
    for (index, units) in [64, 32, 32, 5].into_iter().enumerate() {
        let number = index + 1;
        let dense = Operation::Dense {
            units,
            kernel: kernel.parse()?,
            bias: Some(bias.parse()?),
            fold: None,
        };
        layers.push(Layer::new(format!("fc{number}"), dense));
        if number < 4 {
            let quantizer = activation.parse()?;
            let name = format!("relu{number}");
            layers.push(Layer::new(name, Operation::Activation { quantizer }));
        }
    }
    Ok(Candidate {
        input_shape: vec![FEATURES],
        input_quantizer: "float".parse()?,
        layers,
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    })
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, Failure> {
    let path = folder.join(name);
    Ok(fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?)
}

fn floats(folder: &Path, name: &str) -> Result<Vec<f32>, Failure> {
    let bytes = read(folder, name)?;
    let words = bytes.chunks_exact(4);
    Ok(words
        .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
        .collect())
}

fn samples<'a>(x: &'a [f32], y: &'a [u8]) -> Samples<'a> {
    Samples {
        x,
        y: Targets::Classes(y),
        rows: y.len(),
        columns: FEATURES,
    }
}

fn orders(folder: &Path, seed: u64) -> Result<(), Failure> {
    let rows = read(folder, "ytr.u8")?.len();
    let mut bytes = Vec::with_capacity(4 * rows * EPOCHS as usize);
    for epoch in 1..=EPOCHS {
        for row in row_order(seed, epoch, rows) {
            bytes.extend_from_slice(&row.to_le_bytes());
        }
    }
    Ok(fs::write(folder.join(format!("order{seed}.u32")), bytes)?)
}

fn train(folder: &Path, format: &str, seed: u64) -> Result<(), Failure> {
    let candidate = candidate(format)?;
    let (x, y) = (floats(folder, "xtr.f32")?, read(folder, "ytr.u8")?);
    let (x_test, y_test) = (floats(folder, "xte.f32")?, read(folder, "yte.u8")?);
    let kernels = floats(folder, &format!("kernels{seed}.f32"))?;
    let mut layers = vec![LayerWeights::default(); candidate.layers.len()];
    let mut rest = kernels.as_slice();
    for spec in candidate.tensors() {
        let size = spec.shape.iter().product();
        let values = if spec.part == Part::Kernel {
            let (kernel, others) = rest.split_at_checked(size).ok_or("too few kernel values")?;
            rest = others;
            kernel.to_vec()
        } else {
            vec![0.0; size]
        };
        layers[spec.layer].parts.insert(spec.part, values);
    }
    let recipe = Recipe {
        epochs: EPOCHS,
        learning_rate: 1e-3,
        ..Recipe::default()
    };
    let (learn, check) = (samples(&x, &y), samples(&x_test, &y_test));
    let trained = Trainer::new(&candidate, &learn, &check, &recipe, seed)?
        .starting_from(Weights { layers })?
        .run(&mut |_| Control::Continue, &|| false)?;
    let losses: Vec<f32> = trained.curve.iter().map(|epoch| epoch.train_loss).collect();
    let last = trained.curve.last().ok_or("no epoch ran")?;
    let accuracy = last.validation_accuracy;
    println!(
        "{{\"format\": \"{format}\", \"seed\": {seed}, \"accuracy\": {accuracy}, \"losses\": {losses:?}}}"
    );
    Ok(())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["orders", folder, seed] => orders(Path::new(folder), seed.parse()?),
        ["train", folder, format, seed] => train(Path::new(folder), format, seed.parse()?),
        _ => Err(USAGE.into()),
    }
}
