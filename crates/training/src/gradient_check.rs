//! Gradients of every layer kind against finite differences of the reference.

use std::sync::Arc;

use bitfront_kernel::{Buffer, Kernels};
use bitfront_network::{
    Candidate, Fold, Head, Layer, Operation, Padding, SCALE_BITS, Weights, Window,
};
use bitfront_quantizer::Quantizer;

use crate::distillation::{Distillation, SoftTargets};
use crate::engine::{Engine, Rows};
use crate::extent::Mode;
use crate::inputs::Stored;
use crate::loss::LossFunction;
use crate::random::{Purpose, stream, uniform};
use crate::recipe::Recipe;
use crate::reference::{Extras, Reference, Tensors, Wanted};
use crate::train::Targets;

const SEED: u64 = 11;

fn dense(units: usize) -> Operation {
    Operation::Dense {
        units,
        kernel: Quantizer::Float,
        bias: Some(Quantizer::Float),
        fold: None,
    }
}

fn window<const N: usize>(size: [usize; N], strides: [usize; N], padding: Padding) -> Window {
    Window {
        size: size.to_vec(),
        strides: strides.to_vec(),
        dilation: vec![1; N],
        padding,
    }
}

fn conv(filters: usize, window: Window) -> Operation {
    Operation::Conv {
        filters,
        window,
        kernel: Quantizer::Float,
        bias: Some(Quantizer::Float),
        fold: None,
    }
}

fn depthwise(multiplier: usize, window: Window) -> Operation {
    Operation::DepthwiseConv {
        multiplier,
        window,
        kernel: Quantizer::Float,
        bias: Some(Quantizer::Float),
        fold: None,
    }
}

fn relu() -> Operation {
    Operation::Activation {
        quantizer: Quantizer::Relu,
    }
}

fn normalise() -> Operation {
    Operation::BatchNorm {
        epsilon: 1e-3,
        momentum: 0.9,
        scale_bits: 8,
        offset_bits: 8,
    }
}

/// With a folded normalisation, and quantizers so fine that differences do not see them.
fn folded(mut operation: Operation) -> Operation {
    let fine: Quantizer = "quantized_bits(24,3,alpha=1.0)".parse().unwrap();
    if let Operation::Dense {
        fold, kernel, bias, ..
    }
    | Operation::Conv {
        fold, kernel, bias, ..
    }
    | Operation::DepthwiseConv {
        fold, kernel, bias, ..
    } = &mut operation
    {
        *fold = Some(Fold {
            epsilon: 1e-3,
            momentum: 0.9,
        });
        (*kernel, *bias) = (fine, Some(fine));
    }
    operation
}

/// Layers in a row, named by their place.
fn network(input: &[usize], operations: Vec<Operation>) -> Candidate {
    let layers = operations.into_iter().enumerate();
    Candidate {
        input_shape: input.to_vec(),
        input_quantizer: Quantizer::Float,
        layers: layers
            .map(|(at, operation)| Layer::new(format!("l{at}"), operation))
            .collect(),
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

fn draws(index: u64, count: usize, limit: f32) -> Vec<f32> {
    let mut words = stream(5, Purpose::Initial, index);
    (0..count).map(|_| uniform(&mut words, limit)).collect()
}

/// Weights at random, no channel like another, normalisations that do something.
fn weights(candidate: &Candidate) -> Weights {
    let mut index = 100;
    Weights::build(candidate, |spec| {
        use bitfront_network::Part;
        index += 1;
        let size = spec.shape.iter().product();
        let around = |middle: f32, width| {
            let all = draws(index, size, width);
            all.into_iter().map(|v| middle + v).collect::<Vec<f32>>()
        };
        match spec.part {
            Part::Gamma => around(1.0, 0.5),
            Part::Variance => around(2.0, 1.0),
            Part::Beta | Part::Mean | Part::Bias => around(0.0, 0.3),
            _ => around(0.0, 0.6),
        }
    })
}

/// The largest difference between a gradient and a finite difference, over all weights.
fn largest_error(name: &str, candidate: &Candidate, rows: usize, mode: Mode) -> f64 {
    let loss = LossFunction::of(candidate.head);
    largest_error_of(loss, &Extras::default(), name, candidate, rows, mode)
}

/// The same by this loss, with what a recipe adds to it.
fn largest_error_of(
    function: LossFunction,
    extras: &Extras,
    name: &str,
    candidate: &Candidate,
    rows: usize,
    mode: Mode,
) -> f64 {
    candidate
        .check_shapes()
        .unwrap_or_else(|e| panic!("{name}: {e:?}"));
    let x = draws(9, rows * candidate.inputs(), 2.0);
    let outputs = candidate.outputs();
    let classes: Vec<u8> = (0..rows)
        .map(|row| ((row * 7 + row / 5) % outputs.max(2)) as u8)
        .collect();
    let values = draws(8, rows * outputs, 1.0);
    let linear = candidate.head == Head::Linear;
    let (targets, wanted) = if linear {
        (Targets::Values(&values), Wanted::Values(&values))
    } else {
        (Targets::Classes(&classes), Wanted::Classes(&classes))
    };
    let start = weights(candidate);
    let padded = Buffer::padded(&x, candidate.inputs());
    let kernels = Kernels::detect();
    let recipe = Recipe {
        loss: Some(function),
        label_smoothing: extras.smoothing,
        ..Recipe::default()
    };
    let mut engine = Engine::new(kernels, candidate, &start, SEED, rows).by(&recipe);
    if !extras.class_weights.is_empty() {
        engine = engine.weighing(&extras.class_weights);
    }
    if let Some((logits, distillation)) = &extras.teacher {
        let targets = SoftTargets::new(*distillation, logits, outputs);
        engine = engine.taught_by(&Arc::new(targets));
    }
    engine.quantize(mode);
    let order: Vec<u32> = (0..rows as u32).collect();
    let stored = Rows {
        x: Stored::Values(&padded),
        y: targets,
        count: rows,
    };
    let loss = engine.gradients(stored, &order, mode).loss / rows as f64;
    let gradients = engine.float_gradients();

    let reference = Reference {
        candidate,
        x: &x,
        y: wanted,
        loss: function,
        seed: SEED,
        frozen: mode == Mode::TrainFrozen,
        extras: extras.clone(),
    };
    let specs = candidate.tensors();
    let mut tensors: Tensors = specs
        .iter()
        .map(|spec| {
            start
                .part(spec.layer, spec.part)
                .iter()
                .map(|v| f64::from(*v))
                .collect()
        })
        .collect();
    let expected = reference.loss(&tensors);
    assert!(
        (loss - expected).abs() < 2e-6 * (1.0 + expected),
        "{name}: {loss} {expected}"
    );
    let (mut worst, mut seen) = (0.0_f64, 0.0_f64);
    let step = 1e-6;
    for (at, spec) in specs
        .iter()
        .enumerate()
        .filter(|(_, spec)| spec.part.is_trained())
    {
        let gradient = gradients.part(spec.layer, spec.part);
        assert_eq!(gradient.len(), tensors[at].len(), "{name}: {spec:?}");
        for (i, gradient) in gradient.iter().enumerate() {
            let value = tensors[at][i];
            let mut move_to = |to: f64| {
                tensors[at][i] = to;
                reference.loss(&tensors)
            };
            let difference = (move_to(value + step) - move_to(value - step)) / (2.0 * step);
            tensors[at][i] = value;
            let error = (f64::from(*gradient) - difference).abs();
            assert!(
                error < 2e-5,
                "{name}: {spec:?}, {i}: {gradient} {difference}"
            );
            worst = worst.max(error);
            seen = seen.max(difference.abs());
        }
    }
    assert!(seen > 0.01, "{name}: all gradients are tiny");
    println!("{name:32} loss {expected:.4}, largest gradient {seen:.4}, largest error {worst:.1e}");
    worst
}

fn check(name: &str, candidate: &Candidate) {
    largest_error(name, candidate, 20, Mode::Train);
}

fn image() -> [usize; 3] {
    [5, 6, 2]
}

#[test]
fn dense_of_any_rank() {
    let stack = network(&[3], vec![dense(17), relu(), dense(6), relu(), dense(4)]);
    // Two whole micro-batches and a part.
    largest_error("dense", &stack, 150, Mode::Train);
    check(
        "dense by position",
        &network(
            &[4, 3],
            vec![dense(5), relu(), Operation::Flatten, dense(3)],
        ),
    );
    let mut bare = dense(5);
    if let Operation::Dense { bias, .. } = &mut bare {
        *bias = None;
    }
    check(
        "dense without bias",
        &network(&[4], vec![bare, relu(), dense(3)]),
    );
}

#[test]
fn convolutions() {
    use Padding::{Same, Valid};
    let tail = |mut operations: Vec<Operation>| {
        operations.extend([relu(), Operation::Flatten, dense(3)]);
        operations
    };
    let first = conv(3, window([3, 3], [1, 1], Same));
    let second = conv(4, window([2, 3], [2, 1], Valid));
    check(
        "conv 2d",
        &network(&image(), tail(vec![first.clone(), relu(), second])),
    );
    let mut dilated = conv(3, window([3], [1], Valid));
    if let Operation::Conv { window, bias, .. } = &mut dilated {
        window.dilation = vec![2];
        *bias = None;
    }
    let wide = conv(18, window([2], [1], Same));
    check(
        "conv 1d, dilated, no bias",
        &network(&[9, 1], tail(vec![wide, relu(), dilated])),
    );
    let alone = depthwise(1, window([3, 2], [1, 2], Same));
    check(
        "depthwise",
        &network(&image(), tail(vec![first.clone(), relu(), alone])),
    );
    let double = depthwise(3, window([2, 2], [2, 2], Valid));
    check(
        "depthwise, several a channel",
        &network(&image(), tail(vec![first.clone(), relu(), double])),
    );
    let separable = Operation::SeparableConv {
        filters: 4,
        multiplier: 2,
        window: window([3, 3], [1, 2], Same),
        depthwise_kernel: Quantizer::Float,
        pointwise_kernel: Quantizer::Float,
        bias: Some(Quantizer::Float),
    };
    check(
        "separable",
        &network(&image(), tail(vec![first.clone(), relu(), separable])),
    );
    let padding = Operation::ZeroPadding {
        border: vec![[1, 0], [2, 1]],
    };
    let after = conv(3, window([3, 3], [2, 2], Valid));
    check(
        "zero padding",
        &network(&image(), tail(vec![first, padding, after])),
    );
}

#[test]
fn pooling() {
    let first = || conv(3, window([3, 3], [1, 1], Padding::Same));
    let max = Operation::MaxPool {
        window: window([2, 2], [2, 2], Padding::Same),
    };
    let overlapping = Operation::MaxPool {
        window: window([3, 2], [1, 1], Padding::Valid),
    };
    let mean = Operation::AveragePool {
        window: window([2, 3], [2, 2], Padding::Same),
        reciprocal_bits: 24,
    };
    let global = Operation::GlobalAveragePool {
        reciprocal_bits: 24,
    };
    let tail = |pool| network(&image(), vec![first(), pool, Operation::Flatten, dense(3)]);
    check("max pool", &tail(max));
    check("overlapping max pool", &tail(overlapping));
    check("average pool", &tail(mean));
    check(
        "global average pool",
        &network(&image(), vec![first(), relu(), global, dense(3)]),
    );
}

#[test]
fn normalisations() {
    let stack = vec![dense(7), normalise(), relu(), dense(4), normalise()];
    let stack = network(&[3], stack);
    largest_error("batch norm", &stack, 90, Mode::Train);
    let first = || conv(3, window([3, 3], [1, 1], Padding::Same));
    let images = vec![first(), normalise(), relu(), Operation::Flatten, dense(3)];
    check("batch norm of images", &network(&image(), images));
    let stack = network(
        &[3],
        vec![folded(dense(7)), relu(), folded(dense(5)), relu(), dense(3)],
    );
    let small = depthwise(2, window([2, 2], [1, 1], Padding::Valid));
    let images = vec![
        folded(first()),
        relu(),
        folded(small),
        relu(),
        Operation::GlobalAveragePool {
            reciprocal_bits: 24,
        },
        dense(3),
    ];
    let images = network(&image(), images);
    for (mode, name) in [(Mode::Train, ""), (Mode::TrainFrozen, ", frozen")] {
        largest_error(&format!("folded dense{name}"), &stack, 90, mode);
        largest_error(&format!("folded conv, depthwise{name}"), &images, 20, mode);
    }
}

#[test]
fn graphs() {
    let mut graph = network(
        &[4],
        vec![
            dense(6),
            relu(),
            dense(6),
            normalise(),
            Operation::Add,
            relu(),
            Operation::Concatenate,
            Operation::Add,
            folded(dense(5)),
            Operation::Dropout { rate: 0.3 },
            dense(3),
        ],
    );
    let read = |graph: &mut Candidate, at: usize, names: &[&str]| {
        graph.layers[at].inputs = names.iter().map(|name| (*name).to_owned()).collect();
    };
    // Several readers of l1, l5 read twice by one layer, and the input beside a layer.
    read(&mut graph, 4, &["l1", "l3", "l0"]);
    read(&mut graph, 6, &["l5", "input", "l1"]);
    read(&mut graph, 7, &["l6", "l6"]);
    check("graph", &graph);
    let mut images = network(
        &image(),
        vec![
            conv(3, window([3, 3], [1, 1], Padding::Same)),
            relu(),
            depthwise(1, window([3, 3], [1, 1], Padding::Same)),
            Operation::Dropout { rate: 0.25 },
            conv(3, window([1, 1], [1, 1], Padding::Valid)),
            Operation::Add,
            Operation::MaxPool {
                window: window([3, 3], [1, 1], Padding::Same),
            },
            Operation::AveragePool {
                window: window([3, 3], [1, 1], Padding::Same),
                reciprocal_bits: 24,
            },
            Operation::Concatenate,
            Operation::Flatten,
            dense(4),
        ],
    );
    read(&mut images, 3, &["l1"]);
    read(&mut images, 4, &["l1"]);
    read(&mut images, 5, &["l1", "l2", "l3", "l4"]);
    read(&mut images, 7, &["l5"]);
    read(&mut images, 8, &["l6", "l7", "input"]);
    check("graph of images", &images);
}

#[test]
fn heads() {
    for (name, head, outputs) in [
        ("sigmoid, one output", Head::Sigmoid, 1),
        ("sigmoid, several outputs", Head::Sigmoid, 3),
        ("linear", Head::Linear, 2),
    ] {
        let mut candidate = network(&[3], vec![dense(6), relu(), dense(outputs)]);
        candidate.head = head;
        check(name, &candidate);
    }
    let mut autoencoder = network(&[4, 3], vec![dense(5), relu(), dense(3)]);
    autoencoder.head = Head::Linear;
    check("linear by position", &autoencoder);
    let absolute = LossFunction::MeanAbsoluteError;
    largest_error_of(
        absolute,
        &Extras::default(),
        "absolutes",
        &autoencoder,
        20,
        Mode::Train,
    );
}

#[test]
fn what_recipes_add_to_the_loss() {
    // More rows than a micro-batch has.
    let rows = 90;
    let classes = network(&[3], vec![dense(6), relu(), dense(4)]);
    let teacher = |temperature, weight| {
        let distillation = Distillation {
            temperature,
            weight,
        };
        Some((draws(7, rows * 4, 4.0), distillation))
    };
    let class_weights = vec![0.25, 3.0, 1.0, 0.5];
    let all = [
        ("smoothing", 0.2, vec![], None),
        ("class weights", 0.0, class_weights.clone(), None),
        ("smoothing, class weights", 0.3, class_weights.clone(), None),
        ("teacher", 0.0, vec![], teacher(2.0, 0.75)),
        ("teacher alone", 0.0, vec![], teacher(1.0, 1.0)),
        ("all", 0.1, class_weights, teacher(4.0, 0.5)),
    ];
    for (name, smoothing, class_weights, teacher) in all {
        let extras = Extras {
            smoothing,
            class_weights,
            teacher,
        };
        let loss = LossFunction::SoftmaxCrossEntropy;
        largest_error_of(loss, &extras, name, &classes, rows, Mode::Train);
    }
    for (outputs, class_weights) in [(1, vec![0.5, 2.0]), (3, vec![0.5, 2.0, 1.5])] {
        let mut sigmoid = network(&[3], vec![dense(6), relu(), dense(outputs)]);
        sigmoid.head = Head::Sigmoid;
        let extras = Extras {
            class_weights,
            ..Extras::default()
        };
        let name = format!("class weights of {outputs} sigmoids");
        let loss = LossFunction::BinaryCrossEntropy;
        largest_error_of(loss, &extras, &name, &sigmoid, rows, Mode::Train);
    }
}
