//! What is said of a circuit before synthesis is what Yosys counts, within the errors that are stated.

mod common;

use bitfront_hardware::circuit::Circuit;
use bitfront_hardware::synthesis_report::{SynthesisReport, parse, yosys_script};
use bitfront_hardware::verilog::emit;
use bitfront_hardware::{candidate_costs, circuit_costs};
use bitfront_network::{Candidate, Head, IntegerProgram, Layer, Operation};
use common::{Rule, Spec, program};
use std::process::Command;

/// Circuits of rounding rectifiers, signed codes and step functions, small enough for a test.
fn specs() -> Vec<Spec> {
    let spec = |widths: &[usize], weight_bits, rule, seed| Spec {
        widths: widths.to_vec(),
        weight_bits,
        rule,
        seed,
        ..Spec::default()
    };
    vec![
        spec(&[8, 10, 8, 4], 4, Rule::Relu, 1),
        spec(&[8, 12, 4], 3, Rule::Signed, 2),
        spec(&[8, 8, 4], 3, Rule::Steps, 3),
    ]
}

fn synthesised(circuit: &Circuit) -> SynthesisReport {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("net.v"), emit(circuit, "net")).unwrap();
    let script = yosys_script(circuit.multipliers(), "net.v", "net", "stat.txt", "ltp.txt");
    let output = Command::new("yosys")
        .args(["-q", "-p", &script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    parse(&read("stat.txt"), &read("ltp.txt"), false).unwrap()
}

/// Sums of eight inputs behind an overflow mode of `ap_fixed`, every rounding mode on two of them.
fn behind_modes(overflow: &str) -> IntegerProgram {
    let texts = common::ROUNDING.map(|rounding| format!("ap_fixed<6,2,{rounding},{overflow}>"));
    let quantizers = texts.iter().chain(&texts);
    let quantizers: Vec<_> = quantizers.map(|text| text.parse().unwrap()).collect();
    let dense = Operation::Dense {
        units: quantizers.len(),
        kernel: "quantized_bits(4,0,alpha=1.0)".parse().unwrap(),
        bias: Some("quantized_bits(6,1,alpha=1.0)".parse().unwrap()),
        fold: None,
    };
    let candidate = Candidate {
        input_shape: vec![8],
        input_quantizer: "quantized_bits(8,2,alpha=1.0)".parse().unwrap(),
        layers: vec![
            Layer::new("fc", dense),
            Layer::new("act", Operation::ChannelActivation { quantizers }),
        ],
        head: Head::Linear,
        scale_bits: 12,
    };
    candidate.check().unwrap();
    let weights = common::graphs::weights(&candidate, 3);
    IntegerProgram::freeze(&candidate, &weights).unwrap()
}

#[test]
fn every_mode_of_ap_fixed_is_priced_near_what_synthesis_counts() {
    if Command::new("yosys").arg("-V").output().is_err() {
        common::skipped::skipped("yosys");
        return;
    }
    for overflow in [
        "AP_SAT",
        "AP_SAT_SYM",
        "AP_SAT_ZERO",
        "AP_WRAP",
        "AP_WRAP,2",
        "AP_WRAP_SM",
    ] {
        let program = behind_modes(overflow);
        let circuit = Circuit::build(&program).unwrap();
        compare(overflow, &program, &circuit, 10);
    }
}

/// Counts of a circuit near those of its synthesis, carry cells within so many percent.
fn compare(name: &str, program: &IntegerProgram, circuit: &Circuit, carry_percent: u64) {
    let (costs, counted) = (circuit_costs(program, circuit), synthesised(circuit));
    let carry = costs.carry_estimate.unwrap();
    let levels = costs.levels_estimate.unwrap();
    let said = format!(
        "{name}: tier 0 {}, LUT {} / {}, FF {} / {}, carry {carry} / {}, levels {levels} / {}",
        candidate_costs(&program.candidate).lut_estimate,
        costs.lut_estimate,
        counted.lut,
        costs.ff_estimate,
        counted.ff,
        counted.carry,
        counted.levels
    );
    println!("{said}");
    assert!(near(costs.lut_estimate, counted.lut, 10), "{said}");
    assert!(near(costs.ff_estimate, counted.ff, 2), "{said}");
    assert!(near(carry, counted.carry, carry_percent), "{said}");
    assert!(levels.abs_diff(counted.levels) <= 3, "{said}");
    assert_eq!(costs.dsp_estimate, counted.dsp);
}

/// Whether `said` is within so many percent of `counted`.
fn near(said: u64, counted: u64, percent: u64) -> bool {
    100 * said.abs_diff(counted) <= percent * counted
}

#[test]
fn counts_are_those_of_synthesis_within_their_stated_errors() {
    if Command::new("yosys").arg("-V").output().is_err() {
        common::skipped::skipped("yosys");
        return;
    }
    for spec in specs() {
        let program = program(&spec);
        let circuit = Circuit::build(&program).unwrap();
        compare(&format!("{spec:?}"), &program, &circuit, 5);
    }
}
