//! Synthesises random networks with Yosys and prints the LUT estimates next to what it counted.
//!
//! `cargo run --release -p bitfront-hardware --example calibrate`
//!
//! Needs `yosys` on the PATH; about five minutes on an idle core. An argument runs only the networks
//! whose names contain it. Prints the table of the crate's
//! documentation, then the factors that fit the first part of it best; the networks marked `held out`
//! are not in the fit. `ice40` or `ecp5` as the first argument synthesises for that family instead, and prints
//! its tables of four inputs beside the estimates, which are of six.

#[path = "../tests/common/mod.rs"]
mod common;

use bitfront_hardware::circuit::Circuit;
use bitfront_hardware::engine::nextpnr::{self, ECP5, Family, ICE40};
use bitfront_hardware::synthesis_report::{SynthesisReport, parse, yosys_script};
use bitfront_hardware::verilog::emit;
use bitfront_hardware::{Inventory, candidate_costs};
use bitfront_network::IntegerProgram;
use common::{Rule, Spec, program};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Networks that the factors are not fitted on.
const HELD_OUT: &str = "held out: ";

/// Layer graphs of the tests: name in the table, in the tests, seed of the weights.
const GRAPHS: [(&str, &str, u64); 7] = [
    ("graph: maxima", "pools", 1),
    ("held out: graph: maxima", "pools", 2),
    ("graph: maxima at every position", "channels", 1),
    ("held out: graph: maxima at every position", "channels", 2),
    ("held out: graph: sequence", "sequence", 1),
    ("held out: graph: image", "image", 1),
    ("held out: graph: residual", "residual", 1),
];

struct Run {
    name: &'static str,
    held_out: bool,
    tier0: u64,
    circuit: Circuit,
    inventory: Inventory,
    measured: SynthesisReport,
    seconds: f64,
}

fn specs() -> Vec<(&'static str, Spec)> {
    let spec = |widths: &[usize], weight_bits, activation_bits, zeros, seed| Spec {
        widths: widths.to_vec(),
        input_bits: 8,
        weight_bits,
        activation_bits,
        zeros,
        seed,
        ..Spec::default()
    };
    vec![
        ("8-8 w6", spec(&[8, 8], 6, 6, 0, 1)),
        (
            "8-8 w4, positive",
            Spec {
                positive: true,
                ..spec(&[8, 8], 4, 6, 0, 2)
            },
        ),
        ("16-8-5 w6 a6", spec(&[16, 8, 5], 6, 6, 0, 3)),
        ("16-16-16-5 w2 a3", spec(&[16, 16, 16, 5], 2, 3, 0, 4)),
        (
            "16-16-16-5 w3 a4, 50 % zeros",
            spec(&[16, 16, 16, 5], 3, 4, 50, 5),
        ),
        (
            "16-16-16-5 w4 a4, 70 % zeros",
            spec(&[16, 16, 16, 5], 4, 4, 70, 6),
        ),
        ("16-16-16-5 w4 a4", spec(&[16, 16, 16, 5], 4, 4, 0, 7)),
        (
            "16-16-16-5 w6 a6, 60 % zeros",
            spec(&[16, 16, 16, 5], 6, 6, 60, 8),
        ),
        (
            "16-16-5 w4, signed a5",
            Spec {
                rule: Rule::Signed,
                ..spec(&[16, 16, 5], 4, 5, 30, 9)
            },
        ),
        (
            "16-12-5 w3, step functions",
            Spec {
                rule: Rule::Steps,
                ..spec(&[16, 12, 5], 3, 4, 30, 10)
            },
        ),
        (
            "16-16-16-5 w2, step functions",
            Spec {
                rule: Rule::Steps,
                ..spec(&[16, 16, 16, 5], 2, 3, 50, 11)
            },
        ),
        (
            "8-24-5 w4, step functions",
            Spec {
                rule: Rule::Steps,
                ..spec(&[8, 24, 5], 4, 5, 60, 12)
            },
        ),
        (
            "held out: 16-16-16-5 w5 a5, 40 % zeros",
            spec(&[16, 16, 16, 5], 5, 5, 40, 21),
        ),
        ("held out: 16-16-5 w4 a4", spec(&[16, 16, 5], 4, 4, 0, 22)),
        (
            "held out: 16-12-8-5 w4, symmetric a4",
            Spec {
                rule: Rule::Symmetric,
                ragged: true,
                ..spec(&[16, 12, 8, 5], 4, 4, 20, 23)
            },
        ),
        (
            "held out: 12-10-5 w3, step functions",
            Spec {
                rule: Rule::Steps,
                ..spec(&[12, 10, 5], 3, 3, 20, 24)
            },
        ),
    ]
}

fn yosys(folder: &Path, script: &str) -> Result<(), Box<dyn std::error::Error>> {
    let output = Command::new("yosys")
        .args(["-q", "-p", script])
        .current_dir(folder)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(())
}

fn synthesise(
    name: &'static str,
    program: &IntegerProgram,
) -> Result<Run, Box<dyn std::error::Error>> {
    let circuit = Circuit::build(program)?;
    circuit.check_against(program)?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("net.v"), emit(&circuit, "net"))?;
    let start = Instant::now();
    let script = yosys_script(circuit.multipliers(), "net.v", "net", "stat.txt", "ltp.txt");
    yosys(folder.path(), &script)?;
    let read = |file| std::fs::read_to_string(folder.path().join(file));
    Ok(Run {
        name,
        held_out: name.starts_with(HELD_OUT),
        tier0: candidate_costs(&program.candidate).lut_estimate,
        inventory: Inventory::of(&circuit),
        measured: parse(&read("stat.txt")?, &read("ltp.txt")?, false)?,
        circuit,
        seconds: start.elapsed().as_secs_f64(),
    })
}

fn percent(estimate: u64, measured: u64) -> f64 {
    100.0 * (estimate as f64 / measured as f64 - 1.0)
}

/// What a family's cells are to the estimates: four-input tables, those in carries included, and flip-flops.
fn four_inputs(family: &Family, only: &str) -> Result<(), Box<dyn std::error::Error>> {
    println!("| network | estimate | tables | ratio | FF estimate | FF | ratio |");
    println!("|{}", "---|".repeat(7));
    for (name, program) in networks() {
        if !name.contains(only) {
            continue;
        }
        let circuit = Circuit::build(&program)?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("network.v"), emit(&circuit, "network"))?;
        let script = nextpnr::circuit_script(family, "network");
        yosys(folder.path(), &script)?;
        let stat = std::fs::read_to_string(folder.path().join("stat.txt"))?;
        let counts = nextpnr::count(family, &stat)?;
        let estimate = Inventory::of(&circuit).lut_estimate();
        let (tables, _) = family.tables(counts.lut, counts.carry, estimate);
        let (ff_estimate, ff) = (circuit.flip_flops(), counts.ff);
        println!(
            "| {name} | {estimate} | {tables} | {:.2} | {ff_estimate} | {ff} | {:.3} |",
            tables as f64 / estimate as f64,
            ff as f64 / ff_estimate as f64,
        );
    }
    Ok(())
}

fn networks() -> impl Iterator<Item = (&'static str, IntegerProgram)> {
    let dense = specs()
        .into_iter()
        .map(|(name, spec)| (name, program(&spec)));
    dense.chain(GRAPHS.map(|(name, graph, seed)| (name, common::graphs::frozen(graph, seed))))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map_or("", String::as_str);
    match argument(0) {
        "ice40" => return four_inputs(&ICE40, argument(1)),
        "ecp5" => return four_inputs(&ECP5, argument(1)),
        _ => {}
    }
    let only = argument(0);
    let columns = [
        "network",
        "adders",
        "adder cells",
        "requantizer bits",
        "comparator bits",
        "maximum bits",
        "tier 0",
        "estimate",
        "LUT",
        "error %",
        "FF estimate",
        "FF",
        "CARRY4",
        "levels",
        "cycles",
        "s",
    ];
    println!("| {} |", columns.join(" | "));
    println!("|{}", "---|".repeat(columns.len()));
    let mut runs = Vec::new();
    for (name, program) in networks() {
        if !name.contains(only) {
            continue;
        }
        let run = synthesise(name, &program)?;
        let (logic, found) = (&run.inventory, &run.measured);
        let cells = [
            logic.adders,
            logic.adder_cells,
            logic.requantizer_bits,
            logic.comparator_bits,
            logic.maximum_bits,
            run.tier0,
            logic.lut_estimate(),
            found.lut,
        ];
        let cells = cells.map(|count| count.to_string()).join(" | ");
        println!(
            "| {} | {cells} | {:+.1} | {} | {} | {} | {} | {} | {:.0} |",
            run.name,
            percent(logic.lut_estimate(), found.lut),
            run.circuit.flip_flops(),
            found.ff,
            found.carry,
            found.levels,
            run.circuit.cycles(),
            run.seconds,
        );
        runs.push(run);
    }
    let (held_out, fitted): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|run| run.held_out);
    for (name, runs) in [("fitted", &fitted), ("held out", &held_out)] {
        let errors = runs
            .iter()
            .map(|run| percent(run.inventory.lut_estimate(), run.measured.lut).abs());
        let (sum, worst) = errors.fold((0.0, 0.0_f64), |(sum, worst), e| (sum + e, worst.max(e)));
        println!(
            "\n{name}: mean relative error {:.1} %, worst {worst:.1} %",
            sum / runs.len() as f64
        );
    }
    if only.is_empty() {
        let [adder, requantizer, comparator, maximum] = fit(&fitted);
        println!(
            "best factors: adder {adder:.3}, requantizer {requantizer:.3}, comparator \
             {comparator:.3}, maximum {maximum:.3}"
        );
    }
    Ok(())
}

fn features(run: &Run) -> [f64; 4] {
    let logic = &run.inventory;
    [
        logic.adder_cells,
        logic.requantizer_bits,
        logic.comparator_bits,
        logic.maximum_bits,
    ]
    .map(|bits| bits as f64)
}

/// Least squares of the relative errors: the normal equations, solved by elimination.
fn fit(runs: &[Run]) -> [f64; 4] {
    let mut system = [[0.0; 5]; 4];
    for run in runs {
        let row = features(run).map(|bits| bits / run.measured.lut as f64);
        for i in 0..4 {
            for j in 0..4 {
                system[i][j] += row[i] * row[j];
            }
            system[i][4] += row[i];
        }
    }
    for pivot in 0..4 {
        let scale = system[pivot][pivot];
        for value in &mut system[pivot] {
            *value /= scale;
        }
        let pivot_row = system[pivot];
        for (other, row) in system.iter_mut().enumerate() {
            if other != pivot {
                let factor = row[pivot];
                for (value, from) in row.iter_mut().zip(pivot_row) {
                    *value -= factor * from;
                }
            }
        }
    }
    system.map(|row| row[4])
}
