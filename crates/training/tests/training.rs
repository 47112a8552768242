//! Whole training runs: determinism, every CPU level, control, errors.

#[path = "../../../testdata/known-bits/check.rs"]
mod known_bits;

use bitfront_kernel::{Kernels, Level};
use bitfront_network::{Candidate, ForwardPrecision, Head, Layer, Operation, SCALE_BITS, forward};
use bitfront_training::{
    Control, EpochReport, Recipe, Samples, Schedule, Targets, TrainError, Trained, Trainer, train,
};

/// Three noisy blobs in five features.
struct Blobs {
    x: Vec<f32>,
    y: Vec<u8>,
}

impl Blobs {
    fn new(rows: usize) -> Self {
        let mut state = 0x1234_5678_9abc_def1_u64;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let y: Vec<u8> = (0..rows).map(|row| (row % 3) as u8).collect();
        let x = y
            .iter()
            .flat_map(|&class| {
                [0_u8, 1, 2, 3, 4].map(|feature| {
                    let center = if feature == class { 1.0 } else { -0.3 };
                    center + 0.9 * noise()
                })
            })
            .collect();
        Self { x, y }
    }

    fn samples(&self) -> Samples<'_> {
        Samples {
            x: &self.x,
            y: Targets::Classes(&self.y),
            rows: self.y.len(),
            columns: 5,
        }
    }
}

fn candidate(kernel: &str, bias: &str, activation: &str, input: &str) -> Candidate {
    let mut layers = Vec::new();
    for (name, units, last) in [("fc1", 19, false), ("fc2", 7, false), ("fc3", 3, true)] {
        layers.push(Layer::new(
            name,
            Operation::Dense {
                units,
                kernel: kernel.parse().unwrap(),
                bias: Some(bias.parse().unwrap()),
                fold: None,
            },
        ));
        if !last {
            let quantizer = activation.parse().unwrap();
            let name = format!("{name}_out");
            layers.push(Layer::new(name, Operation::Activation { quantizer }));
        }
    }
    Candidate {
        input_shape: vec![5],
        input_quantizer: input.parse().unwrap(),
        layers,
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

fn six_bits() -> Candidate {
    candidate(
        "quantized_bits(6,1,alpha=1.0)",
        "quantized_bits(6,1,alpha=1.0)",
        "quantized_relu(6,2)",
        "quantized_bits(8,3,0,1,alpha=1.0)",
    )
}

fn recipe() -> Recipe {
    Recipe {
        epochs: 3,
        batch_size: 96,
        learning_rate: 0.02,
        schedule: Schedule::Cosine,
        ..Recipe::default()
    }
}

fn run(candidate: &Candidate, blobs: &Blobs, seed: u64) -> Trained {
    let samples = blobs.samples();
    let mut go_on = |_: &EpochReport| Control::Continue;
    train(
        candidate,
        &samples,
        &samples,
        &recipe(),
        seed,
        &mut go_on,
        &|| false,
    )
    .unwrap()
}

fn bits(trained: &Trained) -> Vec<u32> {
    let layers = trained.weights.layers.iter();
    let tensors = layers.flat_map(|layer| layer.parts.values());
    tensors.flatten().map(|v| v.to_bits()).collect()
}

#[test]
fn the_seed_decides_every_bit() {
    let blobs = Blobs::new(500);
    let first = run(&six_bits(), &blobs, 7);
    let again = run(&six_bits(), &blobs, 7);
    assert_eq!(bits(&first), bits(&again));
    assert_eq!(first.curve, again.curve);
    assert_ne!(bits(&first), bits(&run(&six_bits(), &blobs, 8)));
}

#[test]
fn every_level_gives_the_same_bits() {
    let blobs = Blobs::new(333);
    let samples = blobs.samples();
    let po2 = "quantized_po2(4)";
    let candidates = [
        six_bits(),
        candidate("float", "float", "relu", "float"),
        candidate(
            "ternary(alpha='auto_po2')",
            po2,
            "quantized_relu(4,2)",
            "binary(alpha=1.0)",
        ),
        candidate(
            "ternary()",
            "binary()",
            "binary()",
            "quantized_bits(4,1,alpha=1.0)",
        ),
    ];
    for candidate in &candidates {
        let recipe = recipe();
        let mut first: Option<(Vec<u32>, Vec<EpochReport>)> = None;
        for level in Level::ALL {
            let Some(kernels) = Kernels::at(level) else {
                continue;
            };
            let trainer = Trainer::new(candidate, &samples, &samples, &recipe, 3)
                .unwrap()
                .on(kernels);
            let trained = trainer.run(&mut |_| Control::Continue, &|| false).unwrap();
            let now = (bits(&trained), trained.curve);
            assert_eq!(
                first.get_or_insert_with(|| now.clone()),
                &now,
                "{}",
                level.name()
            );
        }
    }
}

/// A stored trial's weights must come out again after any change of the engine. When this fails, the
/// engine gives other bits than before: that is a new `ENGINE_VERSION`.
#[test]
fn the_bits_of_a_known_run() {
    let trained = run(&six_bits(), &Blobs::new(500), 7);
    known_bits::check("training-run", [bits(&trained)]);
}

#[test]
fn it_learns_in_every_family() {
    let blobs = Blobs::new(1500);
    let samples = blobs.samples();
    let recipe = Recipe {
        epochs: 25,
        ..recipe()
    };
    let input = "quantized_bits(8,3,0,1,alpha=1.0)";
    let bias = "quantized_bits(8,3,alpha=1.0)";
    let families = [
        ("float", "float", "relu", "float", 0.93),
        (
            "quantized_bits(6,1,alpha=1.0)",
            bias,
            "quantized_relu(6,2)",
            input,
            0.93,
        ),
        (
            "quantized_bits(4,1,1,alpha='auto_po2')",
            bias,
            "quantized_relu(4,2)",
            input,
            0.9,
        ),
        (
            "ternary(alpha='auto_po2')",
            bias,
            "quantized_relu(4,2)",
            input,
            0.9,
        ),
        (
            "binary(alpha='auto_po2')",
            bias,
            "quantized_relu(4,2)",
            input,
            0.85,
        ),
        (
            "quantized_po2(4)",
            bias,
            "quantized_relu_po2(4)",
            input,
            0.8,
        ),
    ];
    for (kernel, bias, activation, input, least) in families {
        let candidate = candidate(kernel, bias, activation, input);
        let mut go_on = |_: &EpochReport| Control::Continue;
        let trained = train(
            &candidate,
            &samples,
            &samples,
            &recipe,
            1,
            &mut go_on,
            &|| false,
        )
        .unwrap();
        let last = trained.curve.last().unwrap();
        assert!(last.validation_accuracy > least, "{kernel}: {last:?}");
        assert!(
            last.validation_loss < trained.curve[0].train_loss,
            "{kernel}"
        );
    }
}

#[test]
fn validation_is_the_networks_own_forward_pass() {
    let blobs = Blobs::new(500);
    let automatic = candidate(
        "ternary(alpha='auto_po2')",
        "quantized_bits(4,1,1,alpha='auto_po2')",
        "quantized_relu(4,2)",
        "quantized_bits(8,3,0,1,alpha=1.0)",
    );
    let float = candidate("float", "float", "relu", "float");
    for candidate in [six_bits(), automatic, float] {
        let trained = run(&candidate, &blobs, 4);
        let logits = forward(
            &candidate,
            &trained.weights,
            &blobs.x,
            ForwardPrecision::F32,
        );
        let (mut correct, mut loss) = (0, 0.0);
        for (row, label) in logits.chunks(3).zip(&blobs.y) {
            let best = (1..3).fold(0, |best, j| if row[j] > row[best] { j } else { best });
            correct += usize::from(best == usize::from(*label));
            let sum: f64 = row.iter().map(|z| (z - row[best]).exp()).sum();
            loss += sum.ln() + row[best] - row[usize::from(*label)];
        }
        let last = trained.curve.last().unwrap();
        assert!((last.validation_accuracy - correct as f64 / 500.0).abs() < 1e-12);
        assert!((f64::from(last.validation_loss) - loss / 500.0).abs() < 1e-5);
    }
}

#[test]
fn stop_and_cancel() {
    let blobs = Blobs::new(500);
    let (samples, candidate) = (blobs.samples(), six_bits());
    let mut stop = |report: &EpochReport| {
        if report.epoch == 2 {
            Control::Stop
        } else {
            Control::Continue
        }
    };
    let trained = train(
        &candidate,
        &samples,
        &samples,
        &recipe(),
        1,
        &mut stop,
        &|| false,
    )
    .unwrap();
    assert!(trained.stopped);
    assert_eq!(trained.curve.len(), 2);

    let asked = std::cell::Cell::new(0);
    let cancelled = || {
        asked.set(asked.get() + 1);
        asked.get() > 8
    };
    let mut go_on = |_: &EpochReport| Control::Continue;
    let error = train(
        &candidate,
        &samples,
        &samples,
        &recipe(),
        1,
        &mut go_on,
        &cancelled,
    )
    .unwrap_err();
    assert_eq!(error, TrainError::Cancelled { epoch: 2, step: 3 });
}

#[test]
fn divergence_names_epoch_step_and_layer() {
    let mut blobs = Blobs::new(300);
    for value in &mut blobs.x {
        *value *= 3e37;
    }
    let samples = blobs.samples();
    let candidate = candidate("float", "float", "relu", "float");
    let mut go_on = |_: &EpochReport| Control::Continue;
    let error = train(
        &candidate,
        &samples,
        &samples,
        &recipe(),
        1,
        &mut go_on,
        &|| false,
    )
    .unwrap_err();
    let TrainError::Diverged {
        epoch: 1,
        step,
        place,
    } = &error
    else {
        panic!("{error}")
    };
    assert!(*step <= 4 && place.starts_with("fc"), "{error}");
    assert!(error.to_string().contains("epoch 1, step"), "{error}");
}

#[test]
fn a_validation_loss_that_is_not_finite_ends_the_run() {
    let (learned, mut far) = (Blobs::new(300), Blobs::new(60));
    for value in &mut far.x {
        *value *= 1.7e38;
    }
    let (samples, far) = (learned.samples(), far.samples());
    let candidate = candidate("float", "float", "relu", "float");
    let mut epochs = 0;
    let mut count = |_: &EpochReport| {
        epochs += 1;
        Control::Continue
    };
    let error = train(
        &candidate,
        &samples,
        &far,
        &recipe(),
        1,
        &mut count,
        &|| false,
    )
    .unwrap_err();
    let TrainError::Diverged {
        epoch: 1, place, ..
    } = &error
    else {
        panic!("{error}")
    };
    assert!(place.ends_with(" on the validation rows"), "{error}");
    assert_eq!(epochs, 0);
}

#[test]
fn what_does_not_fit_is_named() {
    let blobs = Blobs::new(60);
    let good = blobs.samples();
    let text = |candidate: &Candidate, samples: &Samples<'_>, recipe: &Recipe| {
        let mut go_on = |_: &EpochReport| Control::Continue;
        let result = train(candidate, &good, samples, recipe, 1, &mut go_on, &|| false);
        result.unwrap_err().to_string()
    };
    let six = six_bits();
    let recipe = recipe();
    let wide = Samples { columns: 6, ..good };
    assert_eq!(
        text(&six, &wide, &recipe),
        "validation.columns: 6 columns; accepted: 5, the candidate's inputs"
    );
    let short = Samples {
        y: Targets::Classes(&blobs.y[..59]),
        ..good
    };
    assert_eq!(
        text(&six, &short, &recipe),
        "validation.y: 59 labels; accepted: 60, one a row"
    );
    let labels = vec![3; 60];
    let wrong = Samples {
        y: Targets::Classes(&labels),
        ..good
    };
    assert!(
        text(&six, &wrong, &recipe)
            .starts_with("validation.y: row 0 has label 3; accepted: 0 to 2")
    );
    let mut x = blobs.x.clone();
    x[7] = f32::INFINITY;
    let infinite = Samples { x: &x, ..good };
    assert!(text(&six, &infinite, &recipe).starts_with("validation.x: row 1, column 2 is inf"));
    let bad = Recipe {
        epochs: 0,
        learning_rate: -1.0,
        ..recipe.clone()
    };
    assert_eq!(
        text(&six, &good, &bad),
        "recipe: /epochs is 0; accepted: 1 to 100000; /learning_rate is -1; accepted: above 0 and at most 1"
    );
    let scaled = candidate("float", "float", "ternary(alpha='auto')", "float");
    assert!(
        text(&scaled, &good, &recipe)
            .contains("fc1_out: ternary(alpha='auto') has an automatic scale")
    );
}
