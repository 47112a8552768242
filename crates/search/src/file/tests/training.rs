//! The training section: optimizers and schedules, what they resolve to and what is refused.

use super::{faults, pointers, set};
use crate::search::{OptimizerName, Plateau, Schedule, StepDecay, WarmCosine};
use crate::testing::search_with;
use serde_json::{Value, json};

fn optimizer(value: &Value) -> crate::search::Optimizer {
    let search = search_with(&json!({"training": {"optimizer": value}}));
    search.training.optimizer
}

#[test]
fn each_optimizer_takes_its_own_settings() {
    let name = |value: &Value| optimizer(value).name;
    assert_eq!(name(&json!({"name": "adam"})), OptimizerName::Adam);
    assert_eq!(
        name(&json!({"name": "adamw"})),
        OptimizerName::AdamW {
            weight_decay: 0.004
        }
    );
    assert_eq!(
        name(&json!({"name": "sgd", "momentum": 0.9, "nesterov": true})),
        OptimizerName::Sgd {
            momentum: 0.9,
            nesterov: true
        }
    );
}

#[test]
fn each_schedule_takes_its_own_settings() {
    let schedule = |value: Value| optimizer(&json!({"schedule": value})).schedule;
    let step = StepDecay {
        every: 3,
        factor: 0.5,
    };
    let warm = WarmCosine {
        warmup_steps: 100,
        floor: 0.0,
    };
    let plateau = Plateau {
        patience: 4,
        ..Plateau::default()
    };
    assert_eq!(schedule(json!("constant")), Schedule::Constant);
    assert_eq!(
        schedule(json!({"step": {"every": 3, "factor": 0.5}})),
        Schedule::Step(step)
    );
    assert_eq!(
        schedule(json!({"warm_cosine": {"warmup_steps": 100}})),
        Schedule::WarmCosine(warm)
    );
    assert_eq!(
        schedule(json!({"plateau": {"patience": 4}})),
        Schedule::Plateau(plateau)
    );
}

#[test]
fn a_plain_optimizer_is_stored_as_before() {
    let stored = serde_json::to_string(&optimizer(&json!({}))).unwrap();
    let expected = r#"{"name":"adam","learning_rate":0.01,"schedule":"cosine"}"#;
    assert_eq!(stored, expected);
}

#[test]
fn what_is_stored_is_read_again() {
    let given = json!({"name": "sgd", "momentum": 0.5, "schedule": {"plateau": {}}});
    let search = search_with(&json!({"training": {"optimizer": given}}));
    let again: crate::Search = serde_json::from_str(&search.canonical_json()).unwrap();
    assert_eq!(again, search);
}

#[test]
fn settings_of_another_optimizer_are_refused_by_name() {
    let given = json!({"training": {"optimizer": {"momentum": 0.9, "weight_decay": 0.1}}});
    assert_eq!(
        pointers(&given),
        set(&[
            "/training/optimizer/momentum",
            "/training/optimizer/weight_decay"
        ])
    );
    let detail = &faults(&given)[0].detail;
    assert_eq!(detail, "optimizer `adam` has no `momentum`; `sgd` has");
}

#[test]
fn schedule_faults_name_their_field() {
    let of =
        |schedule: Value| pointers(&json!({"training": {"optimizer": {"schedule": schedule}}}));
    let at = |rest: &str| set(&[&format!("/training/optimizer/schedule{rest}")]);
    assert_eq!(of(json!("cosin")), at(""));
    assert_eq!(
        of(json!({"step": {"every": 0, "factor": 0.5}})),
        at("/step/every")
    );
}
