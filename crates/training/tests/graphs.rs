//! Training of whole graphs: convolutions, normalisations, dropout, random quantizers, heads.

#[path = "../../../testdata/known-bits/check.rs"]
mod known_bits;

use bitfront_kernel::{Kernels, Level};
use bitfront_network::{
    Candidate, Fold, ForwardPrecision, Head, Layer, Operation, Padding, Part, SCALE_BITS, Weights,
    Window, forward,
};
use bitfront_quantizer::Quantizer;
use bitfront_training::{
    Control, EpochReport, Recipe, Samples, Schedule, Targets, TrainError, Trained, Trainer,
};

const INPUT: &str = "quantized_bits(8,3,0,1,alpha=1.0)";
const KERNEL: &str = "quantized_bits(6,1,alpha=1.0)";
const RELU: &str = "quantized_relu(6,2)";

fn quantizer(text: &str) -> Quantizer {
    text.parse().unwrap()
}

fn window(size: usize, stride: usize) -> Window {
    Window {
        size: vec![size; 2],
        strides: vec![stride; 2],
        dilation: vec![1; 2],
        padding: Padding::Same,
    }
}

fn dense(units: usize, kernel: &str) -> Operation {
    Operation::Dense {
        units,
        kernel: quantizer(kernel),
        bias: Some(quantizer(KERNEL)),
        fold: None,
    }
}

fn conv(filters: usize, kernel: &str) -> Operation {
    Operation::Conv {
        filters,
        window: window(3, 1),
        kernel: quantizer(kernel),
        bias: Some(quantizer(KERNEL)),
        fold: None,
    }
}

fn depthwise(multiplier: usize) -> Operation {
    Operation::DepthwiseConv {
        multiplier,
        window: window(3, 1),
        kernel: quantizer(KERNEL),
        bias: Some(quantizer(KERNEL)),
        fold: None,
    }
}

fn folded(mut operation: Operation) -> Operation {
    if let Operation::Dense { fold, .. }
    | Operation::Conv { fold, .. }
    | Operation::DepthwiseConv { fold, .. } = &mut operation
    {
        *fold = Some(Fold {
            epsilon: 1e-3,
            momentum: 0.8,
        });
    }
    operation
}

fn normalise() -> Operation {
    Operation::BatchNorm {
        epsilon: 1e-3,
        momentum: 0.8,
        scale_bits: 24,
        offset_bits: 24,
    }
}

fn activation(text: &str) -> Operation {
    Operation::Activation {
        quantizer: quantizer(text),
    }
}

fn max_pool() -> Operation {
    Operation::MaxPool {
        window: window(2, 2),
    }
}

const GLOBAL: Operation = Operation::GlobalAveragePool {
    reciprocal_bits: 12,
};

fn network(input: &[usize], operations: Vec<Operation>) -> Candidate {
    let layers = operations.into_iter().enumerate();
    Candidate {
        input_shape: input.to_vec(),
        input_quantizer: quantizer(INPUT),
        layers: layers
            .map(|(at, operation)| Layer::new(format!("l{at}"), operation))
            .collect(),
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

/// Images of 8 x 8: a bright row, column or diagonal somewhere, in noise.
struct Bars {
    x: Vec<f32>,
    y: Vec<u8>,
}

const SIDE: usize = 8;

impl Bars {
    fn new(rows: usize, mut state: u64) -> Self {
        let mut word = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as usize
        };
        let mut x = Vec::with_capacity(rows * SIDE * SIDE);
        let y: Vec<u8> = (0..rows).map(|row| (row % 3) as u8).collect();
        for class in &y {
            let at = word() % SIDE;
            for row in 0..SIDE {
                for column in 0..SIDE {
                    let bright = match class {
                        0 => row == at,
                        1 => column == at,
                        _ => (row + at) % SIDE == column,
                    };
                    let noise = (word() % 1000) as f32 / 1000.0 - 0.5;
                    x.push(f32::from(u8::from(bright)) * 1.5 + noise);
                }
            }
        }
        Self { x, y }
    }

    fn samples(&self) -> Samples<'_> {
        Samples {
            x: &self.x,
            y: Targets::Classes(&self.y),
            rows: self.y.len(),
            columns: SIDE * SIDE,
        }
    }
}

fn recipe(epochs: u32) -> Recipe {
    Recipe {
        epochs,
        batch_size: 50,
        learning_rate: 0.02,
        schedule: Schedule::Cosine,
        ..Recipe::default()
    }
}

fn run(candidate: &Candidate, learn: &Bars, check: &Bars, recipe: &Recipe) -> Trained {
    let trainer = Trainer::new(candidate, &learn.samples(), &check.samples(), recipe, 3);
    trainer
        .unwrap()
        .run(&mut |_| Control::Continue, &|| false)
        .unwrap()
}

fn bits(weights: &Weights) -> Vec<u32> {
    let tensors = weights.layers.iter().flat_map(|l| l.parts.values());
    tensors.flatten().map(|v| v.to_bits()).collect()
}

/// A graph with everything in it.
fn everything() -> Candidate {
    let separable = Operation::SeparableConv {
        filters: 5,
        multiplier: 2,
        window: window(3, 2),
        depthwise_kernel: quantizer(KERNEL),
        pointwise_kernel: quantizer("ternary(alpha='auto_po2')"),
        bias: None,
    };
    let mut graph = network(
        &[SIDE, SIDE, 1],
        vec![
            conv(6, KERNEL),
            normalise(),
            activation(RELU),
            folded(depthwise(1)),
            Operation::Add,
            Operation::ZeroPadding {
                border: vec![[0, 1], [1, 0]],
            },
            Operation::AveragePool {
                window: window(3, 2),
                reciprocal_bits: 12,
            },
            depthwise(3),
            max_pool(),
            Operation::Concatenate,
            Operation::Dropout { rate: 0.2 },
            separable,
            activation("quantized_bits(6,2,alpha=1.0)"),
            Operation::Flatten,
            folded(dense(9, KERNEL)),
            activation(RELU),
            dense(3, KERNEL),
        ],
    );
    graph.layers[4].inputs = vec!["l2".into(), "l3".into()];
    graph.layers[9].inputs = vec!["l8".into(), "l8".into()];
    graph
}

#[test]
fn every_level_gives_the_same_bits() {
    let (learn, check) = (Bars::new(130, 7), Bars::new(70, 8));
    let random = network(
        &[SIDE, SIDE, 1],
        vec![
            conv(4, "stochastic_ternary(alpha='auto')"),
            activation("quantized_relu(4,2,use_stochastic_rounding=1)"),
            max_pool(),
            Operation::Flatten,
            dense(6, "stochastic_binary(alpha='auto_po2')"),
            activation("bernoulli(alpha=1.0)"),
            dense(3, KERNEL),
        ],
    );
    let recipe = recipe(3);
    for candidate in [everything(), random] {
        let mut first: Option<(Vec<u32>, Vec<EpochReport>)> = None;
        for level in Level::ALL.into_iter().chain(Level::ALL) {
            let Some(kernels) = Kernels::at(level) else {
                continue;
            };
            let (learn, check) = (learn.samples(), check.samples());
            let trainer = Trainer::new(&candidate, &learn, &check, &recipe, 3).unwrap();
            let trained = trainer
                .on(kernels)
                .run(&mut |_| Control::Continue, &|| false)
                .unwrap();
            let now = (bits(&trained.weights), trained.curve);
            let first = first.get_or_insert_with(|| now.clone());
            assert_eq!(*first, now, "{}", level.name());
        }
    }
}

/// As `the_bits_of_a_known_run` of `training.rs`, for every kind of layer.
#[test]
fn the_bits_of_a_known_graph() {
    let trained = run(
        &everything(),
        &Bars::new(200, 4),
        &Bars::new(100, 5),
        &recipe(3),
    );
    known_bits::check("training-graph", [bits(&trained.weights)]);
}

#[test]
fn images_are_learned() {
    let (learn, check) = (Bars::new(900, 1), Bars::new(300, 2));
    let networks = [
        (
            "normalised",
            vec![
                conv(6, KERNEL),
                normalise(),
                activation(RELU),
                max_pool(),
                conv(8, "quantized_bits(4,0,alpha='auto_po2')"),
                normalise(),
                activation(RELU),
                GLOBAL,
                dense(3, KERNEL),
            ],
        ),
        (
            "folded",
            vec![
                folded(conv(6, KERNEL)),
                activation(RELU),
                max_pool(),
                folded(conv(8, KERNEL)),
                activation(RELU),
                GLOBAL,
                dense(3, KERNEL),
            ],
        ),
        (
            "depthwise, dropout",
            vec![
                folded(conv(8, KERNEL)),
                activation(RELU),
                folded(depthwise(2)),
                activation(RELU),
                GLOBAL,
                Operation::Dropout { rate: 0.1 },
                dense(3, KERNEL),
            ],
        ),
        (
            "random",
            vec![
                conv(8, "stochastic_ternary(alpha='auto_po2')"),
                normalise(),
                activation("quantized_relu(4,2,use_stochastic_rounding=1)"),
                max_pool(),
                conv(8, KERNEL),
                normalise(),
                activation(RELU),
                GLOBAL,
                dense(3, KERNEL),
            ],
        ),
    ];
    for (name, operations) in networks {
        let candidate = network(&[SIDE, SIDE, 1], operations);
        let trained = run(&candidate, &learn, &check, &recipe(15));
        let last = trained.curve.last().unwrap();
        println!("{name}: {}", last.validation_accuracy);
        // A third is chance.
        assert!(last.validation_accuracy > 0.9, "{name}: {last:?}");
    }
}

/// Dropout and batch statistics would show here: the network's own pass knows neither.
#[test]
fn validation_is_the_networks_own_forward_pass() {
    let (learn, check) = (Bars::new(200, 4), Bars::new(100, 5));
    for candidate in [
        everything(),
        network(
            &[SIDE, SIDE, 1],
            vec![
                folded(conv(5, KERNEL)),
                activation(RELU),
                max_pool(),
                folded(depthwise(2)),
                activation(RELU),
                Operation::Flatten,
                Operation::Dropout { rate: 0.5 },
                dense(3, KERNEL),
            ],
        ),
    ] {
        let trained = run(&candidate, &learn, &check, &recipe(4));
        let logits = forward(
            &candidate,
            &trained.weights,
            &check.x,
            ForwardPrecision::F32,
        );
        let (mut correct, mut loss) = (0, 0.0);
        for (row, label) in logits.chunks(3).zip(&check.y) {
            let best = (1..3).fold(0, |best, j| if row[j] > row[best] { j } else { best });
            correct += usize::from(best == usize::from(*label));
            let sum: f64 = row.iter().map(|z| (z - row[best]).exp()).sum();
            loss += sum.ln() + row[best] - row[usize::from(*label)];
        }
        let (last, rows) = (trained.curve.last().unwrap(), check.y.len() as f64);
        assert_eq!(last.validation_accuracy, correct as f64 / rows);
        let off = f64::from(last.validation_loss) - loss / rows;
        assert!(off.abs() < 1e-4, "{off} of {}", last.validation_loss);
    }
}

#[test]
fn training_goes_on_from_given_weights() {
    let (learn, check) = (Bars::new(120, 4), Bars::new(60, 5));
    let candidate = everything();
    let first = run(&candidate, &learn, &check, &recipe(3));
    let still = Recipe {
        learning_rate: 1e-30,
        ..recipe(1)
    };
    let new = || Trainer::new(&candidate, &learn.samples(), &check.samples(), &still, 9).unwrap();
    let go = |trainer: Trainer<'_>| trainer.run(&mut |_| Control::Continue, &|| false).unwrap();
    let start = first.weights.clone();
    let again = go(new().starting_from(start).unwrap());
    for spec in candidate.tensors().iter().filter(|s| s.part.is_trained()) {
        let [before, after] = [&first, &again].map(|t| t.weights.part(spec.layer, spec.part));
        assert_eq!(before, after, "{spec:?}");
    }
    assert_ne!(bits(&go(new()).weights), bits(&again.weights));

    let refused = |change: &dyn Fn(&mut Weights)| {
        let mut weights = first.weights.clone();
        change(&mut weights);
        match new().starting_from(weights) {
            Err(error @ TrainError::Weights { .. }) => error.to_string(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("accepted"),
        }
    };
    let text = refused(&|w| {
        w.layers[0].parts.get_mut(&Part::Kernel).unwrap().pop();
    });
    assert!(
        text.starts_with("starting weights: l0.kernel: 53 weights"),
        "{text}"
    );
    let text = refused(&|w| w.layers[0].parts.get_mut(&Part::Bias).unwrap()[1] = f32::NAN);
    assert!(
        text.starts_with("starting weights: l0.bias: value 1 is NaN"),
        "{text}"
    );
    let text = refused(&|w| w.layers[1].parts.get_mut(&Part::Variance).unwrap()[0] = -1.0);
    assert!(
        text.contains("l1.variance: value 0 is -1; accepted: numbers of at least 0"),
        "{text}"
    );
}

#[test]
fn divergence_names_epoch_step_and_layer() {
    let mut bars = Bars::new(120, 4);
    for value in &mut bars.x {
        *value *= 3e37;
    }
    let mut candidate = network(
        &[SIDE, SIDE, 1],
        vec![
            conv(4, "float"),
            activation("relu"),
            GLOBAL,
            dense(3, "float"),
        ],
    );
    candidate.input_quantizer = Quantizer::Float;
    let samples = bars.samples();
    let recipe = recipe(2);
    let trainer = Trainer::new(&candidate, &samples, &samples, &recipe, 1).unwrap();
    let error = trainer
        .run(&mut |_| Control::Continue, &|| false)
        .unwrap_err();
    let TrainError::Diverged {
        epoch: 1,
        step,
        place,
    } = &error
    else {
        panic!("{error}")
    };
    assert!(*step <= 3 && place.starts_with('l'), "{error}");
}

#[test]
fn other_heads_are_learned() {
    // Whether the sum of four features is positive, and the sum and a difference themselves.
    let bars = Bars::new(600, 11);
    let x: Vec<f32> = bars.x[..2400].to_vec();
    let rows = || x.chunks(4);
    let sums: Vec<f32> = rows().flat_map(|r| [r.iter().sum(), r[0] - r[3]]).collect();
    let classes: Vec<u8> = rows()
        .map(|r| u8::from(r.iter().sum::<f32>() > 0.0))
        .collect();
    let layers = |units| {
        vec![
            dense(12, KERNEL),
            activation("quantized_relu(8,2)"),
            dense(units, KERNEL),
        ]
    };
    let run = |head, units, y| {
        let mut candidate = network(&[4], layers(units));
        candidate.head = head;
        let samples = Samples {
            x: &x,
            y,
            rows: 600,
            columns: 4,
        };
        let recipe = recipe(20);
        let trainer = Trainer::new(&candidate, &samples, &samples, &recipe, 1)?;
        let trained = trainer.run(&mut |_| Control::Continue, &|| false)?;
        Ok::<_, TrainError>(trained.curve.last().unwrap().clone())
    };
    let last = run(Head::Sigmoid, 1, Targets::Classes(&classes)).unwrap();
    assert!(last.validation_accuracy > 0.95, "{last:?}");
    let values: Vec<f32> = classes.iter().map(|c| f32::from(*c)).collect();
    let same = run(Head::Sigmoid, 1, Targets::Values(&values)).unwrap();
    assert_eq!(last, same);
    let last = run(Head::Linear, 2, Targets::Values(&sums)).unwrap();
    assert!(
        last.validation_loss < 0.02 && last.validation_accuracy == 0.0,
        "{last:?}"
    );

    let text = |head, units, y| run(head, units, y).unwrap_err().to_string();
    assert_eq!(
        text(Head::Linear, 2, Targets::Classes(&classes)),
        "train.y: classes; accepted: values, 2 a row, for a linear head"
    );
    assert_eq!(
        text(Head::ARG_MAX, 2, Targets::Values(&sums)),
        "train.y: values; accepted: classes, one a row, for a softmax head"
    );
    assert!(text(Head::Sigmoid, 2, Targets::Values(&sums)).ends_with("accepted: 0 to 1"));
}

#[test]
fn graphs_that_cannot_be_trained_are_named() {
    let bars = Bars::new(30, 1);
    let text = |operations: Vec<Operation>, batch_size: usize| {
        let candidate = network(&[SIDE, SIDE, 1], operations);
        let recipe = Recipe {
            batch_size,
            ..recipe(1)
        };
        let samples = bars.samples();
        Trainer::new(&candidate, &samples, &samples, &recipe, 1)
            .err()
            .unwrap()
            .to_string()
    };
    let nothing = text(vec![Operation::Flatten], 10);
    assert!(nothing.contains("no layer has weights"), "{nothing}");
    let faults = text(
        vec![conv(0, KERNEL), Operation::Flatten, dense(1, KERNEL)],
        10,
    );
    assert!(
        faults.starts_with("candidate: l0: has 0 channels"),
        "{faults}"
    );
    let scaled = text(
        vec![
            activation("ternary(alpha='auto')"),
            Operation::Flatten,
            dense(3, KERNEL),
        ],
        10,
    );
    assert!(
        scaled.contains("l0: ternary(alpha='auto') has an automatic scale"),
        "{scaled}"
    );
    let quantizers = vec![quantizer(INPUT)];
    let channelwise = text(
        vec![
            Operation::ChannelActivation { quantizers },
            Operation::Flatten,
            dense(3, KERNEL),
        ],
        10,
    );
    assert!(
        channelwise.contains("l0: has a quantizer for each channel"),
        "{channelwise}"
    );
}
