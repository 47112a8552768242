//! No step but the first allocates: runs of few and of many steps allocate equally often, and no more
//! bytes at a time than is said before.
//!
//! The global allocator of this test counts by thread, so that engines on several threads are counted
//! apart.

use std::thread;

use allocation_counter::{AllocationInfo, measure};
use bitfront_network::{Candidate, Fold, Head, Layer, Operation, Padding, SCALE_BITS, Window};
use bitfront_training::{
    Averaging, ClassWeights, Control, Distillation, EarlyStopping, Optimizer, Plateau, PruneBy,
    Pruning, Recipe, Samples, Schedule, Sparsity, Targets, Trainer, training_bytes,
};

const BATCH: usize = 32;
const FEW: usize = 2 * BATCH;
const MANY: usize = 20 * BATCH;

fn dense(units: usize, kernel: &str, bias: &str) -> Operation {
    Operation::Dense {
        units,
        kernel: kernel.parse().unwrap(),
        bias: Some(bias.parse().unwrap()),
        fold: None,
    }
}

fn activation(quantizer: &str) -> Operation {
    Operation::Activation {
        quantizer: quantizer.parse().unwrap(),
    }
}

fn folded(mut operation: Operation) -> Operation {
    if let Operation::Dense { fold, .. } | Operation::Conv { fold, .. } = &mut operation {
        *fold = Some(Fold {
            epsilon: 1e-3,
            momentum: 0.9,
        });
    }
    operation
}

fn window(size: usize) -> Window {
    Window {
        size: vec![size; 2],
        strides: vec![1; 2],
        dilation: vec![1; 2],
        padding: Padding::Same,
    }
}

fn network(input_shape: &[usize], head: Head, operations: Vec<Operation>) -> Candidate {
    let layers = operations.into_iter().enumerate();
    Candidate {
        input_shape: input_shape.to_vec(),
        input_quantizer: "quantized_bits(8,3,0,1,alpha=1.0)".parse().unwrap(),
        layers: layers
            .map(|(at, operation)| Layer::new(format!("l{at}"), operation))
            .collect(),
        head,
        scale_bits: SCALE_BITS,
    }
}

/// A dense network whose tensors all have these quantizers.
fn stack(kernel: &str, bias: &str, between: &str) -> Candidate {
    let layers = vec![
        dense(9, kernel, bias),
        activation(between),
        Operation::Dropout { rate: 0.2 },
        dense(3, kernel, bias),
    ];
    network(&[5], Head::ARG_MAX, layers)
}

fn normalisation() -> Operation {
    Operation::BatchNorm {
        epsilon: 1e-3,
        momentum: 0.9,
        scale_bits: 8,
        offset_bits: 8,
    }
}

/// A network of images with every layer that has positions.
fn image() -> Candidate {
    let kernel = "quantized_bits(6,1,alpha='auto_po2')";
    let bias = "quantized_bits(6,1,alpha=1.0)";
    let (parsed, fine) = (kernel.parse().unwrap(), bias.parse().unwrap());
    let conv = Operation::Conv {
        filters: 4,
        window: window(3),
        kernel: parsed,
        bias: Some(fine),
        fold: None,
    };
    let depthwise = Operation::DepthwiseConv {
        multiplier: 2,
        window: window(3),
        kernel: "stochastic_ternary(alpha='auto')".parse().unwrap(),
        bias: None,
        fold: None,
    };
    let separable = Operation::SeparableConv {
        filters: 4,
        multiplier: 1,
        window: window(3),
        depthwise_kernel: parsed,
        pointwise_kernel: "ternary()".parse().unwrap(),
        bias: Some(fine),
    };
    let mean = Operation::AveragePool {
        window: window(2),
        reciprocal_bits: 8,
    };
    let layers = vec![
        Operation::ZeroPadding {
            border: vec![[1, 0], [0, 1]],
        },
        folded(conv),
        activation("quantized_relu(4,2)"),
        depthwise,
        normalisation(),
        activation("quantized_tanh(4)"),
        Operation::MaxPool { window: window(2) },
        separable,
        mean,
        Operation::Flatten,
        dense(3, kernel, bias),
    ];
    network(&[6, 6, 1], Head::ARG_MAX, layers)
}

/// What a run over `rows` rows allocates on this thread.
fn allocated(candidate: &Candidate, recipe: &Recipe, rows: usize) -> AllocationInfo {
    let columns = candidate.inputs();
    let x: Vec<f32> = (0..rows * columns)
        .map(|i| (i * 37 % 101) as f32 / 25.0 - 2.0)
        .collect();
    let classes: Vec<u8> = (0..rows).map(|row| (row % 3) as u8).collect();
    let values = vec![0.5; rows * candidate.outputs()];
    let y = match candidate.head {
        Head::Linear => Targets::Values(&values),
        _ => Targets::Classes(&classes),
    };
    let samples = Samples {
        x: &x,
        y,
        rows,
        columns,
    };
    // Equally many rows to validate in every run.
    let validation = Samples {
        x: &x[..BATCH * columns],
        y: match y {
            Targets::Classes(classes) => Targets::Classes(&classes[..BATCH]),
            Targets::Values(values) => Targets::Values(&values[..BATCH * candidate.outputs()]),
        },
        rows: BATCH,
        columns,
    };
    let taught = vec![0.5; rows * 3];
    measure(|| {
        let mut trainer = Trainer::new(candidate, &samples, &validation, recipe, 1).unwrap();
        if recipe.distillation.is_some() {
            trainer = trainer.taught_by(&taught).unwrap();
        }
        trainer.run(&mut |_| Control::Continue, &|| false).unwrap();
    })
}

fn check(name: &str, candidate: &Candidate, recipe: &Recipe) {
    let [few, many] = [FEW, MANY].map(|rows| allocated(candidate, recipe, rows));
    assert!(few.count_total > 0, "{name}: the allocator does not count");
    assert_eq!(few.count_total, many.count_total, "{name}");
    // What is said before a run starts is what it takes.
    for (rows, seen) in [(FEW, few), (MANY, many)] {
        let said = training_bytes(candidate, recipe, [rows, BATCH]);
        let most = seen.bytes_max as usize;
        assert!(
            said >= most,
            "{name}, {rows} rows: {said} bytes said, {most} taken"
        );
        let loose = most + most / 2 + (16 << 10);
        assert!(
            said <= loose,
            "{name}, {rows} rows: {said} bytes said, only {most} taken"
        );
    }
}

fn recipe() -> Recipe {
    Recipe {
        epochs: 2,
        batch_size: BATCH,
        learning_rate: 0.001,
        ..Recipe::default()
    }
}

/// Kernel, bias and activation of every family, with a fixed scale, a found one and by chance.
const FAMILIES: [[&str; 3]; 18] = [
    ["float", "float", "relu"],
    [
        "quantized_bits(6,0,alpha=1.0)",
        "quantized_bits(6,0,alpha=1.0)",
        "quantized_relu(6)",
    ],
    [
        "quantized_bits(4,1,1,alpha='auto_po2')",
        "quantized_bits(4,1,alpha='auto')",
        "quantized_bits(5,2,1,alpha=1.0)",
    ],
    [
        "quantized_bits(4,1,use_stochastic_rounding=1,alpha=1.0)",
        "float",
        "quantized_relu(4,2,use_stochastic_rounding=1)",
    ],
    [
        "quantized_linear(4,1,alpha='auto_po2')",
        "quantized_linear(8,2)",
        "quantized_linear(6,2)",
    ],
    [
        "quantized_linear(4,1,alpha='auto',use_stochastic_rounding=1)",
        "float",
        "quantized_relu(6,2,negative_slope=0.25)",
    ],
    ["binary(alpha=1.0)", "binary()", "binary()"],
    ["binary(alpha='auto_po2')", "float", "quantized_sigmoid(4)"],
    [
        "binary(alpha='auto',use_stochastic_rounding=1)",
        "float",
        "quantized_tanh(5)",
    ],
    [
        "stochastic_binary(alpha='auto')",
        "float",
        "stochastic_binary()",
    ],
    ["bernoulli(alpha='auto')", "float", "bernoulli()"],
    ["ternary(alpha='auto_po2')", "ternary()", "ternary()"],
    [
        "ternary(alpha='auto',use_stochastic_rounding=1)",
        "float",
        "quantized_ulaw(4,1)",
    ],
    [
        "stochastic_ternary(alpha='auto_po2')",
        "float",
        "stochastic_ternary()",
    ],
    [
        "quantized_po2(4)",
        "quantized_po2(4)",
        "quantized_relu_po2(4)",
    ],
    [
        "quantized_po2(4,use_stochastic_rounding=1)",
        "float",
        "quantized_relu_po2(4,use_stochastic_rounding=1)",
    ],
    [
        "quantized_hswish(6,2,alpha='auto')",
        "float",
        "quantized_hswish(6,2)",
    ],
    [
        "ap_fixed<6,2,RND,SAT>",
        "ap_fixed<6,2>",
        "ap_ufixed<6,2,RND,SAT>",
    ],
];

#[test]
fn in_every_quantizer_family() {
    for [kernel, bias, between] in FAMILIES {
        check(kernel, &stack(kernel, bias, between), &recipe());
    }
}

#[test]
fn in_layers_with_positions_and_statistics() {
    check("image", &image(), &recipe());
    let kernel = "quantized_bits(6,1,alpha=1.0)";
    let layers = vec![
        folded(dense(9, kernel, kernel)),
        activation("quantized_relu(4,2)"),
        dense(4, kernel, kernel),
        normalisation(),
    ];
    check("folded", &network(&[5], Head::ARG_MAX, layers), &recipe());
}

#[test]
fn by_every_optimiser_schedule_and_head() {
    let six = "quantized_bits(6,1,alpha=1.0)";
    let candidate = stack(six, six, "quantized_relu(6,2)");
    let all = Recipe {
        clip_norm: Some(0.1),
        l1: 1e-4,
        l2: 1e-4,
        label_smoothing: 0.1,
        best_epoch: true,
        early_stopping: Some(EarlyStopping {
            patience: 9,
            min_delta: 0.0,
        }),
        schedule: Schedule::Plateau(Plateau::default()),
        ..recipe()
    };
    check("adam", &candidate, &all);
    let adamw = Optimizer::AdamW { weight_decay: 0.01 };
    let sgd = Optimizer::Sgd {
        momentum: 0.9,
        nesterov: true,
    };
    for optimizer in [adamw, sgd] {
        let recipe = Recipe {
            optimizer,
            ..recipe()
        };
        check("optimiser", &candidate, &recipe);
    }
    let taught = Recipe {
        class_weights: Some(ClassWeights::Balanced),
        distillation: Some(Distillation {
            temperature: 2.0,
            weight: 0.5,
        }),
        averaging: Some(Averaging::Ema { decay: 0.9 }),
        best_epoch: false,
        ..all
    };
    check("class weights, teacher, averages", &candidate, &taught);
    // Weights that are most of what a run takes.
    let wide = network(
        &[300],
        Head::ARG_MAX,
        vec![
            dense(200, six, six),
            activation("quantized_relu(6,2)"),
            dense(3, six, six),
        ],
    );
    let averaged = Recipe {
        averaging: Some(Averaging::Ema { decay: 0.9 }),
        best_epoch: true,
        ..recipe()
    };
    check("averages of many weights", &wide, &averaged);
    for head in [Head::Sigmoid, Head::Linear] {
        let candidate = Candidate {
            head,
            ..candidate.clone()
        };
        check("head", &candidate, &recipe());
    }
}

#[test]
fn with_pruning_by_weight_and_by_channel() {
    let six = "quantized_bits(6,1,alpha=1.0)";
    let (dense, folded) = (
        stack(six, six, "quantized_relu(6,2)"),
        network(
            &[5],
            Head::ARG_MAX,
            vec![
                folded(dense(9, six, six)),
                activation("quantized_relu(4,2)"),
                dense(4, six, six),
                normalisation(),
            ],
        ),
    );
    for by in [
        PruneBy::Weight,
        PruneBy::InputChannel,
        PruneBy::OutputChannel,
    ] {
        let schedule = Sparsity::Polynomial {
            initial_sparsity: 0.0,
            final_sparsity: 0.75,
            begin_step: 0,
            end_step: 3,
            power: 3.0,
            frequency: 1,
        };
        let recipe = Recipe {
            pruning: Some(Pruning { schedule, by }),
            ..recipe()
        };
        check("pruned", &dense, &recipe);
        check("pruned, folded", &folded, &recipe);
    }
}

#[test]
fn on_several_threads_at_once() {
    thread::scope(|scope| {
        for [kernel, bias, between] in &FAMILIES[..4] {
            scope.spawn(move || check(kernel, &stack(kernel, bias, between), &recipe()));
        }
        scope.spawn(|| check("image", &image(), &recipe()));
    });
}
