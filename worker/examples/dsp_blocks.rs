//! DSP blocks that are said of trained networks against those that synthesis takes.
//!
//! ```text
//! cargo run --release -p bitfront-worker --example dsp_blocks -- SEARCH.json DATA.npz REPORT SMALL LARGE SEED
//! ```
//!
//! Trains `SMALL` networks of 16-16-16-5 and `LARGE` of 16-64-32-32-5, drawn uniformly from the search's space by `SEED`,
//! builds each with all products in blocks (two also by the highest price that puts
//! some of them into blocks and some not) and takes it through the steps of
//! a synthesis job. Draws without a block are passed over. Ends with an error if a count differs or a step fails.

mod jets;

use bitfront_dataset::{Dataset, Prepared, SplitSpec};
use bitfront_hardware::circuit::{BuildOptions, Circuit, Multipliers};
use bitfront_hardware::design::DesignOptions;
use bitfront_hardware::{Costs, circuit_costs};
use bitfront_network::IntegerProgram;
use bitfront_search::Search;
use bitfront_search::sampler::{History, PastTrial, Proposal, propose};
use bitfront_search::search::Sampler;
use bitfront_worker::{SynthesisResult, measure_with_yosys};
use serde_json::{Value, json};
use std::error::Error;

/// Vectors of either simulation.
const VECTORS: usize = 2_000;
/// Highest price that is tried for circuits that mix, in LUTs a block.
const HIGHEST_PRICE: u32 = 20;
/// Networks that are also built by price.
const PRICED: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, data, report, small, large, seed] = arguments.as_slice() else {
        return Err("six arguments are needed: search file, data, report, small networks, large networks, seed".into());
    };
    let dataset = Dataset::open(data)?;
    let prepared = dataset.prepare(&SplitSpec::default())?;
    let cache = tempfile::tempdir()?;
    let (mut rows, mut priced) = (Vec::new(), 0);
    for (hidden, count) in [
        (&[16, 16][..], small.parse::<usize>()?),
        (&[64, 32, 32], large.parse()?),
    ] {
        let mut search = jets::search(file, &dataset, hidden, seed.parse()?)?;
        search.sampler = Sampler::Random;
        search.seed_trials.clear();
        let (mut kept, mut history) = (0, Vec::new());
        for number in 0..search.budget.trials {
            if kept == count {
                break;
            }
            let Some(program) = network(&search, number, &mut history, &prepared)? else {
                continue;
            };
            let blocks = |multipliers| {
                let options = BuildOptions {
                    multipliers,
                    ..search.design_options().circuit
                };
                Circuit::build_with(&program, &options).map(|circuit| circuit.dsp_blocks())
            };
            let most = blocks(Multipliers::Dsps)?;
            if most == 0 {
                continue;
            }
            kept += 1;
            let mut choices = vec![Multipliers::Dsps];
            if priced < PRICED {
                for luts_per_dsp in (1..=HIGHEST_PRICE).rev() {
                    let auto = Multipliers::Auto { luts_per_dsp };
                    if (1..most).contains(&blocks(auto)?) {
                        choices.push(auto);
                        priced += 1;
                        break;
                    }
                }
            }
            for multipliers in choices {
                let options = BuildOptions {
                    multipliers,
                    ..search.design_options().circuit
                };
                let circuit = Circuit::build_with(&program, &options)?;
                let said = circuit_costs(&program, &circuit);
                let test = &prepared.test.x;
                let design = DesignOptions {
                    circuit: options,
                    layout: search.layout,
                };
                let counted = measure_with_yosys(&program, test, VECTORS, design, cache.path());
                let row = row(hidden, number, multipliers, &said, counted);
                println!("{row}");
                rows.push(row);
                // After each, so that what was measured is there even if a run is cut short.
                let all = json!({ "seed": seed, "circuits": rows });
                std::fs::write(report, serde_json::to_string_pretty(&all)? + "\n")?;
            }
        }
        if kept < count {
            return Err(format!("{kept} of {count} networks of {hidden:?} have blocks").into());
        }
    }
    let wrong = rows.iter().filter(|row| row["dsp_exact"] != true).count();
    println!("DSP exact on {} of {}", rows.len() - wrong, rows.len());
    if wrong > 0 {
        return Err(format!("DSP not exact on {wrong} of {}", rows.len()).into());
    }
    Ok(())
}

/// The trained network of one draw; none where the space has no more.
fn network(
    search: &Search,
    number: u32,
    history: &mut Vec<PastTrial>,
    data: &Prepared,
) -> Result<Option<IntegerProgram>, Box<dyn Error>> {
    let known = History::new(history.clone())?;
    let Proposal::Trial(proposed) = propose(search, number, &known)? else {
        return Ok(None);
    };
    history.push(PastTrial {
        number,
        point: proposed.point.clone(),
        outcome: None,
    });
    let weights = jets::trained(search, &proposed, data)?;
    let program = IntegerProgram::freeze(&proposed.candidate, &weights)?;
    Ok(Some(program))
}

/// What was said and counted of one circuit; errors in percent of what was counted.
fn row(
    hidden: &[usize],
    draw: u32,
    multipliers: Multipliers,
    said: &Costs,
    counted: Result<SynthesisResult, String>,
) -> Value {
    let estimates =
        json!({ "dsp": said.dsp_estimate, "lut": said.lut_estimate, "ff": said.ff_estimate });
    let name = match multipliers {
        Multipliers::Luts => "luts".to_owned(),
        Multipliers::Dsps => "dsps".to_owned(),
        Multipliers::Auto { luts_per_dsp } => format!("auto, {luts_per_dsp} LUTs a block"),
    };
    let mut row =
        json!({ "hidden": hidden, "draw": draw, "multipliers": name, "estimate": estimates });
    match counted {
        Ok(found) => {
            let percent = |said: u64, counted: u64| {
                let error = 100.0 * (said as f64 - counted as f64) / counted.max(1) as f64;
                (error * 100.0).round() / 100.0
            };
            row["measured"] = json!({ "dsp": found.dsp_measured, "lut": found.lut_measured, "ff": found.ff_measured });
            row["dsp_exact"] = json!(said.dsp_estimate == found.dsp_measured);
            row["lut_error_percent"] = json!(percent(said.lut_estimate, found.lut_measured));
            row["ff_error_percent"] = json!(percent(said.ff_estimate, found.ff_measured));
            row["rtl_vectors_equal"] = json!(found.vectors_checked);
            row["netlist_vectors_equal"] = json!(found.netlist_vectors_checked);
            row["yosys"] = json!(found.tool_version);
            row["yosys_cpu_s"] = json!(found.cpu_s);
        }
        Err(failure) => row["failure"] = json!(failure),
    }
    row
}
