//! A search that predicts values, from its file to what a user reads.

mod support;

use serde_json::json;
use support::{Service, bitfront, run, search_file};

#[test]
fn a_search_of_values_is_checked_run_and_read() {
    let service = Service::start();
    let text = |arguments: &[&str]| {
        let mut command = bitfront();
        command.args(arguments).args(["--url", &service.url]);
        run(command)
    };
    let mut file = search_file(5, 8, 1);
    file["dataset"] = json!({"name": "points", "targets": ["b"]});
    file["model"] = json!({"mlp": [3, 8, 1]});
    let path = service.path("values.json");
    let path = path.to_str().expect("a plain path");
    std::fs::write(path, file.to_string()).expect("the search file");
    let (code, _, refusal) = text(&["submit", path]);
    assert_eq!(code, 2, "{refusal}");
    assert!(
        refusal.contains("/objectives/0: `accuracy` is no score of the loss `mean_squared_error`; accepted: `mean_squared_error` and the costs"),
        "{refusal}"
    );
    file["objectives"] = json!(["mean_squared_error", "lut_estimate"]);
    let id = service.submit(&file);
    let _worker = service.worker("values");
    let (code, front, progress) = text(&["watch", &id]);
    assert_eq!(code, 0, "{progress}");
    assert!(front.contains(" MSE  "), "{front}");

    let errors: Vec<f64> = service
        .json(&["trials", &id, "--sort", "mean_squared_error"])
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|trial| trial["scores"]["mean_squared_error_validation"].as_f64())
        .collect();
    assert!(errors.len() == 5 && errors.is_sorted(), "{errors:?}");
    // The feature's rows overlap with what the others say of the class: better than the mean, not perfect.
    assert!(errors[0] < 0.9, "{errors:?}");
    let members = service.json(&["front", &id]);
    let members = members["members"].as_array().expect("members").clone();
    let least = |of: &[f64]| of.iter().copied().fold(f64::INFINITY, f64::min);
    let on_front: Vec<f64> = members
        .iter()
        .filter_map(|trial| trial["scores"]["mean_squared_error_validation"].as_f64())
        .collect();
    assert_eq!(on_front.len(), members.len());
    let search = service.search(&id);
    assert_eq!(
        search["least_mean_squared_error_validation"],
        least(&on_front)
    );
    assert_eq!(search["best_accuracy_validation"], json!(null));
    assert_eq!(search["synthesis"]["completed"], 1, "{search}");

    let trial = service.trial(members[0]["id"].as_str().expect("an id"));
    assert_eq!(trial["classes"], json!(["b"]));
    assert_eq!(trial["candidate"]["head"]["kind"], "linear");
    let curve = trial["curve"].as_array().expect("a curve");
    assert!(!curve.is_empty());
    assert!(curve.iter().all(
        |point| point["validation_accuracy"].is_null() && point["validation_loss"].is_number()
    ));
    let (_, listed, _) = text(&["ls"]);
    assert!(listed.contains(" MSE"), "{listed}");
}
