//! Three steps of the optimisers against TensorFlow's and QKeras' own, stored in `testdata/training`.
//!
//! From equal weights over equal batches the weights agree after each step to the rounding of f32: sums
//! of eight rows run in another order there.

use std::collections::BTreeMap;

use bitfront_network::{Candidate, Head, Layer, Operation, Part, SCALE_BITS, Weights};
use bitfront_training::{
    Control, LossFunction, Optimizer, Recipe, Samples, Schedule, Targets, Trained, Trainer,
    row_order,
};
use serde::Deserialize;

const SEED: u64 = 3;

/// Largest difference of a weight after any of the steps; all are within ±1.1.
const WEIGHT_ERROR: f32 = f32::EPSILON;

/// Of losses, relative.
const LOSS_ERROR: f32 = 1e-6;

/// Networks of dense layers.
#[derive(Deserialize)]
struct DenseTrace {
    versions: BTreeMap<String, String>,
    rows: usize,
    sizes: Vec<usize>,
    cases: Vec<DenseCase>,
}

#[derive(Deserialize)]
struct DenseCase {
    kernel: String,
    bias: String,
    activation: String,
    loss: LossFunction,
    outputs: usize,
    optimizer: String,
    #[serde(flatten)]
    run: Run,
}

/// Networks of every kind of layer, all trained by Adam on classes.
#[derive(Deserialize)]
struct LayerTrace {
    versions: BTreeMap<String, String>,
    rows: usize,
    cases: Vec<LayerCase>,
}

#[derive(Deserialize)]
struct LayerCase {
    candidate: Candidate,
    #[serde(flatten)]
    run: Run,
}

#[derive(Deserialize)]
struct Run {
    name: String,
    /// Rows of all steps.
    x: Vec<f32>,
    y: Vec<f32>,
    /// Trained tensors, layer by layer.
    start: Vec<Vec<f32>>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    loss: f32,
    weights: Vec<Vec<f32>>,
}

fn candidate(sizes: &[usize], case: &DenseCase) -> Candidate {
    let widths = sizes[1..].iter().copied().chain([case.outputs]);
    let mut layers = Vec::new();
    for (at, units) in widths.enumerate() {
        if at > 0 {
            let quantizer = case.activation.parse().unwrap();
            layers.push(Layer::new(
                format!("a{at}"),
                Operation::Activation { quantizer },
            ));
        }
        let dense = Operation::Dense {
            units,
            kernel: case.kernel.parse().unwrap(),
            bias: Some(case.bias.parse().unwrap()),
            fold: None,
        };
        layers.push(Layer::new(format!("fc{at}"), dense));
    }
    Candidate {
        input_shape: vec![sizes[0]],
        input_quantizer: "float".parse().unwrap(),
        layers,
        head: match case.loss {
            LossFunction::SoftmaxCrossEntropy => Head::ARG_MAX,
            LossFunction::BinaryCrossEntropy => Head::Sigmoid,
            LossFunction::MeanSquaredError | LossFunction::MeanAbsoluteError => Head::Linear,
        },
        scale_bits: SCALE_BITS,
    }
}

fn recipe(optimizer: &str, loss: LossFunction, rows: usize) -> Recipe {
    let (optimizer, learning_rate) = match optimizer {
        "adam" => (Optimizer::Adam, 0.01),
        "adamw" => (Optimizer::AdamW { weight_decay: 0.1 }, 0.01),
        "sgd" => {
            let (momentum, nesterov) = (0.9, true);
            (Optimizer::Sgd { momentum, nesterov }, 0.05)
        }
        other => panic!("optimizer {other}"),
    };
    Recipe {
        epochs: 1,
        batch_size: rows,
        learning_rate,
        schedule: Schedule::Constant,
        optimizer,
        loss: Some(loss),
        ..Recipe::default()
    }
}

/// Trains over the first `steps` batches, each at the place where the run's order reads it.
fn trained(candidate: &Candidate, run: &Run, recipe: &Recipe, steps: usize) -> Trained {
    let count = recipe.batch_size * steps;
    let columns = candidate.inputs();
    let outputs = run.y.len() / (run.x.len() / columns);
    let (mut x, mut y) = (vec![0.0; count * columns], vec![0.0; count * outputs]);
    for (from, to) in row_order(SEED, 1, count).into_iter().enumerate() {
        let to = to as usize;
        x[to * columns..][..columns].copy_from_slice(&run.x[from * columns..][..columns]);
        y[to * outputs..][..outputs].copy_from_slice(&run.y[from * outputs..][..outputs]);
    }
    let classes: Vec<u8> = y.iter().map(|class| *class as u8).collect();
    let samples = Samples {
        x: &x,
        y: if recipe.loss == Some(LossFunction::SoftmaxCrossEntropy) {
            Targets::Classes(&classes)
        } else {
            Targets::Values(&y)
        },
        rows: count,
        columns,
    };
    let mut tensors = run.start.iter();
    let start = Weights::build(candidate, |spec| match spec.part {
        // Running statistics, which no optimiser moves.
        Part::Mean => vec![0.0; spec.shape.iter().product()],
        Part::Variance => vec![1.0; spec.shape.iter().product()],
        _ => tensors.next().unwrap().clone(),
    });
    let trainer = Trainer::new(candidate, &samples, &samples, recipe, SEED).unwrap();
    let trainer = trainer.starting_from(start).unwrap();
    trainer.run(&mut |_| Control::Continue, &|| false).unwrap()
}

/// Makes the steps and holds each against the stored one.
fn compare(candidate: &Candidate, run: &Run, recipe: &Recipe) {
    let name = &run.name;
    let (mut losses, mut moved, mut worst) = (0.0, 0.0_f32, 0.0_f32);
    for (at, step) in (1..).zip(&run.steps) {
        let trained = trained(candidate, run, recipe, at);
        // The report is the mean over all steps so far.
        losses += f64::from(step.loss);
        let (loss, expected) = (
            trained.curve[0].train_loss,
            (losses / f64::from(at as u32)) as f32,
        );
        assert!(
            (loss - expected).abs() <= LOSS_ERROR * expected,
            "{name}, step {at}: loss {loss}, stored {expected}"
        );
        let mut stored = step.weights.iter().zip(&run.start);
        let tensors = candidate.tensors();
        let learned = |part: Part| !matches!(part, Part::Mean | Part::Variance);
        for spec in tensors.iter().filter(|spec| learned(spec.part)) {
            let (expected, start) = stored.next().unwrap();
            let values = trained.weights.part(spec.layer, spec.part);
            assert_eq!(values.len(), expected.len(), "{name}");
            for (i, ((value, expected), start)) in
                values.iter().zip(expected).zip(start).enumerate()
            {
                let error = (value - expected).abs();
                assert!(
                    error <= WEIGHT_ERROR,
                    "{name}, step {at}, {}.{}, value {i}: {value}, stored {expected}",
                    candidate.layers[spec.layer].name,
                    spec.part
                );
                moved = moved.max((expected - start).abs());
                worst = worst.max(error);
            }
        }
        assert!(stored.next().is_none(), "{name}: tensors are left over");
    }
    println!("{name:30} moved {moved:.3}, largest error {worst:.1e}");
    assert!(moved > 0.02, "{name}: the weights hardly move");
}

#[test]
fn every_step_is_the_originals_to_float_rounding() {
    let trace: DenseTrace =
        serde_json::from_str(include_str!("../../../testdata/training/three_steps.json")).unwrap();
    assert_eq!(trace.versions["qkeras"], "0.9.0");
    assert!(trace.cases.len() >= 13);
    for case in &trace.cases {
        let recipe = recipe(&case.optimizer, case.loss, trace.rows);
        compare(&candidate(&trace.sizes, case), &case.run, &recipe);
    }
}

#[test]
fn every_kind_of_layer_is_the_originals_to_float_rounding() {
    let trace: LayerTrace = serde_json::from_str(include_str!(
        "../../../testdata/training/three_steps_layers.json"
    ))
    .unwrap();
    assert_eq!(trace.versions["qkeras"], "0.9.0");
    assert!(trace.cases.len() >= 21);
    for case in &trace.cases {
        let recipe = recipe("adam", LossFunction::SoftmaxCrossEntropy, trace.rows);
        compare(&case.candidate, &case.run, &recipe);
    }
}
