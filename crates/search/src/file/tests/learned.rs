//! Learned bit widths: what the sampler section resolves to, what it is refused with, and which runs it proposes.

use super::{faults, pointers, set};
use crate::learned::{Granularity, LearnedBits};
use crate::sampler::{History, Origin, Outcome, PastTrial, Proposal, propose, trial_seed};
use crate::search::Sampler;
use crate::testing::{float_scores, search_with};
use bitfront_quantizer::Quantizer;
use serde_json::{Value, json};

/// A file that learns bit widths, with more settings of its sampler.
fn learned(settings: &Value) -> Value {
    let mut sampler = json!({"name": "learned_bits"});
    for (key, value) in settings.as_object().expect("a mapping") {
        sampler[key] = value.clone();
    }
    json!({"sampler": sampler, "budget": {"trials": 3}})
}

#[test]
fn settings_left_out_are_written_out() {
    let search = search_with(&json!({"sampler": "learned_bits"}));
    assert_eq!(search.sampler, Sampler::LearnedBits(LearnedBits::default()));
    assert!(search.seed_trials.is_empty());
    // Nothing is chosen: the only point is the float network behind its input's grid.
    assert_eq!(search.space.size(), 1);
    let candidate = search.candidate(&search.space.point(0)).expect("a point");
    assert_eq!(candidate.layers, search.network.float.layers);
    assert_ne!(candidate.input_quantizer, Quantizer::Float);
    let settings = json!({"epochs": 7, "batch_size": 16, "learning_rate": 0.5, "bits_rate": 0.25, "final_rate": 0.125,
        "first_beta": 1e-5, "last_beta": 1e-2, "flat": 0.75, "fraction_bits": 3.5, "averaging": 0.5,
        "granularity": "layer"});
    let expected = LearnedBits {
        epochs: 7,
        batch_size: 16,
        learning_rate: 0.5,
        bits_rate: 0.25,
        final_rate: 0.125,
        first_beta: 1e-5,
        last_beta: 1e-2,
        flat: 0.75,
        fraction_bits: 3.5,
        averaging: 0.5,
        granularity: Granularity::Layer,
    };
    let search = search_with(&learned(&settings));
    assert_eq!(search.sampler, Sampler::LearnedBits(expected));
    let stored = search.canonical_json();
    let back: crate::Search = serde_json::from_str(&stored).expect("reads back");
    assert_eq!(back, search);
}

#[test]
fn settings_of_other_samplers_and_out_of_range_are_refused() {
    let mixed = learned(&json!({"population": 8, "last_beta": 1e-9}));
    let mut mixed_with_space = mixed.clone();
    mixed_with_space["training"] = json!({"pruning": {"schedule": {"constant": {"sparsity": 0.5}}}, "label_smoothing": 0.1, "class_weights": "balanced"});
    mixed_with_space["search_space"] = json!({"seed_trials": [{"float": true}]});
    let expected = set(&[
        "/sampler/population",
        "/sampler/last_beta",
        "/search_space",
        "/training/pruning",
        "/training/class_weights",
        "/training/label_smoothing",
    ]);
    assert_eq!(pointers(&mixed_with_space), expected);
    assert_eq!(
        faults(&mixed)[0].detail,
        "sampler `learned_bits` has no `population`; `evolution` has"
    );
    let evolution = json!({"sampler": {"name": "evolution", "epochs": 5, "first_beta": 0.1, "granularity": "layer"}});
    let expected = set(&[
        "/sampler/epochs",
        "/sampler/first_beta",
        "/sampler/granularity",
    ]);
    assert_eq!(pointers(&evolution), expected);
    let wild = learned(
        &json!({"epochs": 0, "averaging": 1.0, "flat": 1.0, "first_beta": 0.0, "fraction_bits": 11}),
    );
    let expected = set(&[
        "/sampler/epochs",
        "/sampler/averaging",
        "/sampler/flat",
        "/sampler/first_beta",
        "/sampler/fraction_bits",
    ]);
    assert_eq!(pointers(&wild), expected);
    let mut many = learned(&json!({"epochs": 10_000}));
    many["budget"] = json!({"trials": 100});
    assert_eq!(
        faults(&many)[0].detail,
        "100 runs of 10000 epochs may leave more than 1000000 trials behind; accepted is 99 at most"
    );
}

#[test]
fn networks_whose_bits_cannot_be_learned_are_refused() {
    let with_model = |model: Value| {
        let mut file = learned(&json!({}));
        file["model"] = model;
        file
    };
    let input =
        with_model(json!({"mlp": [4, 3, 3], "inputs": {"quantizer": "quantized_po2(4,2)"}}));
    assert_eq!(pointers(&input), set(&["/model/inputs/quantizer"]));
    assert!(
        faults(&input)[0]
            .detail
            .contains("accepted is one such as `quantized_bits(12,3,alpha=1.0)`")
    );
    // Layers of an image of 2 x 2, and why the first of them that does not fit does not.
    let conv = json!({"name": "c", "conv": {"filters": 2, "size": 2, "padding": "same"}});
    let relu = json!({"name": "r", "activation": "relu"});
    let flat = json!({"name": "f", "flatten": true});
    let with = |layer: &Value, more: Value| {
        let mut layer = layer.clone();
        for (key, value) in more.as_object().expect("a mapping") {
            layer[key] = value.clone();
        }
        layer
    };
    let pool = json!({"name": "p", "max_pool": {"size": 2}});
    for (layers, problem) in [
        (json!([conv, flat]), "`f` is flatten before an activation"),
        (
            json!([conv, with(&conv, json!({"name": "c2"})), relu, flat]),
            "`c2` follows a conv layer, with no activation between",
        ),
        (
            json!([with(&conv, json!({"use_bias": false})), relu, flat]),
            "`c` has no bias",
        ),
        (
            json!([with(&conv, json!({"fold_batch_norm": {}})), relu, flat]),
            "`c` folds a batch normalisation",
        ),
        (
            json!([conv, {"name": "n", "batch_norm": {}}, relu, flat]),
            "`n` is batch_norm before an activation",
        ),
        (
            json!([{"name": "d", "depthwise_conv": {"size": 2, "padding": "same"}}, relu, flat]),
            "`d` is depthwise_conv here",
        ),
        (
            json!([conv, relu, {"name": "a", "average_pool": {"size": 2}}, flat]),
            "`a` is average_pool here",
        ),
        (json!([pool, conv, relu, flat]), "`p` is max_pool here"),
        (
            json!([
                conv,
                relu,
                with(&conv, json!({"name": "c2"})),
                with(&relu, json!({"name": "r2"})),
                {"name": "s", "add": ["r", "r2"]},
                flat
            ]),
            "`s` names what it reads",
        ),
    ] {
        let mut layers = layers.as_array().expect("a list").clone();
        layers.push(json!({"name": "output", "dense": 3}));
        layers.push(json!({"name": "softmax", "activation": "softmax"}));
        let model = json!({"inputs": {"shape": [2, 2, 1]}, "layers": layers});
        let found = faults(&with_model(model));
        assert_eq!(found[0].pointer, "/model", "{found:?}");
        let expected = format!("{problem}; sampler `learned_bits` takes convolutions");
        assert!(found[0].detail.starts_with(&expected), "{found:?}");
    }
    let linear = with_model(json!({"layers": [
        {"name": "fc1", "dense": 3}, {"name": "flat1", "activation": "linear"},
        {"name": "output", "dense": 3}, {"name": "softmax", "activation": "softmax"},
    ]}));
    let found = faults(&linear);
    assert!(
        found[0].detail.contains("flat1` does not rectify"),
        "{found:?}"
    );
}

#[test]
fn bits_of_convolutions_are_learned_behind_an_unsigned_input_too() {
    let input = "quantized_bits(8,0,keep_negative=0,alpha=1.0)";
    let model = json!({
        "inputs": {"shape": [2, 2, 1], "quantizer": input},
        "layers": [
            {"name": "c", "conv": {"filters": 2, "size": 2, "padding": "same"}}, {"name": "r", "activation": "relu"},
            {"name": "p", "max_pool": {"size": 2}}, {"name": "f", "flatten": true},
            {"name": "output", "dense": 3}, {"name": "softmax", "activation": "softmax"},
        ],
    });
    let search = search_with(&json!({"sampler": "learned_bits", "model": model}));
    let candidate = search.candidate(&search.space.point(0)).expect("a point");
    assert_eq!(candidate.input_quantizer.to_string(), input);
    assert_eq!(candidate.layers, search.network.float.layers);
}

#[test]
fn every_trial_of_the_budget_is_a_run_with_a_seed_of_its_own() {
    let search = search_with(&learned(&json!({})));
    let mut history = Vec::new();
    let mut seeds = Vec::new();
    for number in 0..3 {
        let before = History::new(history.clone()).expect("no gaps");
        let Proposal::Trial(run) = propose(&search, number, &before).expect("fits") else {
            panic!("no run {number}");
        };
        assert_eq!((run.number, run.repeat), (number, number));
        assert_eq!(run.candidate, search.network.float);
        assert_eq!((run.origin, run.point), (Origin::LearningRun, None));
        seeds.push(trial_seed(search.seed, &run.digest, run.repeat));
        history.push(PastTrial {
            number,
            point: None,
            outcome: (number == 0).then(|| Outcome::Completed(Box::new(float_scores(0.5)))),
        });
    }
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 3);
    let all = History::new(history).expect("no gaps");
    assert!(matches!(
        propose(&search, 3, &all),
        Ok(Proposal::Exhausted(_))
    ));
}
