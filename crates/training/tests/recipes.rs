//! What the recipes' fields do in whole runs: learning, determinism, ends and choices.

#[path = "../../../testdata/known-bits/check.rs"]
mod known_bits;

use bitfront_kernel::{Kernels, Level};
use bitfront_network::{Candidate, Head, Layer, Operation, SCALE_BITS};
use bitfront_training::{
    Averaging, ClassWeights, Control, Distillation, EarlyStopping, EpochReport, Optimizer, Plateau,
    PruneBy, Pruning, Recipe, RecipeFault, Samples, Schedule, Sparsity, Targets, TrainError,
    Trained, Trainer,
};

/// Three noisy blobs in five features.
fn blobs(rows: usize) -> (Vec<f32>, Vec<u8>) {
    let mut state = 0x0f0f_3333_aaaa_0001_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let y: Vec<u8> = (0..rows).map(|row| (row % 3) as u8).collect();
    let x = y.iter().flat_map(|&class| {
        [0_u8, 1, 2, 3, 4].map(|at| if at == class { 1.0 } else { -0.3 } + 0.9 * noise())
    });
    (x.collect(), y)
}

fn candidate(kernel: &str) -> Candidate {
    let dense = |name, units| {
        let operation = Operation::Dense {
            units,
            kernel: kernel.parse().unwrap(),
            bias: Some("quantized_bits(8,3,alpha=1.0)".parse().unwrap()),
            fold: None,
        };
        Layer::new(name, operation)
    };
    let quantizer = "quantized_relu(6,2)".parse().unwrap();
    Candidate {
        input_shape: vec![5],
        input_quantizer: "quantized_bits(8,3,0,1,alpha=1.0)".parse().unwrap(),
        layers: vec![
            dense("fc1", 19),
            Layer::new("fc1_out", Operation::Activation { quantizer }),
            dense("fc2", 3),
        ],
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

const SIX: &str = "quantized_bits(6,1,alpha=1.0)";

fn base() -> Recipe {
    Recipe {
        epochs: 12,
        batch_size: 64,
        learning_rate: 0.02,
        ..Recipe::default()
    }
}

fn run_on(kernels: Kernels, recipe: &Recipe) -> Trained {
    let (x, y) = blobs(600);
    let samples = |rows: std::ops::Range<usize>| Samples {
        x: &x[rows.start * 5..rows.end * 5],
        y: Targets::Classes(&y[rows.clone()]),
        rows: rows.len(),
        columns: 5,
    };
    let candidate = candidate(SIX);
    let trainer = Trainer::new(&candidate, &samples(0..450), &samples(450..600), recipe, 5);
    let mut trainer = trainer.unwrap().on(kernels);
    if recipe.distillation.is_some() {
        trainer = trainer.taught_by(&opinions(&y[..450])).unwrap();
    }
    trainer.run(&mut |_| Control::Continue, &|| false).unwrap()
}

/// Logits of a teacher that knows the labels and mixes up the first class with the second.
fn opinions(labels: &[u8]) -> Vec<f32> {
    let logits = labels.iter().flat_map(|class| match class {
        0 => [3.0, 2.0, -1.0],
        1 => [2.0, 3.0, -1.0],
        _ => [0.0, 0.0, 4.0],
    });
    logits.collect()
}

fn run(recipe: &Recipe) -> Trained {
    run_on(Kernels::detect(), recipe)
}

fn kernels_of(trained: &Trained) -> Vec<f32> {
    let layers = trained.weights.layers.iter();
    let parts = layers.flat_map(|layer| &layer.parts);
    let kernels = parts.filter(|(part, _)| **part == bitfront_network::Part::Kernel);
    kernels.flat_map(|(_, values)| values.clone()).collect()
}

fn sgd(momentum: f32, nesterov: bool) -> Recipe {
    Recipe {
        optimizer: Optimizer::Sgd { momentum, nesterov },
        learning_rate: 0.1,
        ..base()
    }
}

fn all() -> Vec<Recipe> {
    let plateau = Plateau {
        patience: 1,
        min_delta: 0.01,
        ..Plateau::default()
    };
    let optimizer = Optimizer::AdamW { weight_decay: 0.01 };
    let step = Schedule::Step {
        every: 4,
        factor: 0.5,
    };
    let warm = Schedule::WarmCosine {
        warmup_steps: 10,
        floor: 0.1,
    };
    vec![
        sgd(0.0, false),
        sgd(0.9, false),
        Recipe {
            clip_norm: Some(0.5),
            schedule: step,
            ..sgd(0.9, true)
        },
        Recipe {
            label_smoothing: 0.1,
            ..base()
        },
        Recipe {
            optimizer,
            schedule: warm,
            ..base()
        },
        Recipe {
            schedule: Schedule::Plateau(plateau),
            l1: 1e-4,
            l2: 1e-4,
            best_epoch: true,
            early_stopping: Some(EarlyStopping {
                patience: 3,
                min_delta: 0.0,
            }),
            ..base()
        },
        Recipe {
            class_weights: Some(ClassWeights::Each(vec![1.0, 2.0, 0.5])),
            ..base()
        },
        Recipe {
            distillation: Some(Distillation {
                temperature: 3.0,
                weight: 0.7,
            }),
            ..base()
        },
        Recipe {
            averaging: Some(Averaging::Ema { decay: 0.9 }),
            ..base()
        },
        Recipe {
            averaging: Some(Averaging::Swa { start_epoch: 2 }),
            best_epoch: true,
            ..base()
        },
        Recipe {
            pruning: Some(Pruning {
                schedule: Sparsity::Polynomial {
                    initial_sparsity: 0.0,
                    final_sparsity: 0.5,
                    begin_step: 2,
                    end_step: 20,
                    power: 3.0,
                    frequency: 4,
                },
                by: PruneBy::Weight,
            }),
            ..base()
        },
        Recipe {
            pruning: Some(Pruning {
                schedule: Sparsity::Constant {
                    sparsity: 0.25,
                    begin_step: 10,
                },
                by: PruneBy::OutputChannel,
            }),
            ..base()
        },
    ]
}

fn bits(trained: &Trained) -> (Vec<u32>, Vec<EpochReport>) {
    let layers = trained.weights.layers.iter();
    let values = layers.flat_map(|layer| layer.parts.values().flatten());
    (values.map(|v| v.to_bits()).collect(), trained.curve.clone())
}

#[test]
fn every_recipe_learns_and_no_two_are_the_same() {
    let mut seen = vec![bits(&run(&base()))];
    for recipe in all() {
        let trained = run(&recipe);
        let last = trained.curve.last().unwrap();
        assert!(last.validation_accuracy > 0.85, "{recipe:?}: {last:?}");
        let now = bits(&trained);
        assert!(!seen.contains(&now), "{recipe:?}");
        seen.push(now);
    }
}

#[test]
fn every_level_gives_the_same_bits() {
    for recipe in all() {
        let recipe = Recipe {
            epochs: 3,
            ..recipe
        };
        let levels = Level::ALL.into_iter().filter_map(Kernels::at);
        let mut results = levels.map(|kernels| bits(&run_on(kernels, &recipe)));
        let first = results.next().unwrap();
        for other in results {
            assert!(first == other, "{recipe:?}");
        }
    }
}

/// As `the_bits_of_a_known_run` of `training.rs`, for every recipe here.
#[test]
fn the_bits_of_known_recipes() {
    let short = |recipe| Recipe {
        epochs: 3,
        ..recipe
    };
    let cases = all().into_iter().map(|recipe| bits(&run(&short(recipe))).0);
    known_bits::check("training-recipes", cases);
}

#[test]
fn a_clip_that_no_gradient_reaches_changes_nothing_and_a_short_one_bounds_the_step() {
    let clipped = |norm| {
        run(&Recipe {
            clip_norm: Some(norm),
            epochs: 1,
            batch_size: 450,
            ..sgd(0.0, false)
        })
    };
    let free = run(&Recipe {
        epochs: 1,
        batch_size: 450,
        ..sgd(0.0, false)
    });
    let still = run(&Recipe {
        learning_rate: 1e-30,
        epochs: 1,
        batch_size: 450,
        ..sgd(0.0, false)
    });
    assert_eq!(bits(&clipped(1e6)), bits(&free));
    let moved = |trained: &Trained| {
        let layers = |t: &Trained| -> Vec<f32> {
            let layers = t.weights.layers.iter();
            layers
                .flat_map(|l| l.parts.values().flatten().copied())
                .collect()
        };
        let pairs = layers(trained).into_iter().zip(layers(&still));
        let squares = pairs.map(|(a, b)| (f64::from(a) - f64::from(b)).powi(2));
        squares.sum::<f64>().sqrt()
    };
    // One step at 0.1 along a gradient of length 0.125.
    let length = moved(&clipped(0.125));
    assert!((length - 0.0125).abs() < 1e-6, "{length}");
    assert!(moved(&free) > 0.0125);
}

#[test]
fn penalties_and_decay_make_kernels_small() {
    let size = |recipe: &Recipe| -> f32 { kernels_of(&run(recipe)).iter().map(|w| w.abs()).sum() };
    let free = size(&base());
    let optimizer = Optimizer::AdamW { weight_decay: 0.5 };
    for recipe in [
        Recipe { l1: 0.02, ..base() },
        Recipe { l2: 0.02, ..base() },
        Recipe {
            optimizer,
            ..base()
        },
    ] {
        let small = size(&recipe);
        assert!(small < 0.8 * free, "{recipe:?}: {small} of {free}");
    }
}

#[test]
fn the_best_epochs_weights_come_back() {
    // Too fast on purpose: the validation loss goes up and down.
    let wild = Recipe {
        learning_rate: 0.3,
        schedule: Schedule::Constant,
        best_epoch: true,
        ..base()
    };
    let best = run(&wild);
    let losses: Vec<f32> = best.curve.iter().map(|r| r.validation_loss).collect();
    let lowest = losses.iter().copied().fold(f32::INFINITY, f32::min);
    let at = losses.iter().position(|loss| *loss == lowest).unwrap();
    assert!(at + 1 < losses.len(), "{losses:?}");
    let until = run(&Recipe {
        epochs: at as u32 + 1,
        best_epoch: false,
        ..wild.clone()
    });
    assert_eq!(bits(&best).0, bits(&until).0);
}

#[test]
fn a_run_that_stops_falling_ends_early_and_is_not_called_stopped() {
    let stopping = EarlyStopping {
        patience: 2,
        min_delta: 10.0,
    };
    let trained = run(&Recipe {
        early_stopping: Some(stopping),
        ..base()
    });
    assert_eq!(trained.curve.len(), 3);
    assert!(!trained.stopped);
}

#[test]
fn a_plateau_reduces_the_rate_between_epochs() {
    let plateau = Plateau {
        factor: 0.5,
        patience: 2,
        min_delta: 10.0,
        cooldown: 0,
        min_rate: 0.006,
    };
    let trained = run(&Recipe {
        schedule: Schedule::Plateau(plateau),
        epochs: 8,
        ..base()
    });
    let rates: Vec<f32> = trained.curve.iter().map(|r| r.learning_rate).collect();
    assert_eq!(rates, [0.02, 0.02, 0.02, 0.01, 0.01, 0.006, 0.006, 0.006]);
}

/// How many of the validation rows each class has rightly, by a network that was trained on few rows of
/// the last class.
fn recalls(class_weights: Option<ClassWeights>) -> [f64; 3] {
    let (x, y) = blobs(3000);
    let rare = |row: &usize| y[*row] != 2 || row % 90 == 2;
    let rows: Vec<usize> = (0..1500).filter(rare).collect();
    let few_x: Vec<f32> = rows
        .iter()
        .flat_map(|row| &x[row * 5..][..5])
        .copied()
        .collect();
    let few_y: Vec<u8> = rows.iter().map(|row| y[*row]).collect();
    let samples = |x, y, rows| Samples {
        x,
        y: Targets::Classes(y),
        rows,
        columns: 5,
    };
    let train = samples(&few_x, &few_y, few_y.len());
    let rest = samples(&x[7500..], &y[1500..], 1500);
    let recipe = Recipe {
        class_weights,
        ..base()
    };
    let candidate = candidate(SIX);
    let trainer = Trainer::new(&candidate, &train, &rest, &recipe, 5).unwrap();
    let trained = trainer.run(&mut |_| Control::Continue, &|| false).unwrap();
    let precision = bitfront_network::ForwardPrecision::F32;
    let logits = bitfront_network::forward(&candidate, &trained.weights, rest.x, precision);
    let mut right = [0.0; 3];
    for (logits, class) in logits.chunks(3).zip(&y[1500..]) {
        let class = usize::from(*class);
        if (0..3).all(|other| other == class || logits[class] > logits[other]) {
            right[class] += 1.0 / 500.0;
        }
    }
    right
}

#[test]
fn a_rare_class_is_found_more_often_where_classes_are_balanced() {
    let (plain, balanced) = (recalls(None), recalls(Some(ClassWeights::Balanced)));
    assert!(balanced[2] > plain[2] + 0.02, "{plain:?} {balanced:?}");
}

#[test]
fn balanced_classes_of_equal_size_change_next_to_nothing() {
    let balanced = run(&Recipe {
        class_weights: Some(ClassWeights::Balanced),
        epochs: 2,
        ..base()
    });
    let plain = run(&Recipe {
        epochs: 2,
        ..base()
    });
    for (a, b) in balanced.curve.iter().zip(&plain.curve) {
        assert!((a.train_loss - b.train_loss).abs() < 1e-5, "{a:?} {b:?}");
    }
}

#[test]
fn a_teacher_alone_teaches_what_it_mixes_up() {
    let taught = run(&Recipe {
        distillation: Some(Distillation {
            temperature: 1.0,
            weight: 1.0,
        }),
        ..base()
    });
    let plain = run(&base());
    // The teacher is never surer of the first two classes than e : 1, so labels cost more.
    let last = |trained: &Trained| trained.curve.last().unwrap().clone();
    let (taught, plain) = (last(&taught), last(&plain));
    assert!(taught.validation_accuracy > 0.85, "{taught:?}");
    let (taught, plain) = (taught.validation_loss, plain.validation_loss);
    assert!(taught > plain + 0.1, "{taught} {plain}");
}

#[test]
fn what_does_not_fit_the_head_or_the_run_is_refused() {
    let (x, y) = blobs(30);
    let samples = Samples {
        x: &x,
        y: Targets::Classes(&y),
        rows: 30,
        columns: 5,
    };
    let recipe = Recipe {
        class_weights: Some(ClassWeights::Each(vec![1.0, 2.0])),
        ..base()
    };
    let candidate = candidate(SIX);
    let faults = |candidate: &Candidate, samples: &Samples<'_>, recipe: &Recipe| match Trainer::new(
        candidate, samples, samples, recipe, 5,
    )
    .err()
    {
        Some(TrainError::Recipe(faults)) => faults,
        other => panic!("{other:?}"),
    };
    let found = faults(&candidate, &samples, &recipe);
    let expected = RecipeFault {
        pointer: "/class_weights",
        value: "2 numbers".to_owned(),
        accepted: "3, one a class".into(),
    };
    assert_eq!(found, [expected]);
    let mut linear = candidate.clone();
    linear.head = Head::Linear;
    let values = vec![0.0; 90];
    let regression = Samples {
        y: Targets::Values(&values),
        ..samples
    };
    let recipe = Recipe {
        distillation: Some(Distillation {
            temperature: 2.0,
            weight: 0.5,
        }),
        label_smoothing: 0.1,
        ..recipe
    };
    let found = faults(&linear, &regression, &recipe);
    let pointers: Vec<_> = found.iter().map(|fault| fault.pointer).collect();
    assert_eq!(
        pointers,
        ["/class_weights", "/label_smoothing", "/distillation"]
    );
    // Two epochs of a step.
    let warm = |warmup_steps| Recipe {
        epochs: 2,
        schedule: Schedule::WarmCosine {
            warmup_steps,
            floor: 0.0,
        },
        ..base()
    };
    Trainer::new(&candidate, &samples, &samples, &warm(1), 5).unwrap();
    let found = faults(&candidate, &samples, &warm(2));
    let expected = RecipeFault {
        pointer: "/schedule/warm_cosine/warmup_steps",
        value: "2".to_owned(),
        accepted: "0 to 1, fewer than the steps of the run".into(),
    };
    assert_eq!(found, [expected]);
}

#[test]
fn a_teacher_fits_the_rows_and_the_recipe() {
    let (x, y) = blobs(30);
    let samples = Samples {
        x: &x,
        y: Targets::Classes(&y),
        rows: 30,
        columns: 5,
    };
    let candidate = candidate(SIX);
    let (plain, recipe) = (
        base(),
        Recipe {
            distillation: Some(Distillation {
                temperature: 2.0,
                weight: 0.5,
            }),
            ..base()
        },
    );
    let trainer = |recipe| Trainer::new(&candidate, &samples, &samples, recipe, 5).unwrap();
    let error = |result: Result<Trainer<'_>, TrainError>| result.err().unwrap().to_string();
    let text = error(trainer(&plain).taught_by(&[0.0; 90]));
    assert!(text.contains("the recipe has no distillation"), "{text}");
    let text = error(trainer(&recipe).taught_by(&[0.0; 89]));
    assert!(text.contains("89 logits; accepted: 30 x 3"), "{text}");
    let mut bad = [0.0; 90];
    bad[4] = f32::NAN;
    let text = error(trainer(&recipe).taught_by(&bad));
    assert!(text.contains("row 1 has the logit NaN"), "{text}");
    let alone = trainer(&recipe).run(&mut |_| Control::Continue, &|| false);
    let text = alone.unwrap_err().to_string();
    assert!(text.contains("there are no logits"), "{text}");
}

/// Weights in the order of layers and parts.
fn values_of(trained: &Trained) -> Vec<f32> {
    let layers = trained.weights.layers.iter();
    layers
        .flat_map(|layer| layer.parts.values().flatten().copied())
        .collect()
}

/// A recipe at a fixed rate, so that runs of few epochs are the beginnings of longer ones.
fn steady(epochs: u32, averaging: Option<Averaging>) -> Recipe {
    Recipe {
        schedule: Schedule::Constant,
        epochs,
        averaging,
        ..base()
    }
}

#[test]
fn swa_is_the_mean_of_the_epochs_weights() {
    let ends: Vec<Vec<f32>> = (1..=5).map(|n| values_of(&run(&steady(n, None)))).collect();
    let swa = run(&steady(5, Some(Averaging::Swa { start_epoch: 3 })));
    for (at, value) in values_of(&swa).into_iter().enumerate() {
        let late = ends[2..].iter().map(|weights| f64::from(weights[at]));
        let mean = late.sum::<f64>() / 3.0;
        assert!((f64::from(value) - mean).abs() < 1e-7, "{value} {mean}");
    }
    // Before the first epoch that counts, the curve is that of the weights themselves.
    let plain = run(&steady(5, None));
    assert_eq!(swa.curve[..2], plain.curve[..2]);
    let losses = |trained: &Trained| trained.curve[4].validation_loss;
    assert!(losses(&swa) != losses(&plain));
}

#[test]
fn ema_is_kerass_recursion_over_the_steps() {
    // One step an epoch: the whole train part is a batch.
    let whole = |epochs, averaging| Recipe {
        batch_size: 450,
        ..steady(epochs, averaging)
    };
    let mut expected: Vec<f64> = Vec::new();
    for epochs in 1..=6 {
        let weights = values_of(&run(&whole(epochs, None)));
        let now = weights.iter().map(|w| f64::from(*w));
        if expected.is_empty() {
            expected = now.collect();
        } else {
            let pairs = expected.iter().zip(now);
            expected = pairs
                .map(|(average, w)| 0.75 * average + 0.25 * w)
                .collect();
        }
    }
    let ema = run(&whole(6, Some(Averaging::Ema { decay: 0.75 })));
    for (value, expected) in values_of(&ema).into_iter().zip(expected) {
        let off = (f64::from(value) - expected).abs();
        assert!(off < 1e-7, "{value} {expected}");
    }
    // What was evaluated is what came back.
    let still = Recipe {
        learning_rate: 1e-30,
        epochs: 1,
        ..base()
    };
    let (x, y) = blobs(600);
    let samples = |rows: std::ops::Range<usize>| Samples {
        x: &x[rows.start * 5..rows.end * 5],
        y: Targets::Classes(&y[rows.clone()]),
        rows: rows.len(),
        columns: 5,
    };
    let candidate = candidate(SIX);
    let trainer = Trainer::new(&candidate, &samples(0..450), &samples(450..600), &still, 5);
    let trainer = trainer.unwrap().starting_from(ema.weights).unwrap();
    let again = trainer.run(&mut |_| Control::Continue, &|| false).unwrap();
    let loss = ema.curve.last().unwrap().validation_loss;
    assert_eq!(again.curve[0].validation_loss, loss);
}

#[test]
fn no_average_changes_how_weights_go_on() {
    let plain = run(&base());
    for averaging in [
        Averaging::Ema { decay: 0.5 },
        Averaging::Swa { start_epoch: 1 },
    ] {
        let averaged = run(&Recipe {
            averaging: Some(averaging),
            ..base()
        });
        let losses = |t: &Trained| t.curve.iter().map(|r| r.train_loss).collect::<Vec<_>>();
        assert_eq!(losses(&averaged), losses(&plain), "{averaging:?}");
    }
}

#[test]
fn nothing_ends_or_is_chosen_before_averages_begin() {
    let early = EarlyStopping {
        patience: 1,
        // No loss is ever so much lower than the first that is looked at.
        min_delta: 100.0,
    };
    let recipe = Recipe {
        early_stopping: Some(early),
        best_epoch: true,
        ..steady(9, Some(Averaging::Swa { start_epoch: 5 }))
    };
    let trained = run(&recipe);
    assert_eq!(trained.curve.len(), 6);
    let late = trained.curve[4..]
        .iter()
        .map(|report| report.validation_loss);
    let best = late.clone().fold(f32::INFINITY, f32::min);
    let epochs = 5 + late.take_while(|loss| *loss > best).count() as u32;
    let chosen = run(&steady(epochs, Some(Averaging::Swa { start_epoch: 5 })));
    assert_eq!(values_of(&trained), values_of(&chosen));
}
