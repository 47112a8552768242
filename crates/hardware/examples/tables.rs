//! Synthesises activations behind narrow inputs with Yosys, as tables and as comparators, and prints what each is said to take.
//!
//! `cargo run --release -p bitfront-hardware --example tables`
//!
//! Needs `yosys` on the PATH; about four minutes on an idle core. Prints a row for each width and family, then the errors of
//! tables of more than six bits. The factors of a table's parts were fitted on others (`bench/estimates/results/tables.json`).

#[path = "../tests/common/mod.rs"]
mod common;

use bitfront_hardware::Inventory;
use bitfront_hardware::circuit::{Circuit, Operation};
use bitfront_hardware::synthesis_report::{SynthesisReport, parse, yosys_script};
use bitfront_hardware::verilog::emit;
use bitfront_network::{
    ActivationRule, Candidate, Head, IntegerOperation, IntegerProgram, Layer,
    Operation as LayerOperation, Weights,
};
use bitfront_quantizer::Quantizer;
use common::Random;
use std::process::Command;

/// Channels of a circuit, each a function of its own.
const CHANNELS: usize = 4;

/// Quantizers of a family whose steps lie within inputs from -4 to 4.
fn quantizer(family: &str, bits: i64, random: &mut Random) -> Quantizer {
    let (integer, flag) = (random.within(0, 2), random.within(0, 1));
    let text = match family {
        "tanh" => format!("quantized_tanh({bits},symmetric={flag},use_real_tanh=1)"),
        "sigmoid" => format!("quantized_sigmoid({bits},symmetric={flag},use_real_sigmoid=1)"),
        "hswish" => format!(
            "quantized_hswish({bits},{integer},{flag},relu_shift={},relu_upper_bound={})",
            random.within(1, 4),
            random.within(3, 6)
        ),
        "leaky" => format!(
            "quantized_relu({bits},{},negative_slope={})",
            integer + flag,
            [0.5, 0.25, 0.125][integer as usize]
        ),
        // Wider exponents lie on no grid.
        _ => format!(
            "quantized_po2({},max_value={})",
            bits.min(4),
            [1, 2, 4][integer as usize]
        ),
    };
    text.parse().expect("a quantizer")
}

/// Different functions of inputs of `bits` bits, and the same with every rule a function that only a table has.
fn programs(bits: u32, quantizers: &[Quantizer]) -> [IntegerProgram; 2] {
    let candidate = Candidate {
        input_shape: vec![quantizers.len()],
        input_quantizer: format!("quantized_bits({bits},2,alpha=1.0)")
            .parse()
            .expect("a quantizer"),
        layers: vec![Layer::new(
            "act",
            LayerOperation::ChannelActivation {
                quantizers: quantizers.to_vec(),
            },
        )],
        head: Head::Linear,
        scale_bits: 12,
    };
    candidate.check().expect("a candidate");
    let weights = Weights::build(&candidate, |_| Vec::new());
    let program = IntegerProgram::freeze(&candidate, &weights).expect("an exact network");
    let mut tabled = program.clone();
    if let IntegerOperation::Activation(ActivationRule::Channels(rules)) =
        &mut tabled.layers[0].operation
    {
        for (rule, quantizer) in rules.iter_mut().zip(quantizers) {
            *rule = ActivationRule::Function(*quantizer);
        }
    }
    [program, tabled]
}

fn synthesised(program: &IntegerProgram) -> (Circuit, SynthesisReport) {
    let circuit = Circuit::build(program).expect("a circuit");
    circuit.check_against(program).expect("a proof");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("net.v"), emit(&circuit, "net")).expect("a file");
    let script = yosys_script(circuit.multipliers(), "net.v", "net", "stat.txt", "ltp.txt");
    let output = Command::new("yosys")
        .args(["-q", "-p", &script])
        .current_dir(folder.path())
        .output()
        .expect("yosys");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a report");
    let report = parse(&read("stat.txt"), &read("ltp.txt"), false).expect("a report");
    (circuit, report)
}

fn main() {
    println!(
        "| input bits | code bits | family | narrow | leaves | gates | selections | LUTs said | LUT | FF said | FF | levels said | levels | chosen | LUTs said | LUT |"
    );
    println!("|{}", "---|".repeat(16));
    let mut errors = Vec::new();
    let only = std::env::args().nth(1).unwrap_or_default();
    for bits in [5, 6, 7, 8, 9, 10, 11] {
        for (number, family) in ["tanh", "sigmoid", "hswish", "leaky", "po2"]
            .into_iter()
            .enumerate()
        {
            if !family.contains(&only) {
                continue;
            }
            let seed = u64::from(bits) * 10 + number as u64;
            let mut random = Random(seed);
            let code_bits = random.within(4, 6);
            let quantizers: Vec<Quantizer> = (0..CHANNELS)
                .map(|_| quantizer(family, code_bits, &mut random))
                .collect();
            let [program, tabled] = programs(bits, &quantizers);
            let (circuit, found) = synthesised(&tabled);
            let logic = Inventory::of(&circuit);
            let (chosen, counted) = synthesised(&program);
            let is_table = |circuit: &Circuit| {
                circuit
                    .nodes()
                    .iter()
                    .filter(|node| matches!(node.operation, Operation::Table { .. }))
                    .count()
            };
            println!(
                "| {bits} | {code_bits} | {family} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} of {CHANNELS} | {} | {} |",
                logic.table_cells,
                logic.table_leaves,
                logic.table_gates,
                logic.table_selections,
                logic.lut_estimate(),
                found.lut,
                circuit.flip_flops(),
                found.ff,
                circuit.levels_estimate(),
                found.levels,
                is_table(&chosen),
                Inventory::of(&chosen).lut_estimate(),
                counted.lut,
            );
            if bits > 6 {
                errors.push(100.0 * (logic.lut_estimate() as f64 / found.lut as f64 - 1.0).abs());
            }
        }
    }
    errors.sort_by(f64::total_cmp);
    println!(
        "\n{} circuits of tables of more than six bits: median error {:.1} %, worst {:.1} %",
        errors.len(),
        errors[errors.len() / 2],
        errors[errors.len() - 1]
    );
}
