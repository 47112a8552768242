//! What it takes to simulate the synthesised netlist of a dense 16-64-32-32-5 network with 6-bit weights and
//! activations on 2,000 vectors: CPU seconds and peak memory of this process.
//!
//! ```text
//! cargo run --release -p bitfront-hardware --example netlist_gate -- FOLDER
//! ```
//!
//! Synthesises with Yosys (some two minutes) unless `FOLDER` has the netlist already, and leaves there what the same gate
//! through Verilator needs: `verilator --cc --top-module network netlist.v cells.v`, the model with `bench.cpp`, and
//! `vectors.txt`.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use bitfront_hardware::circuit::Circuit;
use bitfront_hardware::engine::Engine;
use bitfront_hardware::netlist::{parse, simulate};
use bitfront_hardware::synthesis_report::yosys_script;
use bitfront_hardware::verilog::{cells, emit, test_bench, vectors_file};

#[path = "../tests/common/mod.rs"]
mod common;
use common::{Spec, program, rows};

/// CPU time of this process in seconds, from Linux' scheduler statistics.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: u64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds as f64 * 1e-9)
}

/// Peak resident memory of this process in KiB.
fn peak_kib() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.unwrap_or_default().trim();
    Ok(words.trim_end_matches(" kB").trim().parse()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let network = program(&Spec {
        widths: vec![16, 64, 32, 32, 5],
        input_bits: 8,
        weight_bits: 6,
        activation_bits: 6,
        ..Spec::default()
    });
    let circuit = Circuit::build(&network)?;
    let inputs = rows(&network, 2000, 5);
    let of_row = |row: &[i64]| circuit.evaluate(row);
    let expected: Vec<i64> = inputs
        .chunks(network.candidate.inputs())
        .flat_map(of_row)
        .collect();
    for (name, text) in [
        ("network.v", emit(&circuit, "network")),
        ("bench.cpp", test_bench(&circuit, "network")),
        ("vectors.txt", vectors_file(&circuit, &inputs, &expected)),
        ("cells.v", cells(Engine::Yosys).to_owned()),
    ] {
        std::fs::write(folder.join(name), text)?;
    }
    let path = folder.join("netlist.v");
    if !path.exists() {
        let script = yosys_script(
            circuit.multipliers(),
            "network.v",
            "network",
            "stat.txt",
            "ltp.txt",
        ) + "; splitnets; write_verilog -noattr netlist.v";
        let mut yosys = Command::new("yosys");
        let status = yosys
            .args(["-q", "-p", &script])
            .current_dir(folder)
            .status()?;
        if !status.success() {
            return Err("yosys failed".into());
        }
    }
    let (start, before) = (cpu_seconds()?, peak_kib()?);
    let text = std::fs::read_to_string(path)?;
    let netlist = parse(&text)?;
    let read = cpu_seconds()?;
    let report = simulate(&netlist, &circuit, &inputs, &expected)?;
    println!(
        "{report:?}: {:.2} CPU s to read, {:.2} to simulate; peak {} MiB ({} before)",
        read - start,
        cpu_seconds()? - read,
        peak_kib()? / 1024,
        before / 1024
    );
    Ok(())
}
