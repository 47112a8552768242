//! Learns bit widths of 16-64-32-32-5 on a jets file, and prints what each step took and gave as JSON.
//!
//! ```text
//! cargo run --release -p bitfront-learned-bits --example learned_jets -- FILE SEED [SETTINGS]
//! ```
//!
//! `SETTINGS` is JSON: `learn` (fields of `Settings`), `teacher` (hidden units, [] for none),
//! `teacher_epochs`,
//! `distillation` (the teacher's `weight` and `temperature`), `start_epochs`. Nine tenths of the file's train rows train, the others choose; its test
//! rows are only reported. Seconds are CPU seconds of the process.

use std::error::Error;
use std::path::Path;

use bitfront_dataset::{Dataset, SplitSpec, Table};
use bitfront_learned_bits::{Settings, Task, learn};
use bitfront_network::{Candidate, Head, IntegerProgram, Layer, Operation, SCALE_BITS, Weights};
use bitfront_quantizer::Quantizer;
use bitfront_training::{
    Control, Distillation, Recipe, Samples, SoftTargets, Targets, outputs, train,
};
use serde::Deserialize;
use serde_json::json;

/// The student.
const UNITS: [usize; 3] = [64, 32, 32];
/// Grid that channels of the input are taken from.
const INPUT: &str = "quantized_bits(12,3,alpha=1.0)";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Run {
    learn: Settings,
    teacher: Vec<usize>,
    teacher_epochs: u32,
    distillation: Distillation,
    start_epochs: u32,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            learn: Settings::default(),
            teacher: vec![128, 128, 64],
            teacher_epochs: 12,
            distillation: Distillation {
                weight: 0.7,
                temperature: 1.0,
            },
            start_epochs: 4,
        }
    }
}

/// CPU time of this process in seconds, from Linux' scheduler statistics.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|text| text.parse().ok());
    nanoseconds.map_or(f64::NAN, |nanoseconds: u64| nanoseconds as f64 * 1e-9)
}

fn samples(table: &Table) -> Samples<'_> {
    Samples {
        x: &table.x,
        y: Targets::Classes(&table.y),
        rows: table.rows,
        columns: table.columns,
    }
}

/// A float network.
fn network(inputs: usize, units: &[usize], classes: usize) -> Candidate {
    let mut layers = Vec::new();
    for (index, units) in units.iter().chain([&classes]).enumerate() {
        if index > 0 {
            let quantizer = Quantizer::Relu;
            let name = format!("relu{index}");
            layers.push(Layer::new(name, Operation::Activation { quantizer }));
        }
        let dense = Operation::Dense {
            units: *units,
            kernel: Quantizer::Float,
            bias: Some(Quantizer::Float),
            fold: None,
        };
        layers.push(Layer::new(format!("fc{}", index + 1), dense));
    }
    Candidate {
        input_shape: vec![inputs],
        input_quantizer: Quantizer::Float,
        layers,
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

/// Float weights, and the accuracy on the validation rows.
fn float(
    candidate: &Candidate,
    learn: &Samples<'_>,
    check: &Samples<'_>,
    epochs: u32,
    seed: u64,
) -> Result<(Weights, f64), Box<dyn Error>> {
    let recipe = Recipe {
        epochs,
        batch_size: 512,
        learning_rate: 3e-3,
        ..Recipe::default()
    };
    let mut go_on = |_: &_| Control::Continue;
    let trained = train(candidate, learn, check, &recipe, seed, &mut go_on, &|| {
        false
    })?;
    let accuracy = trained.curve.last().map_or(0.0, |e| e.validation_accuracy);
    Ok((trained.weights, accuracy))
}

/// Share of the rows that the candidate's integers classify rightly.
fn accuracy(
    candidate: &Candidate,
    weights: &Weights,
    table: &Table,
) -> Result<f64, Box<dyn Error>> {
    let program = IntegerProgram::freeze(candidate, weights)?;
    let found = program
        .classify(&program.input_codes(&table.x))
        .unwrap_or_default();
    let right = found.iter().zip(&table.y).filter(|(a, b)| a == b).count();
    Ok(right as f64 / table.rows as f64)
}

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: learned_jets FILE SEED [SETTINGS]";
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or(usage)?;
    let seed: u64 = arguments.next().ok_or(usage)?.parse()?;
    let run: Run = serde_json::from_str(arguments.next().as_deref().unwrap_or("{}"))?;
    let split = SplitSpec {
        train: 0.72,
        validation: 0.08,
        ..SplitSpec::default()
    };
    let jets = Dataset::open(Path::new(&file))?.prepare(&split)?;
    let (learning, check) = (samples(&jets.train), samples(&jets.validation));
    let (inputs, classes) = (jets.train.columns, jets.classes.len());

    let begin = cpu_seconds();
    let (mut teacher, mut teacher_accuracy) = (None, None);
    if !run.teacher.is_empty() {
        let large = network(inputs, &run.teacher, classes);
        let (weights, found) = float(&large, &learning, &check, run.teacher_epochs, seed)?;
        let logits = outputs(&large, &weights, &jets.train.x)?;
        teacher = Some(SoftTargets::new(run.distillation, &logits, classes));
        teacher_accuracy = Some(found);
    }
    let taught = cpu_seconds();
    let mut candidate = network(inputs, &UNITS, classes);
    let (start, start_accuracy) = float(&candidate, &learning, &check, run.start_epochs, seed)?;
    candidate.input_quantizer = INPUT.parse()?;
    let started = cpu_seconds();
    let task = Task {
        candidate: &candidate,
        start: &start,
        train: learning,
        validation: check,
        teacher: teacher.as_ref(),
    };
    let mut epochs = Vec::new();
    let mut note = |point: &_| {
        let point: &bitfront_learned_bits::EpochPoint = point;
        epochs.push(json!([
            point.epoch,
            point.beta,
            point.train_loss,
            point.validation_accuracy,
            point.ebops,
            point.ebops_by_widths
        ]));
        Control::Continue
    };
    let points = learn(&task, &run.learn, seed, &mut note, &|| false)?;
    let learned = cpu_seconds();
    let mut front = Vec::new();
    for point in &points {
        let (candidate, weights) = (&point.candidate, &point.weights);
        let exact = accuracy(candidate, weights, &jets.validation)?;
        assert_eq!(
            exact, point.epoch.validation_accuracy,
            "a point's figure is its integers'"
        );
        front.push(json!({
            "epoch": point.epoch.epoch,
            "beta": point.epoch.beta,
            "ebops": point.epoch.ebops,
            "ebops_by_widths": point.epoch.ebops_by_widths,
            "accuracy_validation": exact,
            "accuracy_test": accuracy(candidate, weights, &jets.test)?,
        }));
    }
    let rows = f64::from(run.learn.epochs) * jets.train.rows as f64;
    let report = json!({
        "seed": seed,
        "level": bitfront_kernel::level(),
        "settings": run.learn,
        "cpu_s": {"teacher": taught - begin, "start": started - taught, "learn": learned - started,
            "all": learned - begin},
        "rows_per_cpu_s": rows / (learned - started),
        "accuracy_teacher_validation": teacher_accuracy,
        "accuracy_start_validation": start_accuracy,
        "epochs": epochs,
        "front": front,
    });
    println!("{report}");
    Ok(())
}
