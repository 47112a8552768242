//! Streamed circuits equal integer inference, evaluated and simulated, and take the cycles that are said.

#[path = "common/streams.rs"]
mod streams;
#[path = "common/verilator.rs"]
mod verilator;

use bitfront_hardware::design::{Design, DesignOptions, Layout};
use bitfront_hardware::streamed::{StreamOptions, StreamedCircuit};
use bitfront_hardware::verilog::BenchReport;
use bitfront_hardware::{Costs, program_costs};
use bitfront_network::{IntegerOperation, IntegerProgram};
use serde_json::{Value, json};
use streams::{activation, built, cases, coarse, features, layer, program, rows, window};
use verilator::{build_runtime, compile, run};

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
fn costs_say_the_interval_and_what_is_estimated() {
    for (name, program, reuse) in cases() {
        let layout = Layout::Streamed { reuse };
        layout.check(&program.candidate).unwrap();
        let options = DesignOptions {
            layout,
            ..DesignOptions::default()
        };
        let costs = Design::build(&program, &options).unwrap().costs(&program);
        let circuit = built(&program, reuse);
        assert_eq!(
            (costs.initiation_interval, u64::from(costs.cycles)),
            (circuit.initiation_interval(), circuit.latency()),
            "{name}"
        );
        assert!(costs.lut_estimate > 0 && costs.ff_estimate > 0, "{name}");
        assert!(costs.carry_estimate > Some(0), "{name}");
        assert!(costs.levels_estimate > Some(1), "{name}");
        assert!(costs.fmax_estimate_mhz > Some(100.0), "{name}");
        let json = serde_json::to_value(costs).unwrap();
        assert_eq!(json["initiation_interval"], costs.initiation_interval);
        // Scores of unrolled circuits are stored as they were.
        let unrolled = program_costs(&program);
        let unrolled = serde_json::to_value(unrolled.unwrap()).unwrap();
        assert_eq!(unrolled.get("initiation_interval"), None);
        let again: Costs = serde_json::from_value(unrolled).unwrap();
        assert_eq!(again.initiation_interval, 1);
    }
}

#[test]
fn low_zeros_that_all_weights_have_are_in_no_register() {
    let rtl = built(&coarse(), 2).verilog("coarse");
    let widths = |start: &str, output: usize| -> Vec<u32> {
        let end = format!("_{output};");
        let registers = rtl.lines().filter_map(|line| {
            let (bits, name) = line.trim().strip_prefix("reg [")?.split_once(":0] ")?;
            (name.starts_with(start) && name.ends_with(&end)).then(|| bits.parse::<u32>())
        });
        registers.map(|bits| bits.unwrap() + 1).collect()
    };
    // Weights up to 1 in eighths are codes of five bits, less the zeros of multiples of 4 and of 2.
    for (output, most) in [(0, 3), (1, 4), (2, 5)] {
        let widest = widths("w", output).into_iter().max();
        assert!(
            widest.is_some_and(|widest| widest <= most),
            "{output}: {rtl}"
        );
    }
    let bits = |output| widths("t", output).iter().sum::<u32>();
    assert!(bits(0) < bits(2), "{rtl}");
}

#[test]
fn what_does_not_stream_is_refused_by_layer() {
    let layout = Layout::Streamed { reuse: 1 };
    let refused = |layers: Vec<Value>| {
        let program = program(&[4, 4, 1], "quantized_bits(4,1,alpha=1.0)", layers);
        let error = StreamedCircuit::build(&program, &StreamOptions::default()).unwrap_err();
        // What is told without weights is told the same; ranges are known with them.
        match layout.check(&program.candidate) {
            Ok(()) => assert!(error.reason.contains("over a border"), "{error}"),
            early => assert_eq!(early, Err(error.clone())),
        }
        error.to_string()
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

#[test]
fn a_weight_of_another_bit_is_no_proof() {
    for (name, program, reuse) in cases() {
        let circuit = built(&program, reuse);
        circuit.check_against(&program).unwrap();
        let weights = |number: usize| match &program.layers[number].operation {
            IntegerOperation::Linear(linear) => linear.kernel.len(),
            _ => 0,
        };
        let codes = rows(&program, 50);
        let mut other = program.clone();
        for number in 0..other.layers.len() {
            for at in (0..weights(number)).step_by(7) {
                flip(&mut other, number, at);
                if let Err(error) = circuit.check_against(&other) {
                    assert_eq!(error.layer, program.layers[number].name, "{name}: {error}");
                } else {
                    // What a filter that is always silent sums up is no part of a circuit.
                    assert_eq!(name, "silent", "weight {at} of layer {number}");
                    assert_eq!(program.logits(&codes), other.logits(&codes));
                }
                flip(&mut other, number, at);
            }
        }
        circuit.check_against(&other).unwrap();
    }
}

/// Turns the lowest bit of a weight.
fn flip(program: &mut IntegerProgram, layer: usize, at: usize) {
    if let IntegerOperation::Linear(linear) = &mut program.layers[layer].operation {
        linear.kernel[at] ^= 1;
    }
}
