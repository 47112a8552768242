//! What pruning does to whole runs: shares, zeros that stay, ends, layers of every kind, refusals.

use bitfront_network::{
    Candidate, Fold, Head, Layer, Operation, Padding, Part, SCALE_BITS, Weights, Window,
};
use bitfront_training::{
    Averaging, Control, EarlyStopping, Optimizer, PruneBy, Pruning, Recipe, Samples, Sparsity,
    Targets, TrainError, Trained, Trainer,
};

const ROWS: usize = 320;
const BATCH: usize = 32;
const SIX: &str = "quantized_bits(6,1,alpha=1.0)";

/// Steps of an epoch.
const STEPS: u64 = (ROWS / BATCH) as u64;

fn network(shape: &[usize], operations: Vec<(&str, Operation)>) -> Candidate {
    let layers = operations.into_iter();
    Candidate {
        input_shape: shape.to_vec(),
        input_quantizer: "quantized_bits(8,3,0,1,alpha=1.0)".parse().unwrap(),
        layers: layers
            .map(|(name, operation)| Layer::new(name, operation))
            .collect(),
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

fn dense(units: usize, kernel: &str, fold: bool) -> Operation {
    Operation::Dense {
        units,
        kernel: kernel.parse().unwrap(),
        bias: Some(SIX.parse().unwrap()),
        fold: fold.then_some(Fold {
            epsilon: 1e-3,
            momentum: 0.9,
        }),
    }
}

fn relu() -> Operation {
    Operation::Activation {
        quantizer: "quantized_relu(6,2)".parse().unwrap(),
    }
}

fn mlp(kernel: &str, fold: bool) -> Candidate {
    let layers = vec![
        ("fc1", dense(16, kernel, fold)),
        ("relu1", relu()),
        ("fc2", dense(10, kernel, false)),
        ("relu2", relu()),
        ("output", dense(3, kernel, false)),
    ];
    network(&[36], layers)
}

/// A network with every layer that has a kernel.
fn image() -> Candidate {
    let window = Window {
        size: vec![3; 2],
        strides: vec![1; 2],
        dilation: vec![1; 2],
        padding: Padding::Same,
    };
    let (kernel, bias) = (SIX.parse().unwrap(), Some(SIX.parse().unwrap()));
    let fold = None;
    let conv = Operation::Conv {
        filters: 4,
        window: window.clone(),
        kernel,
        bias,
        fold,
    };
    let depthwise = Operation::DepthwiseConv {
        multiplier: 2,
        window: window.clone(),
        kernel,
        bias,
        fold,
    };
    let separable = Operation::SeparableConv {
        filters: 6,
        multiplier: 1,
        window,
        depthwise_kernel: kernel,
        pointwise_kernel: kernel,
        bias,
    };
    let layers = vec![
        ("conv", conv),
        ("relu1", relu()),
        ("depthwise", depthwise),
        ("relu2", relu()),
        ("separable", separable),
        ("relu3", relu()),
        ("flat", Operation::Flatten),
        ("output", dense(3, SIX, false)),
    ];
    network(&[6, 6, 1], layers)
}

fn polynomial(final_sparsity: f64, begin_step: u64, end_step: u64) -> Sparsity {
    Sparsity::Polynomial {
        initial_sparsity: 0.0,
        final_sparsity,
        begin_step,
        end_step,
        power: 3.0,
        frequency: 5,
    }
}

fn recipe(schedule: Sparsity, by: PruneBy) -> Recipe {
    Recipe {
        epochs: 6,
        batch_size: BATCH,
        learning_rate: 0.01,
        pruning: Some(Pruning { schedule, by }),
        ..Recipe::default()
    }
}

fn data(columns: usize) -> (Vec<f32>, Vec<u8>) {
    let mut state = 0x0f0f_3333_aaaa_0001_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let y: Vec<u8> = (0..ROWS).map(|row| (row % 3) as u8).collect();
    let mut x = Vec::with_capacity(ROWS * columns);
    for class in &y {
        for at in 0..columns {
            let mean = if at % 3 == usize::from(*class) {
                0.6
            } else {
                -0.2
            };
            x.push(mean + 0.8 * noise());
        }
    }
    (x, y)
}

fn try_run(candidate: &Candidate, recipe: &Recipe) -> Result<Trained, TrainError> {
    let (x, y) = data(candidate.inputs());
    let samples = Samples {
        x: &x,
        y: Targets::Classes(&y),
        rows: ROWS,
        columns: candidate.inputs(),
    };
    let trainer = Trainer::new(candidate, &samples, &samples, recipe, 3)?;
    trainer.run(&mut |_| Control::Continue, &|| false)
}

fn run(candidate: &Candidate, recipe: &Recipe) -> Weights {
    try_run(candidate, recipe).unwrap().weights
}

/// Kernels with their layers' names and their last axis.
fn kernels(candidate: &Candidate, weights: &Weights) -> Vec<(String, Vec<f32>, usize)> {
    let specs = candidate.tensors().into_iter();
    let kernels = specs.filter(|spec| {
        matches!(
            spec.part,
            Part::Kernel | Part::DepthwiseKernel | Part::PointwiseKernel
        )
    });
    kernels
        .map(|spec| {
            let name = format!("{}.{}", candidate.layers[spec.layer].name, spec.part);
            let values = weights.part(spec.layer, spec.part).to_vec();
            (name, values, *spec.shape.last().unwrap())
        })
        .collect()
}

fn zeros(values: &[f32]) -> usize {
    values.iter().filter(|w| **w == 0.0).count()
}

#[test]
fn every_kernel_ends_with_the_asked_share_of_zeros() {
    let all = [mlp(SIX, false), mlp(SIX, true), image()];
    for candidate in all {
        let recipe = recipe(polynomial(0.625, 3, 37), PruneBy::Weight);
        let plain = Recipe {
            pruning: None,
            ..recipe.clone()
        };
        let free = run(&candidate, &plain);
        for (name, values, _) in kernels(&candidate, &free) {
            assert_eq!(zeros(&values), 0, "{name} without pruning");
        }
        let pruned = run(&candidate, &recipe);
        for (name, values, _) in kernels(&candidate, &pruned) {
            let kept = (values.len() as f64 * 0.375).round_ties_even() as usize;
            assert_eq!(values.len() - zeros(&values), kept, "{name}");
        }
    }
}

#[test]
fn automatic_scales_and_ternary_kernels_are_pruned_too() {
    for kernel in [
        "quantized_bits(4,0,alpha='auto_po2')",
        "quantized_bits(4,0,alpha='auto')",
        "ternary(alpha='auto')",
        "float",
    ] {
        for by in [PruneBy::Weight, PruneBy::OutputChannel] {
            let candidate = mlp(kernel, false);
            let trained = try_run(&candidate, &recipe(polynomial(0.5, 0, 20), by)).unwrap();
            let kernels = kernels(&candidate, &trained.weights);
            for (name, values, _) in &kernels[..2] {
                assert_eq!(2 * zeros(values), values.len(), "{kernel}, {name}");
            }
        }
    }
}

#[test]
fn channels_are_pruned_whole_and_the_outputs_are_left() {
    let candidate = image();
    let constant = Sparsity::Constant {
        sparsity: 0.5,
        begin_step: 12,
    };
    let weights = run(&candidate, &recipe(constant, PruneBy::OutputChannel));
    for (name, values, columns) in kernels(&candidate, &weights) {
        if name == "output.kernel" {
            assert_eq!(zeros(&values), 0);
            continue;
        }
        // A depthwise kernel's channels are those of a tap.
        let channels = match name.as_str() {
            "depthwise.depthwise_kernel" | "depthwise.kernel" => 4 * columns,
            "separable.depthwise_kernel" => 8,
            _ => columns,
        };
        let whole = |channel: &usize| {
            let mut own = values.iter().skip(*channel).step_by(channels);
            own.all(|w| *w == 0.0)
        };
        let gone = (0..channels).filter(whole).count();
        assert_eq!(gone, channels / 2, "{name}");
        assert_eq!(2 * zeros(&values), values.len(), "{name}");
    }
    let weights = run(&candidate, &recipe(constant, PruneBy::InputChannel));
    for (name, values, columns) in kernels(&candidate, &weights) {
        // One input channel at least is kept.
        let inputs = match name.as_str() {
            "conv.kernel" => 1,
            "depthwise.depthwise_kernel" | "depthwise.kernel" => 4,
            "separable.depthwise_kernel" | "separable.pointwise_kernel" => 8,
            _ => values.len() / columns,
        };
        let kept = if inputs == 1 { 1 } else { inputs / 2 };
        assert_eq!(
            zeros(&values) * inputs,
            values.len() * (inputs - kept),
            "{name}"
        );
    }
}

#[test]
fn what_is_pruned_stays_zero_whatever_moves_weights() {
    let schedule = Sparsity::Constant {
        sparsity: 0.5,
        begin_step: 25,
    };
    let base = recipe(schedule, PruneBy::Weight);
    let sgd = Optimizer::Sgd {
        momentum: 0.9,
        nesterov: true,
    };
    let rules = [
        base.clone(),
        Recipe {
            optimizer: sgd,
            ..base.clone()
        },
        Recipe {
            optimizer: Optimizer::AdamW { weight_decay: 0.1 },
            clip_norm: Some(0.1),
            l1: 1e-3,
            l2: 1e-3,
            ..base.clone()
        },
        // The average has values from before.
        Recipe {
            averaging: Some(Averaging::Ema { decay: 0.9 }),
            ..base.clone()
        },
        Recipe {
            averaging: Some(Averaging::Swa { start_epoch: 1 }),
            best_epoch: true,
            ..base
        },
    ];
    for fold in [false, true] {
        let candidate = mlp(SIX, fold);
        for recipe in &rules {
            let weights = run(&candidate, recipe);
            for (name, values, _) in kernels(&candidate, &weights) {
                assert_eq!(2 * zeros(&values), values.len(), "{recipe:?}: {name}");
            }
        }
    }
}

#[test]
fn no_epoch_counts_before_pruning_has_ended() {
    let candidate = mlp(SIX, false);
    // Pruned to almost nothing in the fifth epoch: earlier ones are better.
    let schedule = Sparsity::Constant {
        sparsity: 0.98,
        begin_step: 4 * STEPS,
    };
    let best = Recipe {
        best_epoch: true,
        early_stopping: Some(EarlyStopping {
            patience: 1,
            min_delta: 10.0,
        }),
        ..recipe(schedule, PruneBy::Weight)
    };
    let trained = try_run(&candidate, &best).unwrap();
    let losses: Vec<f32> = trained.curve.iter().map(|e| e.validation_loss).collect();
    // The fifth epoch is the first that counts, and the sixth does not improve on it.
    assert_eq!(losses.len(), 6, "{losses:?}");
    assert!(losses[3] < losses[4] && losses[3] < losses[5], "{losses:?}");
    for (name, values, _) in kernels(&candidate, &trained.weights) {
        assert!(50 * zeros(&values) >= 48 * values.len(), "{name}");
    }
}

#[test]
fn a_schedule_that_outlasts_the_run_is_refused_by_name() {
    let candidate = mlp(SIX, false);
    let end = 6 * STEPS;
    for (schedule, pointer) in [
        (
            polynomial(0.5, 0, end),
            "/pruning/schedule/polynomial/end_step",
        ),
        (
            Sparsity::Constant {
                sparsity: 0.5,
                begin_step: end,
            },
            "/pruning/schedule/constant/begin_step",
        ),
    ] {
        let error = try_run(&candidate, &recipe(schedule, PruneBy::Weight)).unwrap_err();
        let expected = format!("recipe: {pointer} is 60; accepted: 0 to 59, a step of the run");
        assert_eq!(error.to_string(), expected);
    }
    try_run(
        &candidate,
        &recipe(polynomial(0.5, 0, end - 1), PruneBy::Weight),
    )
    .unwrap();
}

#[test]
fn quantizers_without_zero_are_refused_by_layer() {
    let mut candidate = mlp(SIX, false);
    if let Operation::Dense { kernel, .. } = &mut candidate.layers[2].operation {
        *kernel = "binary(alpha=1.0)".parse().unwrap();
    }
    let pruned = recipe(polynomial(0.5, 0, 9), PruneBy::Weight);
    let error = try_run(&candidate, &pruned).unwrap_err().to_string();
    let expected = "fc2.kernel: binary(alpha=1.0) has no 0 for pruned weights; accepted: with \
                    pruning, a quantizer that keeps 0, as quantized_bits of 2 bits and more or \
                    ternary do";
    assert_eq!(error, expected);
    let plain = Recipe {
        pruning: None,
        ..pruned
    };
    try_run(&candidate, &plain).unwrap();
}
