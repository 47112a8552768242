//! The estimates of streamed circuits against Yosys, on random networks: a JSON line each.
//!
//! ```text
//! cargo run --release -p bitfront-hardware --example calibrate_streamed -- FIRST LAST [luts|dsps|PRICE]
//! ```
//!
//! Networks are drawn from the seeds `FIRST` to `LAST`: chains of convolutions on small images or series, dense layers behind them
//! or alone, with shared multipliers. The factors of `streamed/costs.rs` are fitted on seeds 0 to 11 and 100 to 111; 300 and up were drawn after all prices were settled.

use std::error::Error;
use std::process::Command;

use bitfront_hardware::circuit::Multipliers;
use bitfront_hardware::synthesis_report::{options, parse};
use serde_json::{Value, json};

#[path = "../tests/common/streams.rs"]
mod streams;
use streams::{Random, activation, built_of, conv, dense, layer, program_of, window};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, last, made_of @ ..] = arguments.as_slice() else {
        return Err("two seeds are needed: the first and the last".into());
    };
    let multipliers = match made_of.first().map(String::as_str) {
        None | Some("luts") => Multipliers::Luts,
        Some("dsps") => Multipliers::Dsps,
        Some(price) => Multipliers::Auto {
            luts_per_dsp: price.parse()?,
        },
    };
    for seed in first.parse::<u64>()?..=last.parse()? {
        println!("{}", measured(seed, multipliers)?);
    }
    Ok(())
}

/// One of the values.
fn pick<T: Copy>(random: &mut Random, values: &[T]) -> T {
    let place = f32::midpoint(random.next(), 1.0) * values.len() as f32;
    values[(place as usize).min(values.len() - 1)]
}

fn measured(seed: u64, multipliers: Multipliers) -> Result<Value, Box<dyn Error>> {
    // The generator is a plain one: its first numbers of neighbouring seeds are alike.
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let mut random = Random(state ^ (state >> 31));
    let bits = pick(&mut random, &[3, 4, 5, 6]);
    let kernel = format!("quantized_bits({bits},0,alpha=1.0)");
    let relu = format!("quantized_relu({},2)", pick(&mut random, &[3, 4, 6]));
    let reuse = pick(&mut random, &[1, 2, 4, 8]);
    let mut layers: Vec<Value> = Vec::new();
    let shape: Vec<usize> = match pick(&mut random, &[0, 1, 1, 2]) {
        0 => vec![pick(&mut random, &[8, 16])],
        1 => vec![
            pick(&mut random, &[6, 9]),
            pick(&mut random, &[6, 8]),
            pick(&mut random, &[1, 2]),
        ],
        _ => vec![pick(&mut random, &[10, 16]), pick(&mut random, &[1, 3])],
    };
    let axes = shape.len() - 1;
    if axes > 0 {
        for at in 0..pick(&mut random, &[1, 2]) {
            let size = vec![pick(&mut random, &[2, 3]); axes];
            let stride = vec![pick(&mut random, &[1, 2]); axes];
            let padding = pick(&mut random, &["same", "valid"]);
            let filters = pick(&mut random, &[2, 4]);
            let over = window(&size, &stride, &vec![1; axes], padding);
            layers.push(conv(&format!("conv{at}"), filters, &kernel, over));
            layers.push(activation(&format!("relu{at}"), &relu));
        }
        layers.push(layer("flat", json!({"kind": "flatten"})));
    }
    for at in 0..pick(&mut random, &[0, 1]) {
        layers.push(dense(
            &format!("fc{at}"),
            pick(&mut random, &[6, 8]),
            &kernel,
        ));
        layers.push(activation(&format!("act{at}"), &relu));
    }
    layers.push(dense("output", pick(&mut random, &[3, 5]), &kernel));
    let program = program_of(
        seed,
        &shape,
        "quantized_bits(6,1,alpha=1.0)",
        layers,
        |_, _, drawn| drawn,
    );
    let circuit = built_of(&program, reuse, multipliers);
    let inventory = circuit.inventory();
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("net.v"), circuit.verilog("net"))?;
    let script = format!(
        "read_verilog net.v; {} -top net; tee -o stat.txt stat; tee -o ltp.txt ltp -noff * t:FD* %d",
        options(multipliers)
    );
    let run = Command::new("yosys")
        .args(["-q", "-p", &script])
        .current_dir(folder.path())
        .status()?;
    if !run.success() {
        return Err("yosys failed".into());
    }
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name));
    let counted = parse(
        &read("stat.txt")?,
        &read("ltp.txt")?,
        multipliers != Multipliers::Luts,
    )?;
    Ok(json!({
        "seed": seed, "shape": shape, "reuse": reuse, "bits": bits, "inventory": inventory,
        "lut_estimate": inventory.lut_estimate(), "lut": counted.lut, "ff": counted.ff, "dsp": counted.dsp,
        "carry_estimate": circuit.carry_estimate(), "carry": counted.carry,
        "levels_estimate": circuit.levels_estimate(), "levels": counted.levels,
        "fmax_estimate_mhz": circuit.fmax_estimate_mhz(),
        "beats": circuit.beats(), "interval": circuit.initiation_interval(), "multipliers": circuit.multipliers(),
    }))
}
