//! Every rounding and overflow mode gives the same codes as a fake quantizer, in integer inference, in a
//! circuit and in its simulated Verilog.

mod common;
#[path = "common/verilator.rs"]
mod verilator;

use bitfront_hardware::circuit::{Circuit, Operation};
use bitfront_hardware::verilog::{BenchReport, emit, test_bench, vectors_file};
use bitfront_network::{Candidate, Head, IntegerProgram, Layer, Operation as LayerOperation};
use bitfront_quantizer::{Quantizer, Role};
use common::{ROUNDING, Random};
use std::process::Command;
use verilator::{build_runtime, compile, run};

const OVERFLOW: [&str; 10] = [
    "AP_SAT",
    "AP_SAT_ZERO",
    "AP_SAT_SYM",
    "AP_WRAP",
    "AP_WRAP,1",
    "AP_WRAP,2",
    "AP_WRAP_SM",
    "AP_WRAP_SM,1",
    "AP_WRAP_SM,2",
    "AP_WRAP_SM,3",
];

/// Every mode at a random width and binary point, with and without a sign where there is a choice.
fn every_mode(random: &mut Random) -> Vec<Quantizer> {
    let mut all = Vec::new();
    for rounding in ROUNDING {
        for overflow in OVERFLOW {
            for sign in ["", "u"] {
                if sign == "u" && overflow.starts_with("AP_WRAP_SM") {
                    continue;
                }
                let width = random.within(3, 7);
                let integer = random.within(-1, 6);
                let text = format!("ap_{sign}fixed<{width},{integer},{rounding},{overflow}>");
                all.push(text.parse().unwrap());
            }
        }
    }
    all
}

fn network(inputs: usize, input: &str, layers: Vec<Layer>) -> Candidate {
    let candidate = Candidate {
        input_shape: vec![inputs],
        input_quantizer: input.parse().unwrap(),
        layers,
        head: Head::Linear,
        scale_bits: 12,
    };
    candidate.check().unwrap();
    candidate
}

/// An input for each quantizer, and nothing else.
fn alone(input: &str, quantizers: &[Quantizer]) -> Candidate {
    let quantizers = quantizers.to_vec();
    let layer = Layer::new("act", LayerOperation::ChannelActivation { quantizers });
    network(layer_inputs(&layer), input, vec![layer])
}

fn layer_inputs(layer: &Layer) -> usize {
    match &layer.operation {
        LayerOperation::ChannelActivation { quantizers } => quantizers.len(),
        _ => unreachable!("it is the layer above"),
    }
}

/// The sum behind a dense layer for each quantizer, and another layer that reads the codes.
fn behind_sums(quantizers: &[Quantizer]) -> Candidate {
    let dense = |units| LayerOperation::Dense {
        units,
        kernel: "quantized_bits(5,1,alpha=1.0)".parse().unwrap(),
        bias: Some("quantized_bits(6,2,alpha=1.0)".parse().unwrap()),
        fold: None,
    };
    let quantizers = quantizers.to_vec();
    let layers = vec![
        Layer::new("fc1", dense(quantizers.len())),
        Layer::new("act", LayerOperation::ChannelActivation { quantizers }),
        Layer::new("fc2", dense(3)),
    ];
    network(5, "quantized_bits(6,2,alpha=1.0)", layers)
}

fn frozen(candidate: &Candidate) -> IntegerProgram {
    let weights = common::graphs::weights(candidate, 5);
    IntegerProgram::freeze(candidate, &weights).unwrap()
}

fn narrow(rows: &[i64]) -> Vec<i32> {
    rows.iter().map(|&code| code as i32).collect()
}

/// All input codes of [`alone`], the same for each channel, and the codes that fake quantizers give.
fn every_code(program: &IntegerProgram, quantizers: &[Quantizer]) -> (Vec<i64>, Vec<i64>) {
    let range = program.input.range[0];
    let (mut rows, mut codes) = (Vec::new(), Vec::new());
    for x in range.lo..=range.hi {
        let real = x as f32 * 2f32.powi(-program.input.fraction[0]);
        for quantizer in quantizers {
            rows.push(x);
            let mut value = [0.0];
            quantizer.quantize(&[real], 1, &mut value);
            let grid = quantizer.grid(Role::Activation).unwrap();
            let code = f64::from(value[0]) * 2f64.powi(grid.fraction);
            assert_eq!(code.fract(), 0.0, "{quantizer} of {real}");
            // A channel that is always zero may have a finer grid.
            let shift = (program.output_fraction - grid.fraction).max(0);
            codes.push((code as i64) << shift);
        }
    }
    (rows, codes)
}

/// What a circuit gives for rows, after its proof.
fn evaluated(program: &IntegerProgram, circuit: &Circuit, rows: &[i64]) -> Vec<i64> {
    circuit.check_against(program).unwrap();
    let rows = rows.chunks(program.inputs());
    rows.flat_map(|row| circuit.evaluate(row)).collect()
}

#[test]
fn a_circuit_has_the_codes_of_the_fake_quantizer_for_every_input() {
    let mut random = Random(7);
    for input in [
        "quantized_bits(9,4,alpha=1.0)",
        "quantized_bits(8,4,keep_negative=0,alpha=1.0)",
        "quantized_bits(7,6,alpha=1.0)",
        "quantized_bits(6,-2,alpha=1.0)",
    ] {
        for _ in 0..6 {
            let quantizers = every_mode(&mut random);
            let program = frozen(&alone(input, &quantizers));
            let (rows, codes) = every_code(&program, &quantizers);
            assert_eq!(program.logits(&narrow(&rows)), codes, "{input}");
            let circuit = Circuit::build(&program).unwrap();
            let found = evaluated(&program, &circuit, &rows);
            let differs = found.iter().zip(&codes).position(|(f, c)| f != c);
            let place = differs.map(|at| (&quantizers[at % quantizers.len()], rows[at]));
            assert_eq!(place, None, "{input}");
            intervals_are_exact(&program, &circuit, &rows);
        }
    }
}

/// The range of each output word is that of the codes that come out, but for saturated bits and wraps to
/// and fro over very many sums.
fn intervals_are_exact(program: &IntegerProgram, circuit: &Circuit, rows: &[i64]) {
    let codes = evaluated(program, circuit, rows);
    let outputs = circuit.outputs().len();
    for (channel, port) in circuit.outputs().iter().enumerate() {
        let of_channel = codes.iter().skip(channel).step_by(outputs);
        let ends = (of_channel.clone().min(), of_channel.max());
        assert_eq!(ends, (Some(&port.range.lo), Some(&port.range.hi)));
        let format = &program.layers[0].output;
        let shift = (program.output_fraction - format.fraction[channel]).max(0);
        let range = format.range[channel];
        assert_eq!(port.range.lo, range.lo << shift);
        assert_eq!(port.range.hi, range.hi << shift);
    }
}

#[test]
fn truncation_that_wraps_is_wires() {
    let quantizers = ["ap_fixed<8,4>".parse().unwrap()];
    let program = frozen(&alone("quantized_bits(16,8,alpha=1.0)", &quantizers));
    let circuit = Circuit::build(&program).unwrap();
    assert!(
        circuit
            .nodes()
            .iter()
            .any(|node| matches!(node.operation, Operation::Requantize { .. }))
    );
    let costs = bitfront_hardware::circuit_costs(&program, &circuit);
    assert_eq!((costs.lut_estimate, costs.carry_estimate), (0, Some(0)));
    // What falls away on either side is no register.
    assert_eq!(costs.ff_estimate, 16);
}

#[test]
fn verilog_has_every_mode() {
    let found = Command::new("verilator").arg("--version").output();
    if !found.is_ok_and(|output| output.status.success()) {
        common::skipped::skipped("verilator");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = build_runtime(folder.path());
    let mut random = Random(11);
    for (name, input) in [
        ("with_sign", "quantized_bits(10,4,alpha=1.0)"),
        (
            "without_sign",
            "quantized_bits(8,4,keep_negative=0,alpha=1.0)",
        ),
        ("coarse", "quantized_bits(6,5,alpha=1.0)"),
    ] {
        let quantizers = [every_mode(&mut random), every_mode(&mut random)].concat();
        let program = frozen(&alone(input, &quantizers));
        let (rows, codes) = every_code(&program, &quantizers);
        simulate(folder.path(), &root, name, &program, &rows, &codes);
    }
    let quantizers = every_mode(&mut random);
    let program = frozen(&behind_sums(&quantizers));
    let rows = common::rows(&program, 2_000, 3);
    let logits = program.logits(&narrow(&rows));
    let circuit = Circuit::build(&program).unwrap();
    assert_eq!(evaluated(&program, &circuit, &rows), logits);
    simulate(folder.path(), &root, "sums", &program, &rows, &logits);
}

/// The Verilog gives the expected words, and a wrong one is found.
fn simulate(
    folder: &std::path::Path,
    root: &str,
    name: &str,
    program: &IntegerProgram,
    rows: &[i64],
    expected: &[i64],
) {
    let circuit = Circuit::build(program).unwrap();
    circuit.check_against(program).unwrap();
    let texts = (emit(&circuit, name), test_bench(&circuit, name));
    let binary = compile(folder, root, name, (&texts.0, &texts.1));
    let equal = BenchReport {
        vectors: (rows.len() / program.inputs()) as u64,
        mismatches: 0,
        first: None,
    };
    let vectors = vectors_file(&circuit, rows, expected);
    assert_eq!(run(folder, &binary, &vectors), (equal, true), "{name}");
    let mut wrong = expected.to_vec();
    *wrong.last_mut().unwrap() ^= 1;
    let vectors = vectors_file(&circuit, rows, &wrong);
    assert_eq!(run(folder, &binary, &vectors).0.mismatches, 1, "{name}");
}
