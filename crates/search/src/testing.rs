//! Searches and scores for tests.

use crate::file::{self, DatasetInfo};
use crate::{Search, TrialScores};
use serde_json::{Value, json};

/// A data set of four features and three classes.
pub(crate) fn dataset() -> DatasetInfo {
    DatasetInfo {
        inputs: 4,
        classes: 3,
        digest: "d".repeat(64),
        ..DatasetInfo::default()
    }
}

/// A small search file: 4-3-3, two layers, no rules.
pub(crate) fn document() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Search",
        "name": "small",
        "dataset": "little",
        "model": {"mlp": [4, 3, 3]},
        "objectives": ["accuracy", "lut_estimate"],
        "budget": {"trials": 100},
    })
}

/// [`document`] with top-level members replaced or added.
pub(crate) fn document_with(members: &Value) -> Value {
    let mut document = document();
    for (key, member) in members.as_object().expect("a mapping") {
        document[key] = member.clone();
    }
    document
}

/// The search of [`document_with`].
pub(crate) fn search_with(members: &Value) -> Search {
    file::read(&document_with(members), Some(&dataset())).expect("a good file")
}

/// Scores of a trial with this accuracy and LUT estimate.
pub(crate) fn scores(accuracy: f64, luts: u64) -> TrialScores {
    let costs = json!({
        "bits_parameters": 10 * luts, "bits_activations": luts, "bits": 11 * luts,
        "energy_pj": 1.0, "energy_qtools_0_8_pj": 1.0, "energy_qtools_0_9_pj": 1.0,
        "ebops": 1.0, "lut_estimate": luts, "ff_estimate": luts, "dsp_estimate": 0,
        "cycles": 4, "latency_ns": 20.0, "lut_equivalent": luts,
    });
    TrialScores {
        accuracy_validation: Some(accuracy),
        costs: Some(serde_json::from_value(costs).expect("costs")),
        ..TrialScores::default()
    }
}

/// Scores of a float reference.
pub(crate) fn float_scores(accuracy: f64) -> TrialScores {
    TrialScores {
        costs: None,
        ..scores(accuracy, 1)
    }
}
