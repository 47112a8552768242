//! A search whose training diverges: what fails says where, the search ends, its front is of finite results.

mod support;

use serde_json::{Value, json};
use support::{Service, bitfront, run, search_file};

/// Dense layers without activations between them: nothing bounds the products of float weights, while
/// those of fixed-point formats stay within their ranges.
const LAYERS: [&str; 4] = ["fc1", "fc2", "fc3", "output"];

fn absurd_learning_rate() -> Value {
    let dense =
        |name: &&str| json!({"name": name, "dense": if *name == "output" { 3 } else { 16 }});
    let mut file = search_file(8, 6, 0);
    file["model"] = json!({"layers": LAYERS.iter().map(dense).collect::<Vec<_>>()});
    file["training"]["optimizer"] =
        json!({"name": "sgd", "momentum": 0.9, "learning_rate": 1.0, "schedule": "constant"});
    file
}

#[test]
fn diverged_trials_fail_with_step_and_layer_and_the_front_is_finite() {
    let service = Service::start();
    let id = service.submit(&absurd_learning_rate());
    let _worker = service.worker("steep");
    let mut watch = bitfront();
    watch.args(["watch", &id, "--url", &service.url]);
    let (code, front, progress) = run(watch);
    assert_eq!(code, 0, "{progress}");
    assert_eq!(service.search(&id)["state"], "finished");

    let trials = service.trials(&id);
    assert_eq!(trials.len(), 8);
    let (failed, completed): (Vec<&Value>, Vec<&Value>) =
        trials.iter().partition(|trial| trial["state"] == "failed");
    assert!(failed.iter().any(|trial| trial["label"] == "float"));
    assert!(completed.iter().all(|trial| trial["state"] == "completed"));
    for trial in failed {
        assert_eq!(trial["error_code"], "diverged");
        assert_eq!(
            (&trial["scores"], &trial["on_front"]),
            (&Value::Null, &json!(false))
        );
        let message = trial["error_message"].as_str().expect("a message");
        let place = message
            .strip_prefix("training diverged in epoch 1, step ")
            .unwrap_or_else(|| panic!("{message}"));
        let (step, place) = place.split_once(": ").expect("a place");
        assert!(step.parse::<u32>().is_ok_and(|step| step < 60), "{message}");
        let (layer, _) = place.split_once('.').expect("a layer's tensor");
        assert!(LAYERS.contains(&layer), "{message}");
        assert!(place.contains(" is not finite; "), "{message}");

        // What a user reads says it too, and nobody trained it again.
        let named = trial["id"].as_str().expect("an id");
        let whole = service.trial(named);
        let attempts = whole["attempts"].as_array().expect("attempts");
        assert_eq!(attempts.len(), 1, "what diverges does so again");
        assert_eq!(attempts[0]["error_message"], message);
        let mut show = bitfront();
        show.args(["trial", "show", named, "--url", &service.url]);
        let (_, shown, _) = run(show);
        assert!(
            shown.contains("(failed)") && shown.contains(message),
            "{shown}"
        );
    }

    let members = &service.json(&["front", &id])["members"];
    let members = members.as_array().expect("members");
    assert!(!members.is_empty());
    for member in members {
        assert_eq!(member["state"], "completed");
        let scores = &member["scores"];
        let accuracy = scores["accuracy_validation"].as_f64().expect("a number");
        assert!((0.0..=1.0).contains(&accuracy));
        assert!(scores["costs"]["lut_estimate"].as_u64().is_some());
    }
    assert!(front.contains("#0 float      failed"), "{front}");
}
