//! Streamed circuits equal integer inference, evaluated and simulated, and take the cycles that are said.

#![expect(
    clippy::needless_pass_by_value,
    reason = "layers read better as values"
)]

#[path = "common/verilator.rs"]
mod verilator;

use bitfront_hardware::streamed::{StreamOptions, StreamedCircuit};
use bitfront_hardware::verilog::BenchReport;
use bitfront_network::{Candidate, IntegerProgram, Part, Weights};
use serde_json::{Value, json};
use verilator::{build_runtime, compile, run};

const SIX: &str = "quantized_bits(6,0,alpha=1.0)";

/// The same numbers on every machine, from -1 to 1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

fn layer(name: &str, operation: Value) -> Value {
    json!({"name": name, "operation": operation})
}

fn dense(name: &str, units: usize, kernel: &str) -> Value {
    layer(
        name,
        json!({"kind": "dense", "units": units, "kernel": kernel, "bias": SIX, "fold": null}),
    )
}

fn activation(name: &str, quantizer: &str) -> Value {
    layer(name, json!({"kind": "activation", "quantizer": quantizer}))
}

fn window(size: &[usize], strides: &[usize], dilation: &[usize], padding: &str) -> Value {
    json!({"size": size, "strides": strides, "dilation": dilation, "padding": padding})
}

fn conv(name: &str, filters: usize, window: Value) -> Value {
    layer(
        name,
        json!({"kind": "conv", "filters": filters, "window": window, "kernel": SIX,
        "bias": SIX, "fold": null}),
    )
}

fn program(shape: &[usize], input: &str, layers: Vec<Value>) -> IntegerProgram {
    program_with(shape, input, layers, |_, _, drawn| drawn)
}

/// The same with weights that a rule makes of those that are drawn, by tensor shape and index.
fn program_with(
    shape: &[usize],
    input: &str,
    layers: Vec<Value>,
    rule: impl Fn(&[usize], usize, f32) -> f32,
) -> IntegerProgram {
    let candidate = json!({"input_shape": shape, "input_quantizer": input, "layers": layers,
        "head": {"kind": "linear"}});
    let candidate: Candidate = serde_json::from_value(candidate).unwrap();
    let mut random = Random(11);
    let weights = Weights::build(&candidate, |tensor| {
        let size = tensor.shape.iter().product();
        let mut value = || match tensor.part {
            Part::Variance => 1.0 + random.next().abs(),
            Part::Bias => 0.3 * random.next(),
            _ => random.next(),
        };
        let drawn = (0..size).map(|at| rule(&tensor.shape, at, value()));
        drawn.collect()
    });
    IntegerProgram::freeze(&candidate, &weights).unwrap()
}

fn image() -> IntegerProgram {
    let pool = window(&[2, 2], &[2, 2], &[1, 1], "valid");
    program(
        &[6, 5, 2],
        "quantized_bits(4,1,alpha=1.0)",
        vec![
            conv("conv1", 3, window(&[3, 3], &[1, 1], &[1, 1], "same")),
            activation("relu1", "quantized_relu(4,2)"),
            layer(
                "pool",
                json!({"kind": "max_pool", "window": window(&[2, 2], &[1, 1], &[1, 1], "same")}),
            ),
            conv("conv2", 4, window(&[3, 2], &[2, 1], &[1, 1], "same")),
            activation("relu2", "quantized_relu(4,2)"),
            layer(
                "mean",
                json!({"kind": "average_pool", "window": pool, "reciprocal_bits": 6}),
            ),
            layer("flat", json!({"kind": "flatten"})),
            dense("fc1", 5, SIX),
            activation("relu3", "quantized_relu(5,3)"),
            dense("output", 3, "ternary(alpha=1.0)"),
        ],
    )
}

/// The first filter is zero behind its rectifier, whatever the image.
fn silent_filter() -> IntegerProgram {
    let silence = |shape: &[usize], at: usize, drawn: f32| match shape {
        [2] if at == 0 => -0.5,
        [_, _, _, 2] if at.is_multiple_of(2) => 0.0,
        _ => drawn,
    };
    let convolution = || window(&[3, 3], &[1, 1], &[1, 1], "same");
    program_with(
        &[4, 4, 1],
        "quantized_bits(4,1,alpha=1.0)",
        vec![
            conv("conv1", 2, convolution()),
            activation("relu1", "quantized_relu(4,2)"),
            conv("conv2", 3, convolution()),
            activation("relu2", "quantized_relu(4,2)"),
            layer("flat", json!({"kind": "flatten"})),
            dense("output", 3, SIX),
        ],
        silence,
    )
}

fn sequence() -> IntegerProgram {
    program(
        &[11, 3],
        "quantized_bits(5,1,alpha=1.0)",
        vec![
            layer(
                "depthwise",
                json!({"kind": "depthwise_conv", "multiplier": 2,
            "window": window(&[3], &[1], &[2], "same"), "kernel": SIX, "bias": null, "fold": null}),
            ),
            layer(
                "bn",
                json!({"kind": "batch_norm", "epsilon": 0.001, "momentum": 0.99, "scale_bits": 3,
            "offset_bits": 5}),
            ),
            activation("act1", "quantized_bits(4,2,alpha=1.0)"),
            layer(
                "separable",
                json!({"kind": "separable_conv", "filters": 4, "multiplier": 1,
            "window": window(&[4], &[2], &[1], "valid"), "depthwise_kernel": SIX,
            "pointwise_kernel": "binary(alpha=1.0)", "bias": SIX}),
            ),
            activation("act2", "quantized_relu(4,3)"),
            dense("positionwise", 2, SIX),
            activation("act3", "quantized_relu(4,2)"),
            layer(
                "mean",
                json!({"kind": "global_average_pool", "reciprocal_bits": 7}),
            ),
            dense("output", 2, SIX),
        ],
    )
}

fn features() -> IntegerProgram {
    program(
        &[7],
        "quantized_bits(6,2,alpha=1.0)",
        vec![
            dense("fc1", 9, "quantized_bits(5,0,alpha='auto')"),
            activation("relu1", "quantized_relu(5,2)"),
            dense("fc2", 4, SIX),
            activation("signs", "ternary(alpha=1.0)"),
            dense("output", 3, SIX),
        ],
    )
}

/// Rows of input codes: both ends, then random ones.
fn rows(program: &IntegerProgram, count: usize) -> Vec<i32> {
    let (range, mut random) = (program.input.hull(), Random(5));
    let width = (range.hi - range.lo + 1) as f32;
    let size = program.inputs();
    let code = |at: usize| match at / size {
        0 => range.lo,
        1 => range.hi,
        _ => range.lo + (f32::midpoint(random.next(), 1.0) * width) as i64,
    };
    (0..count * size)
        .map(code)
        .map(|code| code.clamp(range.lo, range.hi) as i32)
        .collect()
}

fn cases() -> Vec<(&'static str, IntegerProgram, u32)> {
    vec![
        ("image", image(), 1),
        ("image_reused", image(), 3),
        ("silent", silent_filter(), 1),
        ("series", sequence(), 1),
        ("features", features(), 3),
        ("features_serial", features(), 7),
    ]
}

fn built(program: &IntegerProgram, reuse: u32) -> StreamedCircuit {
    let options = StreamOptions {
        reuse,
        ..StreamOptions::default()
    };
    StreamedCircuit::build(program, &options).unwrap()
}

#[test]
fn evaluation_equals_integer_inference() {
    for (name, program, reuse) in cases() {
        let circuit = built(&program, reuse);
        let codes = rows(&program, 400);
        let expected = program.logits(&codes);
        let outputs = program.outputs();
        assert!(
            expected
                .chunks(outputs)
                .any(|row| row != &expected[..outputs]),
            "{name}"
        );
        for (row, logits) in codes.chunks(program.inputs()).zip(expected.chunks(outputs)) {
            let row: Vec<i64> = row.iter().map(|code| i64::from(*code)).collect();
            assert_eq!(circuit.evaluate(&row), logits, "{name}");
        }
    }
}

#[test]
fn simulation_equals_integer_inference_with_and_without_pauses() {
    let folder = tempfile::tempdir().unwrap();
    let root = build_runtime(folder.path());
    for (name, program, reuse) in cases() {
        let circuit = built(&program, reuse);
        let codes = rows(&program, 60);
        let expected = program.logits(&codes);
        let (rtl, bench) = (circuit.verilog(name), circuit.test_bench(name));
        let binary = compile(folder.path(), &root, name, (&rtl, &bench));
        let inputs: Vec<i64> = codes.iter().map(|code| i64::from(*code)).collect();
        let equal = BenchReport {
            vectors: 60,
            mismatches: 0,
            first: None,
        };
        let vectors = circuit.vectors_file(&inputs, &expected);
        assert_eq!(
            run(folder.path(), &binary, &vectors),
            (equal, true),
            "{name}"
        );
        // One wrong bit of one row is found in both passes.
        let mut wrong = expected;
        wrong[20 * program.outputs()] ^= 1;
        let vectors = circuit.vectors_file(&inputs, &wrong);
        let found = BenchReport {
            vectors: 60,
            mismatches: 2,
            first: Some(20),
        };
        assert_eq!(
            run(folder.path(), &binary, &vectors),
            (found, false),
            "{name}"
        );
    }
}

#[test]
fn sharing_takes_fewer_multipliers_and_more_cycles() {
    let program = features();
    let (three, seven) = (built(&program, 3), built(&program, 7));
    // 7 words in 3 parts are 3 lanes for 9 outputs; 9 in 3 are 3 for 4; 4 in 2 are 2 for 3.
    assert_eq!(three.multipliers(), 3 * 9 + 3 * 4 + 2 * 3);
    assert_eq!(three.initiation_interval(), 3);
    assert_eq!(seven.multipliers(), 9 + 2 * 4 + 3);
    assert_eq!(seven.initiation_interval(), 7);
    assert_eq!(built(&program, 1).multipliers(), 0);
}

#[test]
fn what_does_not_stream_is_refused_by_layer() {
    let refused = |layers: Vec<Value>| {
        let program = program(&[4, 4, 1], "quantized_bits(4,1,alpha=1.0)", layers);
        StreamedCircuit::build(&program, &StreamOptions::default())
            .unwrap_err()
            .to_string()
    };
    let pool = window(&[2, 2], &[1, 1], &[1, 1], "same");
    let text = refused(vec![layer(
        "pool",
        json!({"kind": "max_pool", "window": pool}),
    )]);
    assert!(
        text.contains("layer pool has no circuit: takes maxima over a border"),
        "{text}"
    );
    let text = refused(vec![layer(
        "padded",
        json!({"kind": "zero_padding", "border": [[1, 0], [0, 1]]}),
    )]);
    assert!(
        text.contains("layer padded has no circuit: pads by itself"),
        "{text}"
    );
    let text = refused(vec![
        activation("act", "quantized_relu(4,1)"),
        json!({"name": "sum", "inputs": ["act", "input"], "operation": {"kind": "add"}}),
    ]);
    assert!(
        text.contains("layer sum has no circuit: it reads other layers"),
        "{text}"
    );
}
