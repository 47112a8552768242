//! Learned candidates are exact, narrower as the penalty grows, and the same bits on every CPU level.

mod common;
#[path = "../../../testdata/known-bits/check.rs"]
mod known_bits;

use bitfront_kernel::{Kernels, Level};
use bitfront_learned_bits::{
    EpochPoint, Granularity, LearnError, Point, Settings, Task, learn, learn_at,
};
use bitfront_network::{Candidate, Head, Layer, Operation, SCALE_BITS};
use bitfront_quantizer::Quantizer;
use bitfront_training::{Control, Distillation, Samples, SoftTargets, Targets};

use common::{GRANULARITIES, Random, bits, check, start};

const ROWS: usize = 1200;
const INPUTS: usize = 5;

/// Rows whose class is the larger of two sums of products, or neither; the last feature says nothing.
fn rows() -> (Vec<f32>, Vec<u8>) {
    let mut random = Random(5);
    let x: Vec<f32> = (0..ROWS * INPUTS).map(|_| 2.5 * random.unit()).collect();
    let class = |x: &[f32]| {
        let (a, b) = (x[0] * x[1], x[2] - x[3]);
        if a.abs().max(b.abs()) < 0.8 {
            2
        } else {
            u8::from(a > b)
        }
    };
    let y = x.chunks(INPUTS).map(class).collect();
    (x, y)
}

fn network(input: &str) -> Candidate {
    let dense = |units| Operation::Dense {
        units,
        kernel: Quantizer::Float,
        bias: Some(Quantizer::Float),
        fold: None,
    };
    let relu = || Operation::Activation {
        quantizer: Quantizer::Relu,
    };
    Candidate {
        input_shape: vec![INPUTS],
        input_quantizer: input.parse().unwrap(),
        layers: vec![
            Layer::new("fc1", dense(20)),
            Layer::new("relu1", relu()),
            Layer::new("fc2", dense(12)),
            Layer::new("relu2", relu()),
            Layer::new("fc3", dense(3)),
        ],
        head: Head::ARG_MAX,
        scale_bits: SCALE_BITS,
    }
}

fn settings() -> Settings {
    Settings {
        epochs: 30,
        batch_size: 100,
        last_beta: 3e-3,
        averaging: 0.9,
        bits_rate: 0.03,
        ..Settings::default()
    }
}

fn run(kernels: Kernels, granularity: Granularity) -> (Vec<Point>, Vec<EpochPoint>) {
    let (x, y) = rows();
    let candidate = network("quantized_bits(10,2,alpha=1.0)");
    let start = start(&candidate);
    let samples = Samples {
        x: &x,
        y: Targets::Classes(&y),
        rows: ROWS,
        columns: INPUTS,
    };
    let task = Task {
        candidate: &candidate,
        start: &start,
        train: samples,
        validation: samples,
        teacher: None,
    };
    let mut curve = Vec::new();
    let mut note = |point: &EpochPoint| {
        curve.push(point.clone());
        Control::Continue
    };
    let settings = Settings {
        granularity,
        ..settings()
    };
    let points = learn_at(kernels, &task, &settings, 3, &mut note, &|| false).unwrap();
    (points, curve)
}

#[test]
fn points_are_exact_and_a_front() {
    for granularity in GRANULARITIES {
        points_are_exact_and_a_front_of(granularity);
    }
}

fn points_are_exact_and_a_front_of(granularity: Granularity) {
    let (x, y) = rows();
    let (points, curve) = run(Kernels::detect(), granularity);
    assert_eq!(curve.len(), 30);
    let best = curve
        .iter()
        .map(|e| e.validation_accuracy)
        .fold(0.0, f64::max);
    let (first, last) = (&curve[0], &curve[29]);
    assert!(best > 0.85, "{best}");
    assert!(last.ebops < 0.5 * first.ebops, "{first:?} {last:?}");
    assert!(points.len() >= 3);
    for pair in points.windows(2) {
        let [a, b] = [&pair[0].epoch, &pair[1].epoch];
        assert!(a.ebops < b.ebops && a.validation_accuracy < b.validation_accuracy);
    }
    check(&points, &x, &y);
}

#[test]
fn every_level_gives_the_same_bits() {
    for granularity in GRANULARITIES {
        let expected = run(Kernels::at(Level::Scalar).unwrap(), granularity);
        for kernels in Level::ALL.into_iter().filter_map(Kernels::at) {
            assert!(
                run(kernels, granularity) == expected,
                "{kernels:?} {granularity:?}"
            );
        }
    }
}

#[test]
fn a_layers_values_have_one_format_where_it_is_asked() {
    let (points, _) = run(Kernels::detect(), Granularity::Layer);
    for point in points {
        let layers = point.candidate.layers.iter();
        let kinds: Vec<&str> = layers.map(|layer| layer.operation.kind()).collect();
        assert_eq!(kinds, ["activation", "dense"].repeat(3));
    }
}

/// As `the_bits_of_a_known_run` of the training engine: when this fails, learned candidates have other bits
/// than before, which is a new `ENGINE_VERSION`.
#[test]
fn the_bits_of_a_known_front() {
    let (points, _) = run(Kernels::detect(), Granularity::Weight);
    known_bits::check("learned-bits", [bits(&points)]);
}

#[test]
fn what_cannot_be_learned_is_named() {
    let (x, y) = rows();
    let samples = Samples {
        x: &x,
        y: Targets::Classes(&y),
        rows: ROWS,
        columns: INPUTS,
    };
    let text = |candidate: &Candidate, settings: &Settings, cancelled: bool| {
        let start = start(candidate);
        let task = Task {
            candidate,
            start: &start,
            train: samples,
            validation: samples,
            teacher: None,
        };
        let mut go_on = |_: &_| Control::Continue;
        match learn(&task, settings, 1, &mut go_on, &|| cancelled) {
            Err(error) => error.to_string(),
            Ok(_) => "nothing".to_owned(),
        }
    };
    let good = network("quantized_bits(10,2,alpha=1.0)");
    let bad = Settings {
        averaging: 1.0,
        ..settings()
    };
    assert_eq!(
        text(&good, &bad, false),
        "settings: averaging is 1; accepted is at least 0, below 1"
    );
    assert_eq!(
        text(&good, &settings(), true),
        LearnError::Cancelled.to_string()
    );
    let float = text(&network("float"), &settings(), false);
    assert!(
        float.contains("accepted is a signed uniform quantizer"),
        "{float}"
    );
    let mut linear = good;
    let quantizer = "quantized_bits(4,1,alpha=1.0)".parse().unwrap();
    linear.layers[1].operation = Operation::Activation { quantizer };
    let linear = text(&linear, &settings(), false);
    assert!(
        linear.contains("`relu1` is quantized_bits(4,1,alpha=1.0); accepted are"),
        "{linear}"
    );
}

#[test]
fn a_teacher_alone_teaches_its_classes() {
    let (x, y) = rows();
    let nothing = vec![0; ROWS];
    let samples = |y| Samples {
        x: &x,
        y: Targets::Classes(y),
        rows: ROWS,
        columns: INPUTS,
    };
    let logits: Vec<f32> = y
        .iter()
        .flat_map(|class| (0..3).map(move |at| if at == *class { 8.0 } else { 0.0 }))
        .collect();
    let distillation = Distillation {
        temperature: 2.0,
        weight: 1.0,
    };
    let teacher = SoftTargets::new(distillation, &logits, 3);
    let candidate = network("quantized_bits(10,2,alpha=1.0)");
    let start = start(&candidate);
    let task = Task {
        candidate: &candidate,
        start: &start,
        train: samples(&nothing),
        validation: samples(&y),
        teacher: Some(&teacher),
    };
    let mut go_on = |_: &_| Control::Continue;
    let mut at = |kernels| learn_at(kernels, &task, &settings(), 3, &mut go_on, &|| false);
    let expected = at(Kernels::detect()).unwrap();
    let best = expected.last().unwrap().epoch.validation_accuracy;
    assert!(best > 0.85, "{best}");
    for level in Level::ALL {
        if let Some(kernels) = Kernels::at(level) {
            assert!(at(kernels).unwrap() == expected, "{level:?}");
        }
    }
    // Of other rows than it teaches.
    let few = SoftTargets::new(distillation, &logits[..9], 3);
    let task = Task {
        teacher: Some(&few),
        ..task
    };
    let error = learn(&task, &settings(), 3, &mut go_on, &|| false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "samples: a teacher of 3 rows and 3 classes; accepted is one of 1200 rows and 3 classes"
    );
}
