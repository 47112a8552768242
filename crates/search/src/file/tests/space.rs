//! Pools, rules, groups and seed trials.

use super::{pointers, set};
use crate::testing::search_with;
use serde_json::json;

#[test]
fn last_matching_rule_wins_for_each_key() {
    let search = search_with(&json!({"search_space": {"rules": [
        {"match": {"type": "dense"}, "kernel": {"pool": "kernel", "max_bits": 4},
         "bias": {"fixed": "quantized_bits(8,3,1,alpha=1.0)"}},
        {"match": {"name": "fc*"}, "kernel": {"pool": "kernel", "min_bits": 5}},
        {"match": {"type": "input"}, "input": {"fixed": "quantized_bits(4,1,alpha=1.0)"}},
    ]}}));
    let bits = |name: &str| -> Vec<u32> {
        let mut variables = search.space.variables.iter();
        let variable = variables
            .find(|variable| variable.name == name)
            .expect("there");
        variable
            .choices
            .iter()
            .map(bitfront_quantizer::Quantizer::bits)
            .collect()
    };
    assert_eq!(bits("fc1.kernel"), [5, 6, 8]);
    assert_eq!(bits("output.kernel"), [1, 2, 3, 4, 4]);
    assert_eq!(bits("fc1.bias"), [8]);
    assert_eq!(bits("input"), [4]);
}

#[test]
fn groups_share_one_variable() {
    let layers = json!({"layers": [
        {"name": "a", "dense": 3}, {"name": "ra", "activation": "relu"},
        {"name": "b", "dense": 3}, {"name": "rb", "activation": "relu"},
        {"name": "output", "dense": 3},
    ]});
    let free = search_with(&json!({"model": layers}));
    let tied = search_with(&json!({
        "model": layers,
        "search_space": {"groups": [["a", "b"], ["ra", "rb"]]},
    }));
    assert!(
        tied.space
            .variables
            .iter()
            .any(|one| one.name == "a+b.kernel")
    );
    assert!(
        tied.space
            .variables
            .iter()
            .any(|one| one.name == "ra+rb.activation")
    );
    assert_eq!(tied.space.size() * 8 * 4 * 9, free.space.size());
    let candidate = tied
        .candidate(&tied.space.point(tied.space.size() / 3))
        .expect("a point");
    let quantizers = |index: usize| candidate.layers[index].operation.quantizers();
    assert_eq!(
        quantizers(0),
        quantizers(2),
        "kernel and bias of `a` and `b`"
    );
    assert_eq!(quantizers(1), quantizers(3), "`ra` and `rb`");
    assert_eq!(
        tied.locate(&candidate)
            .map(|point| tied.space.index(&point)),
        Some(tied.space.size() / 3)
    );
}

#[test]
fn all_faults_of_the_space_are_told_at_once() {
    let members = json!({
        "search_space": {
            "pools": {"mine": ["quantized_relu(4,1)", "quantized_relu(4,1,use_sigmoid=0)"],
                      "kernal": ["ternary(alpha=1.0)"],
                      "inexact": ["bernoulli()"]},
            "rules": [
                {"match": {}, "kernel": {"pool": "kernel"}},
                {"match": {"name": "fc9"}, "kernel": {"pool": "kernel"}},
                {"match": {"type": "linear"}, "activation": {"pool": "linear"}},
                {"match": {"type": "dense"}},
                {"match": {"type": "dense"}, "activation": {"pool": "activation"}},
                {"match": {"type": "dense"}, "bias": {"pool": "biases"}},
                {"match": {"type": "relu"}, "activation": {"pool": "mine"}},
                {"match": {"name": "fc1"}, "kernel": {"pool": "kernel", "fixed": "binary"}},
                {"match": {"name": "output"}, "kernel": {"pool": "inexact"}},
                {"match": {"name": "fc1"}, "bias": {"pool": "bias", "min_bits": 9}},
            ],
            "groups": [["fc1"], ["fc1", "output"], ["nobody", "relu1"]],
            "seed_trials": [{"float": true}, {"float": true}, {"float": false},
                            {"all": {"kernel": "float", "bias": "float", "activation": "relu"}}],
        },
    });
    let expected = set(&[
        "/search_space/pools/mine/1",
        "/search_space/pools/kernal",
        "/search_space/pools/inexact/0",
        "/search_space/rules/0/match",
        "/search_space/rules/1/match/name",
        "/search_space/rules/2/match/type",
        "/search_space/rules/3",
        "/search_space/rules/4/activation",
        "/search_space/rules/5/bias/pool",
        "/search_space/rules/7/kernel",
        "/search_space/rules/9/bias",
        "/search_space/groups/0",
        "/search_space/groups/1/0",
        "/search_space/groups/2/0",
    ]);
    assert_eq!(pointers(&members), expected);
    let untied = json!({"search_space": {
        "rules": [{"match": {"name": "fc1"}, "kernel": {"pool": "kernel", "max_bits": 4}}],
        "groups": [["fc1", "output"]],
    }});
    assert_eq!(pointers(&untied), set(&["/search_space/groups/0/1"]));
    let unlike = json!({"search_space": {"groups": [["fc1", "relu1"]]}});
    assert_eq!(pointers(&unlike), set(&["/search_space/groups/0"]));
    let seeds = json!({"search_space": {"seed_trials": [
        {"float": true}, {"float": true}, {"float": false}, {"uniform": 8},
        {"all": {"kernel": "float", "bias": "float", "activation": "relu"}},
    ]}});
    assert_eq!(pointers(&seeds), set(&["/search_space/seed_trials/3"]));
    let seeds = json!({"search_space": {"seed_trials": [
        {"float": true}, {"float": true}, {"float": false},
        {"all": {"kernel": "float", "bias": "float", "activation": "relu"}},
    ]}});
    let expected = set(&[
        "/search_space/seed_trials/1",
        "/search_space/seed_trials/2/float",
        "/search_space/seed_trials/3/all/kernel",
        "/search_space/seed_trials/3/all/bias",
        "/search_space/seed_trials/3/all/activation",
    ]);
    assert_eq!(pointers(&seeds), expected);
}

#[test]
fn a_space_too_large_to_count_is_refused() {
    let mlp = |hidden: usize| {
        let mut sizes = vec![3; hidden + 2];
        sizes[0] = 4;
        json!({"model": {"mlp": sizes}})
    };
    // 8 kernels x 4 biases x 9 activations in each hidden layer, 8 x 4 in the last.
    assert_eq!(search_with(&mlp(14)).space.size(), 288_u128.pow(14) * 32);
    assert_eq!(pointers(&mlp(16)), set(&["/search_space"]));
}
