//! Bit widths of convolutions are learned as those of dense layers: exact points, the same on every CPU level.

mod common;
#[path = "../../../testdata/known-bits/check.rs"]
mod known_bits;
#[path = "common/layers.rs"]
mod layers;

use bitfront_kernel::{Kernels, Level};
use bitfront_learned_bits::{Granularity, LearnError, Point, Settings, Task, learn, learn_at};
use bitfront_network::{Candidate, Head, Layer, Operation, Padding, Part, SCALE_BITS, Weights};
use bitfront_training::{Control, Samples, Targets};

use common::{GRANULARITIES, Random, bits, check, start};
use layers::{conv, dense, relu, window};

const ROWS: usize = 400;
const SIDE: usize = 6;

/// Noisy images of a line from left to right, from top to bottom, or of none.
fn images() -> (Vec<f32>, Vec<u8>) {
    let mut random = Random(7);
    let mut x = Vec::with_capacity(ROWS * SIDE * SIDE);
    let y: Vec<u8> = (0..ROWS).map(|row| (row % 3) as u8).collect();
    for class in &y {
        let line = ((random.unit() + 1.0) * 3.0) as usize;
        for at in 0..SIDE * SIDE {
            let on = match class {
                0 => at / SIDE == line,
                1 => at % SIDE == line,
                _ => false,
            };
            x.push(0.5 * f32::from(u8::from(on)) + 0.24 * (random.unit() + 1.0));
        }
    }
    (x, y)
}

fn network(input_shape: &[usize], input: &str, operations: Vec<Operation>) -> Candidate {
    let layer = |(at, operation): (usize, Operation)| {
        Layer::new(format!("{}{at}", operation.kind()), operation)
    };
    Candidate {
        input_shape: input_shape.to_vec(),
        input_quantizer: input.parse().unwrap(),
        layers: operations.into_iter().enumerate().map(layer).collect(),
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

/// Both paddings, a stride, a pooling whose windows overlap, a flatten of rows that are no whole vectors.
fn pooled() -> Candidate {
    let pool = |size, stride| Operation::MaxPool {
        window: window(&[size, size], stride, Padding::Same),
    };
    network(
        &[SIDE, SIDE, 1],
        "quantized_bits(8,0,keep_negative=0,alpha=1.0)",
        vec![
            conv(4, window(&[3, 3], 1, Padding::Same)),
            relu(),
            pool(3, 2),
            conv(5, window(&[2, 2], 1, Padding::Valid)),
            relu(),
            pool(2, 2),
            Operation::Flatten,
            dense(6),
            relu(),
            dense(3),
        ],
    )
}

/// Columns as channels of a sequence, behind a signed input.
fn sequence() -> Candidate {
    network(
        &[SIDE, SIDE],
        "quantized_bits(10,2,alpha=1.0)",
        vec![
            conv(16, window(&[3], 2, Padding::Same)),
            relu(),
            Operation::Flatten,
            dense(3),
        ],
    )
}

fn settings(granularity: Granularity) -> Settings {
    Settings {
        epochs: 30,
        batch_size: 50,
        last_beta: 5e-4,
        averaging: 0.9,
        bits_rate: 0.03,
        learning_rate: 0.01,
        granularity,
        ..Settings::default()
    }
}

fn run_of(candidate: &Candidate, kernels: Kernels, granularity: Granularity) -> Vec<Point> {
    let (x, y) = images();
    let weights = start(candidate);
    let samples = Samples {
        x: &x,
        y: Targets::Classes(&y),
        rows: ROWS,
        columns: SIDE * SIDE,
    };
    let task = Task {
        candidate,
        start: &weights,
        train: samples,
        validation: samples,
        teacher: None,
    };
    let settings = settings(granularity);
    let mut go_on = |_: &_| Control::Continue;
    learn_at(kernels, &task, &settings, 3, &mut go_on, &|| false).unwrap()
}

#[test]
fn points_are_exact_and_a_front() {
    let (x, y) = images();
    for (candidate, granularity) in [
        (pooled(), GRANULARITIES[0]),
        (pooled(), GRANULARITIES[1]),
        (pooled(), GRANULARITIES[2]),
        (sequence(), GRANULARITIES[0]),
    ] {
        let points = run_of(&candidate, Kernels::detect(), granularity);
        let best = points.last().unwrap();
        assert!(
            best.epoch.validation_accuracy > 0.85,
            "{granularity:?} {:?}",
            best.epoch
        );
        let least = &points[0].epoch;
        assert!(
            points.len() >= 2 && least.ebops < 0.8 * best.epoch.ebops,
            "{granularity:?} {least:?} {:?}",
            best.epoch
        );
        check(&points, &x, &y);
        // The network's layers behind the quantized input, in their places.
        for point in &points {
            let names = |candidate: &Candidate| -> Vec<String> {
                let names = candidate.layers.iter().map(|layer| layer.name.clone());
                names.collect()
            };
            assert_eq!(names(&point.candidate)[1..], names(&candidate));
        }
    }
}

#[test]
fn every_level_gives_the_same_bits() {
    for candidate in [pooled(), sequence()] {
        let run = |level| {
            let kernels = Kernels::at(level)?;
            Some(run_of(&candidate, kernels, Granularity::Weight))
        };
        let expected = run(Level::Scalar).unwrap();
        for level in Level::ALL {
            assert!(
                run(level).is_none_or(|points| points == expected),
                "{level:?}"
            );
        }
    }
}

/// As that of dense layers.
#[test]
fn the_bits_of_a_known_front_of_convolutions() {
    let points = run_of(&pooled(), Kernels::detect(), Granularity::Weight);
    known_bits::check("learned-bits-convolutions", [bits(&points)]);
}

/// One position and one tap: the products of a dense layer, in their order.
#[test]
fn a_convolution_of_one_position_is_a_dense_layer() {
    let input = "quantized_bits(10,2,alpha=1.0)";
    let features = SIDE * SIDE;
    let of = |shape: &[usize], first: Vec<Operation>| {
        let rest = vec![dense(3)];
        let candidate = network(shape, input, [first, rest].concat());
        run_of(&candidate, Kernels::detect(), Granularity::Weight)
    };
    let one = conv(8, window(&[1, 1], 1, Padding::Same));
    let window = of(&[1, 1, features], vec![one, relu(), Operation::Flatten]);
    let plain = of(&[features], vec![dense(8), relu()]);
    assert_eq!(bits(&window), bits(&plain));
    for (window, plain) in window.iter().zip(&plain) {
        assert_eq!(window.epoch, plain.epoch);
    }
}

#[test]
fn a_number_that_is_not_finite_ends_the_run_by_name() {
    let candidate = pooled();
    let (x, y) = images();
    let mut random = Random(1);
    let weights = Weights::build(&candidate, |tensor| {
        let wrong = tensor.layer == 3 && tensor.part == Part::Kernel;
        let one = |_| if wrong { f32::NAN } else { random.unit() };
        (0..tensor.shape.iter().product()).map(one).collect()
    });
    let samples = Samples {
        x: &x,
        y: Targets::Classes(&y),
        rows: ROWS,
        columns: SIDE * SIDE,
    };
    let task = Task {
        candidate: &candidate,
        start: &weights,
        train: samples,
        validation: samples,
        teacher: None,
    };
    let settings = settings(Granularity::Weight);
    let mut go_on = |_: &_| Control::Continue;
    let error = learn(&task, &settings, 1, &mut go_on, &|| false).unwrap_err();
    let LearnError::Diverged { epoch, step, layer } = error else {
        panic!("{error}");
    };
    assert_eq!((epoch, step, layer.as_str()), (1, 1, "conv0"));
}
