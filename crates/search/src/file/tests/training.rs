//! The training section: optimizers and schedules, what they resolve to and what is refused.

use super::{faults, pointers, set};
use crate::search::{
    Averaging, ClassWeights, ConstantSparsity, Distillation, EarlyStopping, LateMean,
    MovingAverage, OptimizerName, Plateau, PolynomialSparsity, PruneBy, Pruning, PruningSchedule,
    Schedule, StepDecay, WarmCosine,
};
use crate::testing::search_with;
use serde_json::{Value, json};
use std::collections::BTreeSet;

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

#[test]
fn regularisation_and_ends_are_taken_as_given() {
    let search = search_with(&json!({"training": {
        "clip_norm": 0.5, "l1": 1e-4, "l2": 2e-4, "early_stopping": {"patience": 3},
        "best_epoch": true, "label_smoothing": 0.1,
    }}));
    let training = &search.training;
    assert_eq!(training.clip_norm, Some(0.5));
    assert_eq!((training.l1, training.l2), (1e-4, 2e-4));
    let stopping = EarlyStopping {
        patience: 3,
        min_delta: 0.0,
    };
    assert_eq!(training.early_stopping, Some(stopping));
    assert!(training.best_epoch);
    assert_eq!(training.label_smoothing, 0.1);
    let again: crate::Search = serde_json::from_str(&search.canonical_json()).unwrap();
    assert_eq!(again, search);
    let file: crate::file::SearchFile = serde_json::from_value(crate::testing::document_with(
        &json!({"training": {"l1": 1e-4}}),
    ))
    .unwrap();
    let written = serde_json::to_value(&file.training).unwrap();
    assert_eq!(written["l1"], 1e-4);
    assert!(written.get("l2").is_none(), "{written}");
}

#[test]
fn a_plain_recipe_is_stored_as_before_so_that_digests_stay() {
    let plain = search_with(&json!({}));
    let spelled_out = search_with(&json!({"training": {
        "clip_norm": null, "l1": 0.0, "l2": 0, "early_stopping": null, "best_epoch": false,
        "label_smoothing": 0.0, "class_weights": null, "averaging": null,
        "pruning": null, "distillation": null,
    }}));
    let stored = serde_json::to_value(&plain.training).unwrap();
    let keys: Vec<_> = stored.as_object().unwrap().keys().cloned().collect();
    let expected = ["batch_size", "epochs", "optimizer", "repeats"];
    assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), set(&expected));
    assert_eq!(spelled_out.digest(), plain.digest());
    let penalised = search_with(&json!({"training": {"l1": 1e-4}}));
    assert_ne!(penalised.digest(), plain.digest());
}

#[test]
fn regularisation_out_of_range_names_its_field() {
    let of = |training: Value| pointers(&json!({ "training": training }));
    assert_eq!(
        of(json!({"clip_norm": 0, "l1": -1, "l2": 2, "label_smoothing": 1})),
        set(&[
            "/training/clip_norm",
            "/training/l1",
            "/training/l2",
            "/training/label_smoothing"
        ])
    );
    assert_eq!(
        of(json!({"early_stopping": {"patience": 0}})),
        set(&["/training/early_stopping/patience"])
    );
    assert_eq!(
        of(json!({"early_stopping": {"min_delta": 0.1}})),
        set(&["/training/early_stopping"])
    );
    assert_eq!(
        of(json!({"best_epoch": 1, "label_smoother": 0.1})),
        set(&["/training/best_epoch", "/training/label_smoother"])
    );
}

#[test]
fn class_weights_are_one_a_class_or_balanced() {
    let of = |weights: Value| search_with(&json!({"training": {"class_weights": weights}}));
    let weights = |search: &crate::Search| search.training.class_weights.clone().unwrap();
    assert_eq!(weights(&of(json!("balanced"))), ClassWeights::Balanced);
    let each = of(json!([1, 2.5, 0.5]));
    let expected = ClassWeights::Each(vec![1.0, 2.5, 0.5]);
    assert_eq!(weights(&each), expected);
    let again: crate::Search = serde_json::from_str(&each.canonical_json()).unwrap();
    assert_eq!(again, each);
}

#[test]
fn class_weight_faults_come_all_at_once() {
    let given = json!({"training": {"class_weights": [1, 0, -1, 2e6]}});
    assert_eq!(
        pointers(&given),
        set(&[
            "/training/class_weights",
            "/training/class_weights/1",
            "/training/class_weights/2",
            "/training/class_weights/3"
        ])
    );
    let detail = &faults(&given)[0].detail;
    let expected = "has 4 numbers; accepted: 3, one for each class of the data set";
    assert_eq!(detail, expected);
    let given = json!({"training": {"class_weights": "even"}});
    assert_eq!(pointers(&given), set(&["/training/class_weights"]));
}

#[test]
fn averages_are_of_steps_or_of_late_epochs() {
    let of = |value: Value| {
        let search = search_with(&json!({"training": {"averaging": value}}));
        let again: crate::Search = serde_json::from_str(&search.canonical_json()).unwrap();
        assert_eq!(again, search);
        search.training.averaging.unwrap()
    };
    let ema = |decay| Averaging::Ema(MovingAverage { decay });
    assert_eq!(of(json!({"ema": {}})), ema(0.99));
    assert_eq!(of(json!({"ema": {"decay": 0.999}})), ema(0.999));
    let swa = Averaging::Swa(LateMean { start_epoch: 2 });
    assert_eq!(of(json!({"swa": {"start_epoch": 2}})), swa);
}

#[test]
fn average_faults_name_their_field() {
    let of = |value: Value| pointers(&json!({"training": {"epochs": 4, "averaging": value}}));
    let at = |rest: &str| set(&[&format!("/training/averaging{rest}")]);
    assert_eq!(of(json!({"ema": {"decay": 1}})), at("/ema/decay"));
    assert_eq!(of(json!({"ema": {"rate": 0.5}})), at("/ema/rate"));
    assert_eq!(
        of(json!({"swa": {"start_epoch": 5}})),
        at("/swa/start_epoch")
    );
    assert_eq!(
        of(json!({"swa": {"start_epoch": 0}})),
        at("/swa/start_epoch")
    );
    assert_eq!(of(json!({"polyak": {}})), at(""));
}

/// A space whose kernels all have a zero.
fn with_zeros(training: &Value) -> Value {
    json!({
        "training": training,
        "search_space": {
            "pools": {"kernel": ["ternary(alpha=1.0)", "quantized_bits(4,0,alpha=1.0)"]},
            "seed_trials": [{"float": true}, {"uniform_bits": 6}],
        },
    })
}

#[test]
fn pruning_is_by_weight_or_channel_along_epochs() {
    let of = |value: Value| {
        let search = search_with(&with_zeros(&json!({ "pruning": value })));
        let again: crate::Search = serde_json::from_str(&search.canonical_json()).unwrap();
        assert_eq!(again, search);
        search.training.pruning.unwrap()
    };
    let polynomial = PolynomialSparsity {
        initial_sparsity: 0.0,
        final_sparsity: 0.75,
        begin_epoch: 1,
        end_epoch: 6,
        power: 3.0,
        frequency: 100,
    };
    let expected = Pruning {
        schedule: PruningSchedule::Polynomial(polynomial),
        by: PruneBy::Weight,
    };
    let given = json!({"schedule": {"polynomial": {"final_sparsity": 0.75, "end_epoch": 6}}});
    assert_eq!(of(given), expected);
    let expected = Pruning {
        schedule: PruningSchedule::Constant(ConstantSparsity {
            sparsity: 0.5,
            begin_epoch: Some(3),
        }),
        by: PruneBy::OutputChannel,
    };
    let constant = json!({"constant": {"sparsity": 0.5, "begin_epoch": 3}});
    let given = json!({"schedule": constant, "by": "output_channel"});
    assert_eq!(of(given), expected);
}

/// Magnitudes of weights that were not trained yet are random.
#[test]
fn a_constant_share_is_pruned_after_a_quarter_of_the_epochs() {
    let begin = |training: Value| {
        let pruning = json!({"schedule": {"constant": {"sparsity": 0.5}}});
        let mut training = training;
        training["pruning"] = pruning;
        let search = search_with(&with_zeros(&training));
        match search.training.pruning.unwrap().schedule {
            PruningSchedule::Constant(constant) => constant.begin_epoch,
            PruningSchedule::Polynomial(_) => None,
        }
    };
    for (epochs, expected) in [(1, 1), (2, 2), (3, 2), (4, 2), (5, 3), (30, 9), (100, 26)] {
        assert_eq!(begin(json!({"epochs": epochs})), Some(expected), "{epochs}");
    }
}

#[test]
fn pruning_faults_name_their_field() {
    let of = |pruning: Value| pointers(&with_zeros(&json!({"epochs": 4, "pruning": pruning})));
    let at = |rest: &str| set(&[&format!("/training/pruning{rest}")]);
    let polynomial = |with: Value| {
        let mut all = json!({"final_sparsity": 0.5, "end_epoch": 3});
        for (key, value) in with.as_object().unwrap() {
            all[key] = value.clone();
        }
        of(json!({"schedule": {"polynomial": all}}))
    };
    let field = |name: &str| at(&format!("/schedule/polynomial/{name}"));
    assert_eq!(polynomial(json!({"end_epoch": 5})), field("end_epoch"));
    assert_eq!(
        polynomial(json!({"begin_epoch": 4, "end_epoch": 3})),
        field("end_epoch")
    );
    assert_eq!(polynomial(json!({"begin_epoch": 5})), field("begin_epoch"));
    assert_eq!(
        polynomial(json!({"initial_sparsity": 0.6})),
        field("initial_sparsity")
    );
    assert_eq!(
        polynomial(json!({"final_sparsity": 1})),
        field("final_sparsity")
    );
    assert_eq!(polynomial(json!({"power": 0})), field("power"));
    assert_eq!(polynomial(json!({"frequency": 0})), field("frequency"));
    assert_eq!(
        of(json!({"schedule": {"constant": {"sparsity": 0.5, "begin_epoch": 5}}})),
        at("/schedule/constant/begin_epoch")
    );
    assert_eq!(
        of(json!({"schedule": {"constant": {"sparsity": 0.5}}, "by": "layer"})),
        at("/by")
    );
    assert_eq!(of(json!({"by": "weight"})), at(""));
}

#[test]
fn kernels_without_zero_are_refused_where_there_is_pruning() {
    let pruning = json!({"schedule": {"constant": {"sparsity": 0.5}}});
    let faults = faults(&json!({"training": {"pruning": pruning}, "search_space": {
        "pools": {"kernel": ["quantized_bits(4,0,alpha=1.0)", "quantized_po2(4,1)"]},
        "seed_trials": [{"float": true}, {"uniform_bits": 2}, {"uniform_bits": 1}],
    }}));
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let expected = [
        "/training/pruning: `fc1.kernel` may be `quantized_po2(4,max_value=1)`, which has no 0 for pruned weights; \
         accepted: kernels that keep 0, as `quantized_bits` of 2 bits and more or `ternary` do",
        "/training/pruning: `fc1.kernel of seed trial uniform-1` may be `binary(alpha=1.0)`, which has no 0 for \
         pruned weights; accepted: kernels that keep 0, as `quantized_bits` of 2 bits and more or `ternary` do",
    ];
    assert_eq!(told, expected);
}

#[test]
fn distillation_is_by_weight_and_temperature() {
    let of = |value: Value| {
        let search = search_with(&json!({"training": {"distillation": value}}));
        let again: crate::Search = serde_json::from_str(&search.canonical_json()).unwrap();
        assert_eq!(again, search);
        search.training.distillation.unwrap()
    };
    let both = |weight, temperature| Distillation {
        weight,
        temperature,
        widen: 1,
    };
    assert_eq!(of(json!({})), both(0.5, 2.0));
    assert_eq!(of(json!({"weight": 0.9, "temperature": 4})), both(0.9, 4.0));
    let wide = of(json!({"widen": 3}));
    assert_eq!((wide.weight, wide.temperature, wide.widen), (0.5, 2.0, 3));
    // The parent itself is not written out, so that searches keep their digests.
    let stored = serde_json::to_value(both(0.5, 2.0)).unwrap();
    assert_eq!(stored, json!({"weight": 0.5, "temperature": 2.0}));
    let of = |value: Value| pointers(&json!({"training": {"distillation": value}}));
    let at = |rest: &str| set(&[&format!("/training/distillation{rest}")]);
    assert_eq!(of(json!({"weight": 0})), at("/weight"));
    assert_eq!(of(json!({"weight": 1.5})), at("/weight"));
    assert_eq!(of(json!({"temperature": 0})), at("/temperature"));
    assert_eq!(of(json!({"teacher": "float"})), at("/teacher"));
    assert_eq!(of(json!({"widen": 0})), at("/widen"));
    assert_eq!(of(json!({"widen": 17})), at("/widen"));
    assert_eq!(of(json!(0.5)), at(""));
    // Without hidden layers there is nothing to widen.
    let single = json!({"model": {"mlp": [4, 3]}, "training": {"distillation": {"widen": 2}}});
    assert_eq!(pointers(&single), at("/widen"));
}
