//! Combinations of circuit options, from the search file: what is refused there says what would be accepted, and of the others
//! every two options that go together are in a circuit that passes every gate of its job.

use super::train_rows::prepared;
use super::*;
use bitfront_network::{Operation, Part};
use bitfront_search::Search;
use bitfront_search::file::{DatasetInfo, SearchFile, resolve};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Members of a search file under each name of an option's value; a value of each option makes a file.
fn options() -> Vec<Vec<(&'static str, Value)>> {
    let circuit = |options: Value| json!({"circuit": options});
    let network = |inputs: Value, layers: Value| json!({"model": {"inputs": {"shape": inputs}, "layers": layers}});
    let relu = json!({"name": "relu", "activation": "relu"});
    let (output, softmax) = (
        json!({"name": "output", "dense": 3}),
        json!({"name": "softmax", "activation": "softmax"}),
    );
    let tables = json!({"address_bits": 4, "address_fraction": 1, "exp_fraction": 4, "inverse_fraction": 4, "output_fraction": 4});
    let conv = json!({"name": "conv", "conv": {"filters": 2, "size": 2, "padding": "same"}});
    let pool = json!({"name": "pool", "max_pool": {"size": 2}});
    let flat = json!({"name": "flat", "flatten": true});
    let fc = json!({"name": "fc", "dense": 4});
    let curve = json!({"name": "curve", "activation": "linear"});
    let norm = json!({"name": "norm", "batch_norm": {"scale_bits": 3}});
    let [sum, mean] = [
        json!({"name": "sum", "add": ["relu", "input"]}),
        json!({"name": "both", "concatenate": ["sum", "relu"]}),
    ];
    let mut values = network(json!([3]), json!([fc, curve, output]));
    values["training"] = json!({"loss": "mean_squared_error"});
    values["objectives"] = json!(["mean_squared_error", "lut_estimate"]);
    vec![
        vec![
            (
                "dense",
                network(json!([4]), json!([fc, relu, output, softmax])),
            ),
            (
                "image",
                network(
                    json!([4, 4, 1]),
                    json!([conv, relu, pool, flat, output, softmax]),
                ),
            ),
            (
                "branches",
                network(
                    json!([4]),
                    json!([fc, norm, relu, sum, mean, output, softmax]),
                ),
            ),
            ("values", values),
        ],
        vec![
            ("logits", json!({})),
            ("argmax", circuit(json!({"output": "argmax"}))),
            (
                "softmax",
                circuit(json!({"output": "softmax", "softmax": tables})),
            ),
        ],
        vec![
            ("luts", json!({})),
            ("dsps", circuit(json!({"multipliers": "dsps"}))),
            (
                "auto",
                circuit(json!({"multipliers": "auto", "luts_per_dsp": 12})),
            ),
        ],
        vec![
            ("unrolled", json!({})),
            ("streamed", circuit(json!({"layout": "streamed"}))),
            ("reused", circuit(json!({"layout": "streamed", "reuse": 2}))),
        ],
        vec![
            ("proven", json!({})),
            ("data", circuit(json!({"ranges": "data"}))),
        ],
        vec![
            ("plain", json!({})),
            ("valid", circuit(json!({"valid": true}))),
        ],
        vec![
            ("yosys", json!({})),
            (
                "ice40",
                json!({"synthesis": {"policy": "front", "engine": "yosys-nextpnr-ice40"}}),
            ),
        ],
        vec![
            ("200 MHz", json!({})),
            (
                "500 MHz",
                circuit(json!({"clock_mhz": 500, "goal": "min_lut"})),
            ),
        ],
    ]
}

/// A value of each option: its place among them.
type Row = Vec<usize>;

/// All rows, and of each the search that its file makes, or what is wrong with it.
fn rows_of(options: &[Vec<(&str, Value)>]) -> Vec<(Row, Result<Search, String>)> {
    let mut rows = vec![Row::new()];
    for option in options {
        let longer = |row: Row| (0..option.len()).map(move |at| [&row[..], &[at]].concat());
        rows = rows.into_iter().flat_map(longer).collect();
    }
    let read = |row: Row| {
        let chosen = options.iter().zip(&row).map(|(option, at)| &option[*at].1);
        let search = search(chosen);
        (row, search)
    };
    rows.into_iter().map(read).collect()
}

fn search<'a>(members: impl Iterator<Item = &'a Value>) -> Result<Search, String> {
    let mut file = json!({
        "apiVersion": "v1", "kind": "Search", "name": "one", "dataset": "rows", "budget": {"trials": 1},
        "search_space": {"seed_trials": [{"uniform_bits": 3}]}, "objectives": ["accuracy", "lut_estimate"],
    });
    for members in members {
        for (key, value) in members.as_object().unwrap() {
            match (file.get_mut(key), value) {
                (Some(Value::Object(there)), Value::Object(more)) => there.extend(more.clone()),
                _ => file[key] = value.clone(),
            }
        }
    }
    let told = |faults: Vec<bitfront_search::file::Fault>| {
        let each: Vec<String> = faults.iter().map(ToString::to_string).collect();
        each.join("; ")
    };
    let file = SearchFile::from_value(&file).map_err(told)?;
    let data = DatasetInfo::of_model(&file);
    resolve(&file, &data, None, Devices::known()).map_err(told)
}

/// Rows that are taken, so few that every two values of a row of `all` are in one of them: that with the most new pairs first.
fn chosen(all: &[(Row, Result<Search, String>)]) -> Vec<(&Row, &Search)> {
    let good: Vec<_> = all
        .iter()
        .filter_map(|(row, search)| Some((row, search.as_ref().ok()?)))
        .collect();
    let pairs = |row: &Row| {
        let values = || row.iter().copied().enumerate();
        let with = |one: (usize, usize)| values().skip(one.0 + 1).map(move |other| (one, other));
        values().flat_map(with).collect::<Vec<_>>()
    };
    let mut open: HashSet<_> = good.iter().flat_map(|(row, _)| pairs(row)).collect();
    let mut chosen = Vec::new();
    while !open.is_empty() {
        let new = |row: &Row| pairs(row).iter().filter(|pair| open.contains(pair)).count();
        // The first of the best, so that the rows are always the same.
        let best = good.iter().rev().max_by_key(|(row, _)| new(row)).unwrap();
        for pair in pairs(best.0) {
            open.remove(&pair);
        }
        chosen.push(*best);
    }
    chosen
}

/// The search's seed trial with reproducible weights, a table for each activation without a rectifier.
fn trained(search: &Search) -> IntegerProgram {
    let mut candidate = search.seed_trials[0].candidate.clone();
    for layer in &mut candidate.layers {
        if let ("curve", Operation::Activation { quantizer }) =
            (layer.name.as_str(), &mut layer.operation)
        {
            *quantizer = "quantized_tanh(3)".parse().unwrap();
        }
    }
    let mut state = 11_u32;
    let weights = Weights::build(&candidate, |tensor| {
        let noise = |_: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state >> 8) as f32 / (1 << 23) as f32 - 1.0;
            match tensor.part {
                Part::Kernel => noise,
                Part::Variance => 1.0 + noise.abs(),
                // Small, so that the rows and not these decide.
                _ => noise / 4.0,
            }
        };
        (0..tensor.shape.iter().product()).map(noise).collect()
    });
    freeze(&candidate, &weights).unwrap()
}

/// Takes a search's circuit through every gate.
fn measured(search: &Search, tools: &Tools, cache: &Path) -> Result<SynthesisResult, Ended> {
    let program = trained(search);
    let columns = program.inputs();
    let rows: Vec<f32> = (0..2600 * columns)
        .map(|n| (n * 7919 % 101) as f32 / 60.0 - 0.5)
        .collect();
    let (train, rest) = rows.split_at(2400 * columns);
    let (validation, test) = rest.split_at(100 * columns);
    let data = prepared(columns, train, validation, test);
    let options = search.design_options();
    let evidence = Evidence::new(&program, &options, &data, 0, &|| false).unwrap();
    let folder = tempfile::tempdir_in(cache).unwrap();
    let bench = Workbench {
        options,
        ..workbench(&search.synthesis_target, tools, folder.path(), cache)
    };
    measure(&bench, &program, &evidence, &mut Vec::new())
}

/// Takes every fourth of the chosen rows through every gate, from number `first`: tests of their own run side by side.
fn take(first: usize) {
    let Some(tools) = found_tools() else { return };
    let cache = tempfile::tempdir().unwrap();
    let options = options();
    let all = rows_of(&options);
    for (row, search) in chosen(&all).into_iter().skip(first).step_by(4) {
        let names = options.iter().zip(row).map(|(option, at)| option[*at].0);
        let names: Vec<_> = names.collect();
        if !tools.engines().contains(&search.synthesis_target.engine) {
            skipped(search.synthesis_target.engine.name());
            continue;
        }
        let result = measured(search, &tools, cache.path());
        let result = result.unwrap_or_else(|ended| panic!("{names:?}: {ended:?}"));
        let counts = [result.vectors_checked, result.netlist_vectors_checked];
        assert_eq!(counts, [2000; 2], "{names:?}");
        // It computes: a network whose outputs are constants passes whatever the gates are.
        assert!(result.lut_measured > 0, "{names:?}");
    }
}

#[test]
fn what_is_refused_says_what_is_accepted() {
    let options = options();
    let all = rows_of(&options);
    let refused = all
        .iter()
        .filter_map(|(row, search)| Some((row, search.as_ref().err()?)));
    for (row, message) in refused {
        assert!(message.contains("accepted"), "{row:?}: {message}");
    }
    let refused = all.iter().filter(|(_, search)| search.is_err()).count();
    assert!(refused > 0 && refused < all.len());
}

#[test]
fn every_two_options_pass_every_gate_1() {
    take(0);
}

#[test]
fn every_two_options_pass_every_gate_2() {
    take(1);
}

#[test]
fn every_two_options_pass_every_gate_3() {
    take(2);
}

#[test]
fn every_two_options_pass_every_gate_4() {
    take(3);
}
