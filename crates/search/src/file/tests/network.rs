//! The model section: layers, their defaults and their faults, and imported models.

use super::{Fault, faults, pointers, set};
use crate::file::{ModelInfo, model_name, read_with};
use crate::testing::{dataset, document_with, search_with};
use serde_json::{Value, json};

#[test]
fn a_network_that_does_not_hold_together_is_told_where() {
    let model = |layers: Value| json!({"model": {"layers": layers}});
    for (layers, pointer) in [
        (
            json!([{"name": "a", "dense": 5}, {"name": "a", "dense": 3}]),
            "/model/layers/1/name",
        ),
        (
            json!([{"name": "a", "dense": 3, "input": "b"}]),
            "/model/layers/0",
        ),
        (
            json!([{"name": "a", "dense": 3}, {"name": "b", "dense": 3, "input": "input"}]),
            "/model/layers/0",
        ),
        (
            json!([{"name": "a", "conv": {"filters": 2, "size": 3}}, {"name": "b", "dense": 3}]),
            "/model/layers/0/conv",
        ),
        (
            json!([{"name": "a", "dense": 3, "dropout": 0.1}]),
            "/model/layers/0",
        ),
        (
            json!([{"name": "f", "flatten": true, "use_bias": true}, {"name": "b", "dense": 3}]),
            "/model/layers/0/use_bias",
        ),
        (
            json!([{"name": "f", "flatten": false}, {"name": "b", "dense": 3}]),
            "/model/layers/0/flatten",
        ),
        (
            json!([{"name": "a", "dense": 2}, {"name": "s", "add": ["a", "input"]},
                   {"name": "b", "dense": 3}]),
            "/model/layers/1",
        ),
        (
            json!([{"name": "a", "dense": 3}, {"name": "s", "activation": "softmax"},
                   {"name": "b", "dense": 3}]),
            "/model/layers/1/activation",
        ),
        (
            json!([{"name": "a", "dense": 3}, {"name": "r", "activation": "relu"}]),
            "/model/layers/1/activation",
        ),
        (json!([{"name": "a", "dense": 4}]), "/model/layers/0/dense"),
        (json!([{"name": "a"}]), "/model/layers/0"),
        (
            json!([{"name": "input", "dense": 3}]),
            "/model/layers/0/name",
        ),
        (json!([{"name": "a b", "dense": 3}]), "/model/layers/0"),
    ] {
        let found = pointers(&model(layers.clone()));
        assert!(found.contains(pointer), "{layers} gives {found:?}");
    }
    assert_eq!(pointers(&json!({"model": {}})), set(&["/model"]));
}

#[test]
fn a_network_that_cannot_be_streamed_is_refused_by_its_layer() {
    let of = |layers: Value, reuse: u32| {
        json!({"model": {"inputs": {"shape": [2, 2, 1]}, "layers": layers},
            "circuit": {"layout": "streamed", "reuse": reuse},
            "search_space": {}})
    };
    let end = |first: Vec<Value>| {
        let last = [
            json!({"name": "flat", "flatten": true}),
            json!({"name": "output", "dense": 3}),
            json!({"name": "softmax", "activation": "softmax"}),
        ];
        json!([first, last.to_vec()].concat())
    };
    let conv = json!({"name": "conv", "conv": {"filters": 1, "size": 3, "padding": "same"}});
    search_with(&of(end(vec![conv.clone()]), 4));
    for (layers, says) in [
        (
            end(vec![conv, json!({"name": "sum", "add": ["conv", "input"]})]),
            "layer sum has no circuit: it reads other layers",
        ),
        (
            end(vec![
                json!({"name": "pad", "zero_padding": [[1, 1], [0, 2]]}),
            ]),
            "layer pad has no circuit: pads by itself",
        ),
        (
            json!([{"name": "flat", "flatten": true}, {"name": "line", "activation": "linear"},
                {"name": "output", "dense": 3}, {"name": "softmax", "activation": "softmax"}]),
            "layer line has no circuit: stands on a flattened image",
        ),
    ] {
        let found = faults(&of(layers, 1));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].pointer.as_str(), "/circuit/layout");
        assert!(found[0].detail.contains(says), "{found:?}");
    }
}

#[test]
fn a_graph_of_all_kinds_is_read_with_the_usual_defaults() {
    let model = json!({
        "inputs": {"shape": [2, 2, 1]},
        "layers": [
            {"name": "pad", "zero_padding": [[1, 1], [0, 2]]},
            {"name": "conv1", "conv": {"filters": 4, "size": [3, 2]}, "use_bias": false},
            {"name": "bn1", "batch_norm": {}},
            {"name": "relu1", "activation": "relu"},
            {"name": "deep", "depthwise_conv": {"size": 1}, "fold_batch_norm": {"epsilon": 0.01}},
            {"name": "wide", "separable_conv": {"filters": 4, "size": 3, "padding": "same"},
             "input": "relu1"},
            {"name": "sum", "add": ["deep", "wide"]},
            {"name": "drop", "dropout": 0.25},
            {"name": "pool", "max_pool": {"size": 2}},
            {"name": "mean", "average_pool": {"size": 2, "stride": 1, "padding": "same"}, "input": "sum"},
            {"name": "down", "max_pool": {"size": 2}, "input": "mean"},
            {"name": "both", "concatenate": ["pool", "down"]},
            {"name": "all", "global_average_pool": true},
            {"name": "flat", "flatten": true},
            {"name": "line", "activation": "linear"},
            {"name": "output", "dense": 3},
            {"name": "softmax", "activation": "softmax"},
        ],
    });
    let search = search_with(&json!({"model": model, "search_space": {"rules": [
        {"match": {"type": "separable_conv"}, "pointwise_kernel": {"pool": "kernel", "max_bits": 4}},
        {"match": {"type": "conv"}, "kernel": {"fixed": "ternary(alpha=1.0)"}},
    ], "seed_trials": [{"float": true}, {"uniform_bits": 4}]}}));
    let names: Vec<_> = search
        .space
        .variables
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let expected = [
        "input",
        "conv1.kernel",
        "relu1.activation",
        "deep.kernel",
        "deep.bias",
        "wide.kernel",
        "wide.pointwise_kernel",
        "wide.bias",
        "line.activation",
        "output.kernel",
        "output.bias",
    ];
    assert_eq!(names, expected);
    assert_eq!(search.space.variables[1].choices.len(), 1);
    let float = &search.network.float;
    assert!(search.seed_trials[0].candidate == *float && float.is_float());
    let linear = search
        .network
        .float
        .layers
        .iter()
        .position(|layer| layer.name == "line");
    let uniform = &search.seed_trials[1].candidate.layers[linear.expect("there")];
    let quantizer = uniform.operation.quantizers()[0].1.to_string();
    assert_eq!(
        quantizer, "quantized_bits(4,0,alpha=1.0)",
        "it does not rectify"
    );
    let shapes = float.shapes();
    assert_eq!(shapes[0], [4, 4, 1]);
    assert_eq!(shapes[1], [2, 3, 4]);
    assert_eq!(
        search.network.parameters(),
        3 * 2 * 4 + 8 + (4 + 4 + 8) + (36 + 16 + 4) + (24 + 3)
    );
    let candidate = search.candidate(&search.space.point(search.space.size() / 2));
    let candidate = candidate.expect("a point");
    assert_eq!(candidate.check(), Ok(()));
    let point = search.locate(&candidate).expect("it lies in the space");
    assert_eq!(search.space.index(&point), search.space.size() / 2);
    let json = serde_json::to_value(&candidate).expect("serialises");
    assert_eq!(json["layers"][2]["operation"]["momentum"], json!(0.99_f32));
    assert_eq!(
        json["layers"][4]["operation"]["fold"]["epsilon"],
        json!(0.01_f32)
    );
}

#[test]
fn an_imported_model_is_the_network_and_its_weights_the_start() {
    let quantized: bitfront_network::Candidate = serde_json::from_value(json!({
        "input_shape": [4], "input_quantizer": "quantized_bits(8,3,alpha=1.0)",
        "layers": [
            {"name": "a", "operation": {"kind": "dense", "units": 2, "bias": null, "fold": null,
                                        "kernel": "ternary(alpha=1.0)"}},
            {"name": "r", "operation": {"kind": "activation", "quantizer": "quantized_relu(4,1)"}},
            {"name": "b", "operation": {"kind": "dense", "units": 3, "fold": null,
                                        "kernel": "ternary(alpha=1.0)",
                                        "bias": "quantized_bits(4,0,alpha=1.0)"}},
        ],
        "head": {"kind": "linear"},
    }))
    .expect("a candidate");
    let model = ModelInfo {
        name: "mine".to_owned(),
        candidate: quantized.clone(),
        weights_digest: "e".repeat(64),
    };
    let document = document_with(&json!({
        "model": {"import": "mine"},
        "search_space": {"seed_trials": [{"imported": true}, {"float": true}]},
    }));
    assert_eq!(model_name(&document), Some("mine"));
    let read = |model| read_with(&document, Some(&dataset()), model);
    let search = read(Some(&model)).expect("a good file");
    let start = search.start.as_ref().expect("it starts from the model");
    assert_eq!(
        (start.model.as_str(), start.weights_digest.len()),
        ("mine", 64)
    );
    // Plain outputs are the logits of the data set's classes.
    let mut classes = quantized.clone();
    classes.head = bitfront_network::Head::ARG_MAX;
    assert_eq!(search.seed_trials[0].candidate, classes);
    assert!(search.network.float.is_float() && search.network.rectifies(1));
    assert_eq!(search.space.variables.len(), 5, "one layer has no bias");

    let pointers = |faults: Vec<Fault>| -> Vec<String> {
        faults.into_iter().map(|fault| fault.pointer).collect()
    };
    let unknown = read(None).expect_err("not registered");
    assert_eq!(pointers(unknown), ["/model/import"]);
    let mut wide = model.clone();
    wide.candidate.input_shape = vec![5];
    assert_eq!(
        pointers(read(Some(&wide)).expect_err("5 inputs")),
        ["/model/import"]
    );
    let mut bent = model.clone();
    for (_, quantizer) in bent.candidate.layers[1].operation.quantizers_mut() {
        *quantizer = "quantized_tanh(4)".parse().expect("a quantizer");
    }
    let error = read(Some(&bent)).expect_err("no float reference");
    assert!(error[0].detail.contains("quantized_tanh"), "{error:?}");
    let mut leaky = model.clone();
    for (_, quantizer) in leaky.candidate.layers[1].operation.quantizers_mut() {
        *quantizer = "quantized_relu(4,1,negative_slope=0.25)"
            .parse()
            .expect("a quantizer");
    }
    let error = read(Some(&leaky)).expect_err("it leaks");
    assert!(error[0].detail.contains("negative_slope"), "{error:?}");
    let both = document_with(&json!({"model": {"import": "mine", "mlp": [4, 3]}}));
    let error = read_with(&both, Some(&dataset()), Some(&bent)).expect_err("both");
    assert!(
        error.iter().any(|fault| fault.pointer == "/model/mlp"),
        "{error:?}"
    );
}
