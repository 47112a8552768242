//! Trains the two jet networks at several bit widths on the bundled sample of generated jets and
//! prints accuracy and speed: `cargo run --release -p bitfront-training --example jets`.
//!
//! Arguments: epochs, learning rate, batch size, seeds (defaults: the recipe's, one seed), then a part
//! of the row names to run (default: all).

use std::error::Error;
use std::path::Path;

use bitfront_dataset::{Dataset, SplitSpec, Table};
use bitfront_network::{
    Candidate, ForwardPrecision, Head, IntegerProgram, Layer, Operation, SCALE_BITS, forward,
};
use bitfront_training::{Control, Recipe, Samples, Targets, metrics, train};

/// Quantizers of one row of the table.
struct Format {
    name: &'static str,
    input: &'static str,
    kernel: &'static str,
    bias: &'static str,
    activation: &'static str,
}

const INPUT: &str = "quantized_bits(8,3,0,1,alpha=1.0)";

const FORMATS: [Format; 8] = [
    Format {
        name: "float",
        input: "float",
        kernel: "float",
        bias: "float",
        activation: "relu",
    },
    Format {
        name: "8 bits",
        input: INPUT,
        kernel: "quantized_bits(8,2,0,1,alpha=1.0)",
        bias: "quantized_bits(8,2,0,1,alpha=1.0)",
        activation: "quantized_relu(8,3)",
    },
    Format {
        name: "6 bits",
        input: INPUT,
        kernel: "quantized_bits(6,1,0,1,alpha=1.0)",
        bias: "quantized_bits(6,1,0,1,alpha=1.0)",
        activation: "quantized_relu(6,2)",
    },
    Format {
        name: "6 bits (6,0)",
        input: INPUT,
        kernel: "quantized_bits(6,0,0,1,alpha=1.0)",
        bias: "quantized_bits(6,0,0,1,alpha=1.0)",
        activation: "quantized_relu(6,0)",
    },
    Format {
        name: "4 bits",
        input: INPUT,
        kernel: "quantized_bits(4,0,0,1,alpha=1.0)",
        bias: "quantized_bits(8,3,0,1,alpha=1.0)",
        activation: "quantized_relu(4,1)",
    },
    Format {
        name: "2 bits",
        input: INPUT,
        kernel: "quantized_bits(2,0,0,1,alpha=1.0)",
        bias: "quantized_bits(8,3,0,1,alpha=1.0)",
        activation: "quantized_relu(4,1)",
    },
    Format {
        name: "ternary",
        input: INPUT,
        kernel: "ternary(alpha='auto_po2')",
        bias: "quantized_bits(8,3,0,1,alpha=1.0)",
        activation: "quantized_relu(4,2)",
    },
    Format {
        name: "binary",
        input: INPUT,
        kernel: "binary(alpha='auto_po2')",
        bias: "quantized_bits(8,3,0,1,alpha=1.0)",
        activation: "quantized_relu(4,2)",
    },
];

fn candidate(units: &[usize], format: &Format) -> Result<Candidate, Box<dyn Error>> {
    let mut layers = Vec::new();
    for (index, &units_here) in units.iter().enumerate() {
        let dense = Operation::Dense {
            units: units_here,
            kernel: format.kernel.parse()?,
            bias: Some(format.bias.parse()?),
            fold: None,
        };
        layers.push(Layer::new(format!("fc{}", index + 1), dense));
        if index + 1 < units.len() {
            let quantizer = format.activation.parse()?;
            let name = format!("relu{}", index + 1);
            layers.push(Layer::new(name, Operation::Activation { quantizer }));
        }
    }
    Ok(Candidate {
        input_shape: vec![16],
        input_quantizer: format.input.parse()?,
        layers,
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    })
}

/// CPU time of this process in seconds, from Linux' scheduler statistics.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanoseconds: u64 = text.split(' ').next()?.parse().ok()?;
    Some(nanoseconds as f64 * 1e-9)
}

fn samples(table: &Table) -> Samples<'_> {
    Samples {
        x: &table.x,
        y: Targets::Classes(&table.y),
        rows: table.rows,
        columns: table.columns,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut recipe = Recipe::default();
    if let Some(epochs) = arguments.next() {
        recipe.epochs = epochs.parse()?;
    }
    if let Some(rate) = arguments.next() {
        recipe.learning_rate = rate.parse()?;
    }
    if let Some(batch) = arguments.next() {
        recipe.batch_size = batch.parse()?;
    }
    let seeds: u64 = arguments.next().map_or(Ok(1), |seeds| seeds.parse())?;
    let only = arguments.next().unwrap_or_default();

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/jets");
    let jets = Dataset::open(root.join("jets_small.npz"))?.prepare(&SplitSpec::default())?;
    let (learn, check) = (samples(&jets.train), samples(&jets.validation));
    println!(
        "generated jets, {} train rows, {recipe:?}, {} level",
        learn.rows,
        bitfront_kernel::level()
    );
    println!("network         format         validation   test  samples/CPU s");
    for units in [&[64, 32, 32, 5][..], &[16, 16, 5]] {
        for format in &FORMATS {
            let candidate = candidate(units, format)?;
            let name = units
                .iter()
                .fold("16".to_owned(), |name, n| format!("{name}-{n}"));
            if !format!("{name} {}", format.name).contains(&only) {
                continue;
            }
            let (mut validation, mut test, mut seconds) = (0.0, 0.0, 0.0);
            for seed in 0..seeds {
                let start = cpu_seconds();
                let mut go_on = |_: &_| Control::Continue;
                let trained = train(
                    &candidate,
                    &learn,
                    &check,
                    &recipe,
                    seed,
                    &mut go_on,
                    &|| false,
                )?;
                seconds += cpu_seconds()
                    .zip(start)
                    .map_or(f64::NAN, |(end, start)| end - start);
                validation += trained.curve.last().map_or(0.0, |e| e.validation_accuracy);
                let logits: Vec<i64> = if candidate.is_float() {
                    let logits = forward(
                        &candidate,
                        &trained.weights,
                        &jets.test.x,
                        ForwardPrecision::F32,
                    );
                    logits.iter().map(|z| (z * 65536.0) as i64).collect()
                } else {
                    let program = IntegerProgram::freeze(&candidate, &trained.weights)?;
                    program.logits(&program.input_codes(&jets.test.x))
                };
                test += metrics::accuracy(&logits, candidate.outputs(), &jets.test.y);
            }
            let count = seeds as f64;
            let rate = count * f64::from(recipe.epochs) * learn.rows as f64 / seconds;
            println!(
                "{name:15} {:14} {:10.4} {:6.4} {rate:14.0}",
                format.name,
                validation / count,
                test / count,
            );
        }
    }
    Ok(())
}
