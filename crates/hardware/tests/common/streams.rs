//! Networks for streamed circuits: images, a series, features.

#![allow(dead_code, reason = "each test uses a part of this")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "layers read better as values"
)]

use bitfront_hardware::circuit::{BuildOptions, Multipliers};
use bitfront_hardware::streamed::{StreamOptions, StreamedCircuit};
use bitfront_network::{Candidate, IntegerProgram, Part, Weights};
use serde_json::{Value, json};

pub(crate) const SIX: &str = "quantized_bits(6,0,alpha=1.0)";

/// The same numbers on every machine, from -1 to 1.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

pub(crate) fn layer(name: &str, operation: Value) -> Value {
    json!({"name": name, "operation": operation})
}

pub(crate) fn dense(name: &str, units: usize, kernel: &str) -> Value {
    layer(
        name,
        json!({"kind": "dense", "units": units, "kernel": kernel, "bias": SIX, "fold": null}),
    )
}

pub(crate) fn activation(name: &str, quantizer: &str) -> Value {
    layer(name, json!({"kind": "activation", "quantizer": quantizer}))
}

pub(crate) fn window(
    size: &[usize],
    strides: &[usize],
    dilation: &[usize],
    padding: &str,
) -> Value {
    json!({"size": size, "strides": strides, "dilation": dilation, "padding": padding})
}

pub(crate) fn conv(name: &str, filters: usize, kernel: &str, window: Value) -> Value {
    layer(
        name,
        json!({"kind": "conv", "filters": filters, "window": window, "kernel": kernel,
        "bias": SIX, "fold": null}),
    )
}

pub(crate) fn program(shape: &[usize], input: &str, layers: Vec<Value>) -> IntegerProgram {
    program_with(shape, input, layers, |_, _, drawn| drawn)
}

/// The same with weights that a rule makes of those that are drawn, by tensor shape and index.
pub(crate) fn program_with(
    shape: &[usize],
    input: &str,
    layers: Vec<Value>,
    rule: impl Fn(&[usize], usize, f32) -> f32,
) -> IntegerProgram {
    program_of(11, shape, input, layers, rule)
}

/// The same with weights of a seed.
pub(crate) fn program_of(
    seed: u64,
    shape: &[usize],
    input: &str,
    layers: Vec<Value>,
    rule: impl Fn(&[usize], usize, f32) -> f32,
) -> IntegerProgram {
    let candidate = json!({"input_shape": shape, "input_quantizer": input, "layers": layers,
        "head": {"kind": "linear"}});
    let candidate: Candidate = serde_json::from_value(candidate).unwrap();
    let mut random = Random(seed);
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

pub(crate) fn image() -> IntegerProgram {
    let pool = window(&[2, 2], &[2, 2], &[1, 1], "valid");
    program(
        &[6, 5, 2],
        "quantized_bits(4,1,alpha=1.0)",
        vec![
            conv("conv1", 3, SIX, window(&[3, 3], &[1, 1], &[1, 1], "same")),
            activation("relu1", "quantized_relu(4,2)"),
            layer(
                "pool",
                json!({"kind": "max_pool", "window": window(&[2, 2], &[1, 1], &[1, 1], "same")}),
            ),
            conv("conv2", 4, SIX, window(&[3, 2], &[2, 1], &[1, 1], "same")),
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

/// The first filter of each convolution is zero behind its rectifier, whatever the image.
pub(crate) fn silent_filter() -> IntegerProgram {
    let silence = |shape: &[usize], at: usize, drawn: f32| match shape {
        [2 | 3] if at == 0 => -0.5,
        [_, _, _, filters @ (2 | 3)] if at.is_multiple_of(*filters) => 0.0,
        _ => drawn,
    };
    let convolution = || window(&[3, 3], &[1, 1], &[1, 1], "same");
    program_with(
        &[4, 4, 1],
        "quantized_bits(4,1,alpha=1.0)",
        vec![
            conv("conv1", 2, SIX, convolution()),
            activation("relu1", "quantized_relu(4,2)"),
            conv("conv2", 3, SIX, convolution()),
            activation("relu2", "quantized_relu(4,2)"),
            layer("flat", json!({"kind": "flatten"})),
            dense("output", 3, SIX),
        ],
        silence,
    )
}

pub(crate) fn sequence() -> IntegerProgram {
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

pub(crate) fn features() -> IntegerProgram {
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

/// Dense layers whose weights lie on a coarser grid the earlier their output: multiples of 4, 2 and 1, in turns.
pub(crate) fn coarse() -> IntegerProgram {
    let rule = |shape: &[usize], at: usize, drawn: f32| {
        let outputs = shape[shape.len() - 1];
        let grid = 0.125 * [4.0, 2.0, 1.0][at % outputs % 3];
        (drawn / grid).round_ties_even() * grid
    };
    program_with(
        &[6],
        "quantized_bits(5,2,alpha=1.0)",
        vec![
            dense("fc1", 6, "quantized_bits(5,1,alpha=1.0)"),
            activation("relu1", "quantized_relu(4,2)"),
            dense("output", 3, "quantized_bits(5,1,alpha=1.0)"),
        ],
        rule,
    )
}

/// Rows of input codes: both ends, then random ones.
pub(crate) fn rows(program: &IntegerProgram, count: usize) -> Vec<i32> {
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

pub(crate) fn cases() -> Vec<(&'static str, IntegerProgram, u32)> {
    vec![
        ("image", image(), 1),
        ("image_reused", image(), 3),
        ("silent", silent_filter(), 1),
        ("series", sequence(), 1),
        ("features", features(), 3),
        ("features_serial", features(), 7),
        ("coarse", coarse(), 2),
    ]
}

pub(crate) fn built(program: &IntegerProgram, reuse: u32) -> StreamedCircuit {
    built_of(program, reuse, Multipliers::Luts)
}

/// The same with products that are made of something.
pub(crate) fn built_of(
    program: &IntegerProgram,
    reuse: u32,
    multipliers: Multipliers,
) -> StreamedCircuit {
    let circuit = BuildOptions {
        multipliers,
        ..BuildOptions::default()
    };
    StreamedCircuit::build(program, &StreamOptions { reuse, circuit }).unwrap()
}
