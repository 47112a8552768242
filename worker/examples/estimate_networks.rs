//! Networks to hold the estimates against: trained candidates with their RTL and all that is said of them before
//! synthesis.
//!
//! ```text
//! cargo run --release -p bitfront-worker --example estimate_networks -- SEARCH.json DATA.npz FOLDER EACH SEED
//! ```
//!
//! Writes `EACH` networks of each third (estimates under 2,000, to 6,000 and to 15,000 LUTs) from the trials of live
//! searches, and as many drawn uniformly from the space: one search, and one row of draws, for each
//! of the two jet networks of `examples/`, since hardly any network of the larger has under 2,000 LUTs. They take turns until
//! the thirds are full. `SEED` alone decides which networks those are.

mod jets;

use bitfront_dataset::{Dataset, Prepared, SplitSpec};
use bitfront_hardware::circuit::Circuit;
use bitfront_hardware::{candidate_costs, circuit_costs, verilog};
use bitfront_network::{Candidate, IntegerOperation, IntegerProgram, Source, Weights};
use bitfront_search::Search;
use bitfront_search::sampler::{History, Outcome, PastTrial, Proposal, propose};
use bitfront_search::search::Sampler;
use serde_json::{Value, json};
use std::error::Error;
use std::path::Path;

/// Upper ends of the thirds, in LUTs.
const THIRDS: [u64; 3] = [2_000, 6_000, 15_000];
/// Hidden layers of the networks.
const HIDDEN: [&[usize]; 2] = [&[64, 32, 32], &[16, 16]];

struct Made<'a> {
    folder: &'a Path,
    origin: &'static str,
    each: usize,
    kept: [usize; 3],
    rows: Vec<Value>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, data, folder, each, seed] = arguments.as_slice() else {
        return Err(
            "five arguments are needed: search file, data, folder, networks of each third, seed"
                .into(),
        );
    };
    let dataset = Dataset::open(data)?;
    let seed: u64 = seed.parse()?;
    let searches: Result<Vec<Search>, Box<dyn Error>> = HIDDEN
        .iter()
        .map(|hidden| jets::search(file, &dataset, hidden, seed))
        .collect();
    let mut searches = searches?;
    let data = dataset.prepare(&SplitSpec::default())?;
    std::fs::create_dir_all(folder)?;
    let mut rows = Vec::new();
    for origin in ["search", "uniform"] {
        let mut made = Made {
            folder: Path::new(folder),
            origin,
            each: each.parse()?,
            kept: [0; 3],
            rows: Vec::new(),
        };
        if origin == "uniform" {
            for search in &mut searches {
                search.sampler = Sampler::Random;
                search.seed_trials.clear();
                search.seed = search.seed.wrapping_add(1);
            }
        }
        let mut histories: Vec<Vec<PastTrial>> = vec![Vec::new(); searches.len()];
        let most = searches[0].budget.trials;
        for number in 0..most {
            for (search, history) in searches.iter().zip(&mut histories) {
                if made.kept.iter().any(|&kept| kept < made.each) {
                    made.trial(search, number, history, &data)?;
                }
            }
        }
        rows.append(&mut made.rows);
    }
    std::fs::write(
        Path::new(folder).join("networks.json"),
        serde_json::to_vec(&json!({ "seed": seed.to_string(), "networks": rows }))?,
    )?;
    Ok(())
}

impl Made<'_> {
    /// Trial `number` of one search: proposed, trained, scored, and kept where its third has room.
    fn trial(
        &mut self,
        search: &Search,
        number: u32,
        history: &mut Vec<PastTrial>,
        data: &Prepared,
    ) -> Result<(), Box<dyn Error>> {
        let proposal = propose(search, number, &History::new(history.clone())?)?;
        let Proposal::Trial(proposed) = proposal else {
            return Ok(());
        };
        let candidate = &proposed.candidate;
        let weights = jets::trained(search, &proposed, data)?;
        let options = search.design_options();
        let scores = bitfront_worker::score(candidate, &weights, data, &options, &|| false)?;
        self.keep(
            candidate,
            &weights,
            number,
            scores.accuracy_validation.unwrap_or_default(),
        )?;
        history.push(PastTrial {
            number,
            point: proposed.point.clone(),
            outcome: Some(Outcome::Completed(Box::new(scores))),
        });
        Ok(())
    }

    fn keep(
        &mut self,
        candidate: &Candidate,
        weights: &Weights,
        trial: u32,
        accuracy: f64,
    ) -> Result<(), Box<dyn Error>> {
        let program = IntegerProgram::freeze(candidate, weights)?;
        let circuit = Circuit::build(&program)?;
        let costs = circuit_costs(&program, &circuit);
        let Some(third) = THIRDS.iter().position(|&end| costs.lut_estimate < end) else {
            return Ok(());
        };
        if self.kept[third] == self.each {
            return Ok(());
        }
        circuit.check_against(&program)?;
        let name = format!("{}_{third}_{}", self.origin, self.kept[third]);
        self.kept[third] += 1;
        std::fs::write(
            self.folder.join(format!("{name}.v")),
            verilog::emit(&circuit, "network"),
        )?;
        std::fs::write(
            self.folder.join(format!("{name}.json")),
            serde_json::to_vec(candidate)?,
        )?;
        std::fs::write(
            self.folder.join(format!("{name}.safetensors")),
            weights.to_bytes(candidate),
        )?;
        self.rows.push(json!({
            "name": name,
            "origin": self.origin,
            "trial": trial,
            "shape": shape(&program),
            "accuracy_validation": accuracy,
            "lut_tier0": candidate_costs(candidate).lut_estimate,
            "lut_estimate": costs.lut_estimate,
            "ff_estimate": costs.ff_estimate,
            "dsp_estimate": costs.dsp_estimate,
            "cycles": costs.cycles,
            "carry_estimate": costs.carry_estimate,
            "levels_estimate": costs.levels_estimate,
            "fmax_estimate_mhz": costs.fmax_estimate_mhz,
            "ebops": costs.ebops,
            "inventory": bitfront_hardware::Inventory::of(&circuit),
            "layers": layers(&program),
        }));
        Ok(())
    }
}

/// Matrices of the dense layers and the ranges of what they read, as `bench/circuits` takes them.
fn layers(program: &IntegerProgram) -> Vec<Value> {
    let mut found = Vec::new();
    for layer in &program.layers {
        let (IntegerOperation::Linear(linear), [source]) =
            (&layer.operation, layer.sources.as_slice())
        else {
            continue;
        };
        let format = match source {
            Source::Input => &program.input,
            Source::Layer(index) => &program.layers[*index].output,
        };
        let ranges = (0..linear.inputs).map(|input| {
            let range = format.range[input % format.channels()];
            json!([range.lo, range.hi, 1])
        });
        let kernel: Vec<i64> = (0..linear.kernel.len())
            .map(|at| linear.kernel[at] << linear.input_shift[at / linear.outputs])
            .collect();
        found.push(json!({
            "shape": [linear.inputs, linear.outputs],
            "kernel": kernel,
            "input_intervals": ranges.collect::<Vec<_>>(),
        }));
    }
    found
}

/// `16-64-32-32-5`.
fn shape(program: &IntegerProgram) -> String {
    let mut widths = vec![program.input.size().to_string()];
    for layer in &program.layers {
        if let IntegerOperation::Linear(linear) = &layer.operation {
            widths.push(linear.outputs.to_string());
        }
    }
    widths.join("-")
}
