//! The kernels and the 64-bit path give the same integers, and the kernels run what they should.

use std::ops::ControlFlow;

use crate::infer_chain::{Step, plan};
use crate::{Candidate, IntegerProgram, Part, TensorSpec, Weights};

/// Random numbers of a fixed seed.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

fn program(json: &str, random: &mut Random) -> IntegerProgram {
    let candidate: Candidate = serde_json::from_str(json).expect("a candidate");
    assert_eq!(candidate.check(), Ok(()));
    let weights = Weights::build(&candidate, |spec: &TensorSpec| {
        let value = |random: &mut Random| match spec.part {
            Part::Variance => 1.1 + random.unit(),
            _ => random.unit(),
        };
        let count: usize = spec.shape.iter().product();
        (0..count).map(|_| value(random)).collect()
    });
    IntegerProgram::freeze(&candidate, &weights).expect("it freezes")
}

fn rows(program: &IntegerProgram, count: usize, random: &mut Random) -> Vec<i32> {
    let values = (0..count * program.inputs()).map(|_| 4.0 * random.unit());
    program.input_codes(&values.collect::<Vec<_>>())
}

/// Logits by the plain path.
fn plain(program: &IntegerProgram, row: &[i32]) -> Vec<i64> {
    let last = program.trace(row).pop().expect("layers");
    let fractions = &program.layers.last().expect("layers").output.fraction;
    let shift = fractions
        .iter()
        .map(|f| (program.output_fraction - f).max(0));
    last.iter()
        .zip(shift.cycle())
        .map(|(v, s)| v << s)
        .collect()
}

/// First and last layer of each chain of a program.
fn chains(program: &IntegerProgram) -> Vec<(usize, usize)> {
    let of = |step: Step| match step {
        Step::Chain(chain) => Some((chain.first, chain.last)),
        Step::Layer(_) => None,
    };
    plan(program).into_iter().filter_map(of).collect()
}

/// Both paths on random weights and rows; how often each list of chains was planned is checked.
fn agree(json: &str, expected: &[(usize, usize)]) {
    agree_often(20, json, expected);
}

fn agree_often(seeds: u64, json: &str, expected: &[(usize, usize)]) {
    let mut random = Random(3);
    for seed in 0..seeds {
        let program = program(json, &mut random);
        assert_eq!(chains(&program), expected, "seed {seed}");
        let codes = rows(&program, 70, &mut random);
        let logits = program.logits(&codes);
        let expected: Vec<i64> = codes
            .chunks_exact(program.inputs())
            .flat_map(|row| plain(&program, row))
            .collect();
        assert_eq!(logits, expected, "seed {seed}");
        let mut traces: Vec<Vec<i64>> = vec![Vec::new(); program.layers.len()];
        let ended = program.traces(&codes, |block| {
            for (all, values) in traces.iter_mut().zip(block) {
                all.extend(values);
            }
            ControlFlow::Continue(())
        });
        assert_eq!(ended, ControlFlow::Continue(()));
        for (at, row) in codes.chunks_exact(program.inputs()).enumerate() {
            for (layer, values) in program.trace(row).iter().enumerate() {
                let size = values.len();
                let found = &traces[layer][at * size..(at + 1) * size];
                assert_eq!(found, values, "seed {seed}, layer {layer}");
            }
        }
        let largest = |row: &[i64]| {
            let most = row.iter().max().expect("outputs");
            row.iter().position(|v| v == most).expect("it is there") as u8
        };
        if let Some(classes) = program.classify(&codes) {
            let expected = expected.chunks_exact(program.outputs()).map(largest);
            assert_eq!(classes, expected.collect::<Vec<_>>());
        }
        if let Some(softmax) = program.softmax() {
            let probabilities = program.probabilities(&codes).expect("tables");
            let expected = expected.chunks_exact(program.outputs());
            let expected = expected.flat_map(|row| softmax.probabilities(row));
            assert_eq!(probabilities, expected.collect::<Vec<_>>());
        }
    }
}

const DENSE: &str = r#""kernel": "quantized_bits(6,0,alpha=1.0)",
    "bias": "quantized_bits(6,0,alpha=1.0)", "fold": null"#;
const SCALED: &str = r#""kernel": "quantized_bits(4,0,alpha='auto')",
    "bias": "quantized_bits(6,1,alpha=1.0)", "fold": null"#;
const RELU: &str = r#""kind": "activation", "quantizer": "quantized_relu(6,1)""#;

#[test]
fn a_stack_with_a_normalisation_is_one_chain() {
    let json = format!(
        r#"{{"input_shape": [5], "input_quantizer": "quantized_bits(8,2,alpha=1.0)",
        "head": {{"kind": "softmax", "tables": {{"address_bits": 8, "address_fraction": 4,
            "exp_fraction": 12, "inverse_fraction": 12, "output_fraction": 10}}}},
        "layers": [
          {{"name": "a", "operation": {{"kind": "dense", "units": 20, {DENSE}}}}},
          {{"name": "b", "operation": {{"kind": "batch_norm", "epsilon": 0.001, "momentum": 0.9,
             "scale_bits": 3, "offset_bits": 4}}}},
          {{"name": "c", "operation": {{{RELU}}}}},
          {{"name": "d", "operation": {{"kind": "dropout", "rate": 0.5}}}},
          {{"name": "e", "operation": {{"kind": "dense", "units": 7, {DENSE}}}}},
          {{"name": "f", "operation": {{{RELU}}}}},
          {{"name": "g", "operation": {{"kind": "dense", "units": 3, {DENSE}}}}}]}}"#
    );
    agree(&json, &[(0, 6)]);
}

#[test]
fn an_image_network_runs_its_convolutions_in_kernels() {
    let window = r#"{"size": [3, 2], "strides": [1, 2], "dilation": [1, 1], "padding": "same"}"#;
    let json = format!(
        r#"{{"input_shape": [5, 4, 2], "input_quantizer": "quantized_bits(6,2,alpha=1.0)",
        "head": {{"kind": "softmax"}},
        "layers": [
          {{"name": "a", "operation": {{"kind": "conv", "filters": 4, "window": {window}, {SCALED}}}}},
          {{"name": "b", "operation": {{{RELU}}}}},
          {{"name": "c", "operation": {{"kind": "dense", "units": 5, {DENSE}}}}},
          {{"name": "d", "operation": {{{RELU}}}}},
          {{"name": "e", "operation": {{"kind": "depthwise_conv", "multiplier": 2,
             "window": {window}, {DENSE}}}}},
          {{"name": "f", "operation": {{{RELU}}}}},
          {{"name": "g", "operation": {{"kind": "max_pool", "window":
             {{"size": [2, 1], "strides": [2, 1], "dilation": [1, 1], "padding": "same"}}}}}},
          {{"name": "h", "operation": {{"kind": "flatten"}}}},
          {{"name": "i", "operation": {{"kind": "dense", "units": 4, {SCALED}}}}}]}}"#
    );
    agree(&json, &[(0, 3), (8, 8)]);
}

#[test]
fn branches_end_chains() {
    let json = format!(
        r#"{{"input_shape": [3, 2], "input_quantizer": "quantized_bits(6,2,alpha=1.0)",
        "head": {{"kind": "linear"}},
        "layers": [
          {{"name": "a", "operation": {{"kind": "dense", "units": 4, {DENSE}}}}},
          {{"name": "b", "operation": {{{RELU}}}}},
          {{"name": "c", "operation": {{"kind": "dense", "units": 4, {SCALED}}}}},
          {{"name": "d", "inputs": ["b", "c"], "operation": {{"kind": "add"}}}},
          {{"name": "e", "operation": {{"kind": "activation", "quantizer": "ternary(alpha=1.0)"}}}},
          {{"name": "f", "inputs": ["e", "b", "input"], "operation": {{"kind": "concatenate"}}}},
          {{"name": "g", "operation": {{"kind": "global_average_pool", "reciprocal_bits": 7}}}}]}}"#
    );
    agree(&json, &[(0, 1), (2, 2)]);
}

#[test]
fn fixed_point_of_most_modes_stays_in_the_chain() {
    let roundings = [
        "TRN",
        "TRN_ZERO",
        "RND",
        "RND_ZERO",
        "RND_MIN_INF",
        "RND_INF",
        "RND_CONV",
    ];
    let overflows = [
        ("SAT", true),
        ("SAT_SYM", true),
        ("SAT_ZERO", true),
        ("WRAP", true),
        ("WRAP,2", false),
        ("WRAP_SM", false),
    ];
    for rounding in roundings {
        for (overflow, whole) in overflows {
            let activation = format!("ap_fixed<6,2,AP_{rounding},AP_{overflow}>");
            let json = format!(
                r#"{{"input_shape": [6], "input_quantizer": "ap_fixed<8,4>",
                "head": {{"kind": "softmax"}},
                "layers": [
                  {{"name": "a", "operation": {{"kind": "dense", "units": 9, {DENSE}}}}},
                  {{"name": "b", "operation": {{"kind": "activation", "quantizer": "{activation}"}}}},
                  {{"name": "c", "operation": {{"kind": "dense", "units": 3, {DENSE}}}}}]}}"#
            );
            if whole {
                agree_often(4, &json, &[(0, 2)]);
            } else {
                agree_often(4, &json, &[(0, 0), (2, 2)]);
            }
        }
    }
}

#[test]
fn wide_sums_stay_on_64_bits() {
    let wide = "quantized_bits(20,3,alpha=1.0)";
    let json = format!(
        r#"{{"input_shape": [4], "input_quantizer": "{wide}", "head": {{"kind": "sigmoid"}},
        "layers": [
          {{"name": "a", "operation": {{"kind": "dense", "units": 6, "kernel": "{wide}",
             "bias": "{wide}", "fold": null}}}},
          {{"name": "b", "operation": {{"kind": "activation", "quantizer": "quantized_relu(6,4)"}}}},
          {{"name": "c", "operation": {{"kind": "dense", "units": 2, {DENSE}}}}}]}}"#
    );
    agree(&json, &[(2, 2)]);
}

#[test]
#[should_panic(expected = "input codes are within -32..=31")]
fn codes_out_of_range_are_refused() {
    let json = format!(
        r#"{{"input_shape": [2], "input_quantizer": "quantized_bits(6,2,alpha=1.0)",
        "head": {{"kind": "linear"}},
        "layers": [{{"name": "a", "operation": {{"kind": "dense", "units": 4, {DENSE}}}}}]}}"#
    );
    program(&json, &mut Random(1)).logits(&[3, 32]);
}

#[test]
fn traces_end_where_their_reader_breaks() {
    let json = format!(
        r#"{{"input_shape": [3], "input_quantizer": "quantized_bits(6,2,alpha=1.0)", "head": {{"kind": "linear"}},
        "layers": [{{"name": "a", "operation": {{"kind": "dense", "units": 2, {DENSE}}}}}]}}"#
    );
    let mut random = Random(5);
    let program = program(&json, &mut random);
    let codes = rows(&program, 3000, &mut random);
    let mut seen = 0;
    let ended = program.traces(&codes, |block| {
        seen += block[0].len() / 2;
        ControlFlow::Break(())
    });
    assert_eq!(ended, ControlFlow::Break(()));
    assert!((1..3000).contains(&seen), "{seen} rows");
}
