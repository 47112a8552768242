//! Search files: YAML or JSON text, through the command line's reader into a resolved search.

use std::collections::BTreeMap;

use bitfront_search::Search;
use bitfront_search::file::{self, DatasetInfo, SearchFile};
use bitfront_search::search::Sampler;

use crate::Target;

/// The command line's own reader; it is part of a program, not of a library.
#[path = "../../cli/src/document/located.rs"]
mod located;

/// Text of a search file.
pub const TARGET: Target = Target {
    name: "search",
    run,
    seeds,
};

fn run(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let mut places = BTreeMap::new();
    let Ok(value) = located::read(text, &mut places) else {
        return false;
    };
    // Without a registered data set there is always a fault: that there is none.
    let without = file::read(&value, None);
    let faults = without.expect_err("a search without a data set is refused");
    for fault in faults {
        assert!(
            fault.pointer.is_empty() || fault.pointer.starts_with('/'),
            "{fault}"
        );
    }
    let Ok(typed) = SearchFile::from_value(&value) else {
        return false;
    };
    let info = DatasetInfo {
        digest: "0".repeat(64),
        ..DatasetInfo::of_model(&typed)
    };
    let Ok(search) = file::read(&value, Some(&info)) else {
        return false;
    };
    let json = search.canonical_json();
    let again: Search = serde_json::from_str(&json).expect("a stored search is read again");
    assert_eq!(again, search);
    for index in [0, search.space.size() - 1] {
        let point = search.space.point(index);
        assert_eq!(search.space.index(&point), index);
        let candidate = search.candidate(&point).expect("a point of the space");
        let checked = match search.sampler {
            Sampler::LearnedBits(_) => candidate.check_shapes(),
            _ => candidate.check(),
        };
        assert_eq!(checked, Ok(()), "{json}");
    }
    true
}

/// The examples, the first also as JSON, and a small file with the options they leave out.
fn seeds() -> Vec<Vec<u8>> {
    let jets = include_str!("../../examples/jets.yaml");
    let paper = include_str!("../../examples/jets-paper.yaml");
    let json = located::read(jets, &mut BTreeMap::new()).expect("the example is YAML");
    vec![
        jets.into(),
        paper.into(),
        json.to_string().into_bytes(),
        SMALL.into(),
        SHORTEST.into(),
    ]
}

const SHORTEST: &str = r#"{"apiVersion": "v1", "kind": "Search", "name": "a", "dataset": "d", "model": {"mlp": [4, 3, 3]},
"objectives": ["accuracy", "lut_estimate"], "budget": {"trials": 100}}"#;

const SMALL: &str = r"apiVersion: v1
kind: Search
name: small
labels: &labels {a: b, c: '2'}
dataset: {name: little, split: {train: 0.5, validation: 0.25, test: 0.25, seed: 3}}
model: {mlp: [3, 2, 2]}
objectives:
  - {metric: accuracy, goal: maximize}
  - {metric: energy_pj, goal: minimize}
constraints: [{metric: lut_estimate, max: 4e3}, {metric: lut_measured, max: 5 %}]
sampler: {name: random}
order: arrival
budget: {trials: 7, parallel: 2}
synthesis: {policy: none}
seed: 9
";
