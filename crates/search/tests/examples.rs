//! The checked-in examples and the checked-in schema are what the code says they are.

use bitfront_search::file::{self, DatasetInfo};
use bitfront_search::search::{Search, SynthesisPolicy};
use std::fs;
use std::path::{Path, PathBuf};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// Features of the jets.
const JETS: [&str; 16] = [
    "j_zlogz",
    "j_c1_b0_mmdt",
    "j_c1_b1_mmdt",
    "j_c1_b2_mmdt",
    "j_c2_b1_mmdt",
    "j_c2_b2_mmdt",
    "j_d2_b1_mmdt",
    "j_d2_b2_mmdt",
    "j_d2_a1_b1_mmdt",
    "j_d2_a1_b2_mmdt",
    "j_m2_b1_mmdt",
    "j_m2_b2_mmdt",
    "j_n2_b1_mmdt",
    "j_n2_b2_mmdt",
    "j_mass_mmdt",
    "j_multiplicity",
];

/// The jets have 16 features and 5 classes, Fashion-MNIST 28 x 28 pixels and 10.
fn data(name: &str) -> DatasetInfo {
    let (inputs, classes) = match name {
        "fashion-mnist" => (28 * 28, 10),
        _ => (16, 5),
    };
    DatasetInfo {
        inputs,
        classes,
        digest: "0".repeat(64),
        features: match name {
            "fashion-mnist" => Vec::new(),
            _ => JETS.map(str::to_owned).to_vec(),
        },
        targets: 0,
        has_test_rows: true,
    }
}

fn read(name: &str) -> Search {
    let text = fs::read_to_string(examples().join(name)).expect("the example is there");
    let value: serde_json::Value = serde_saphyr::from_str(&text).expect("the example is YAML");
    let data = data(file::dataset_name(&value).expect("a data set"));
    file::read(&value, Some(&data)).unwrap_or_else(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        panic!("{name}:\n{}", faults.join("\n"))
    })
}

#[test]
fn every_example_is_a_search() {
    let mut found = 0;
    for entry in fs::read_dir(examples()).expect("the folder is there") {
        let name = entry
            .expect("readable")
            .file_name()
            .into_string()
            .expect("UTF-8");
        if Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let search = read(&name);
            assert_eq!(format!("{}.yaml", search.name), name);
            assert!(search.is_reproducible());
            found += 1;
        }
    }
    assert!(found >= 2, "jets.yaml and jets-paper.yaml");
}

/// Units of the dense layers.
fn units(search: &Search) -> Vec<usize> {
    let stack = search.network.float.dense_stack();
    let stack = stack.expect("dense layers in a row");
    stack.layers.iter().map(|layer| layer.units).collect()
}

#[test]
fn the_demo_is_what_its_bars_ask_for() {
    let search = read("jets.yaml");
    assert!(search.budget.trials >= 100);
    assert!(search.training.epochs >= 3);
    let units = units(&search);
    assert_eq!(units, [16, 16, 5]);
    let labels: Vec<_> = search
        .seed_trials
        .iter()
        .map(|seed| seed.label.as_str())
        .collect();
    assert_eq!(
        labels,
        ["float", "uniform-8", "uniform-6", "uniform-4", "uniform-2"]
    );
    assert!(matches!(
        search.synthesis,
        SynthesisPolicy::Front { count: 3.., .. }
    ));
    assert!(search.space.size() > 10_000);
}

#[test]
fn the_paper_search_has_the_papers_network_and_counted_space() {
    let search = read("jets-paper.yaml");
    let units = units(&search);
    assert_eq!(units, [64, 32, 32, 5]);
    // Kernels 5 x 6^3, biases 3^4, activations 7^3.
    assert_eq!(search.space.size(), 5 * 216 * 81 * 343);
}

#[test]
fn a_stored_search_reads_back_and_keeps_its_digest() {
    let search = read("jets.yaml");
    let back: Search = serde_json::from_str(&search.canonical_json()).expect("reads back");
    assert_eq!(back, search);
    // A store that keeps JSON as a tree may reorder keys.
    let tree: serde_json::Value = serde_json::from_str(&search.canonical_json()).expect("JSON");
    let back: Search = serde_json::from_value(tree).expect("reads back");
    assert_eq!(back.digest(), search.digest());
}

#[test]
fn the_checked_in_schema_is_current() {
    let path = examples().join("search.schema.json");
    let text = fs::read_to_string(path).unwrap_or_default();
    assert!(
        text == file::json_schema_text(),
        "stale: cargo run -p bitfront-search --example schema > examples/search.schema.json"
    );
}
