//! What a search predicts: losses, targets, the heads they give and the scores they have.

use super::faults;
use crate::file::{self, DatasetInfo, Fault, ModelInfo};
use crate::search::{Loss, Search};
use crate::testing::{dataset, document_with};
use bitfront_network::Head;
use serde_json::{Value, json};

fn named() -> DatasetInfo {
    let features = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    DatasetInfo {
        features,
        ..dataset()
    }
}

fn of_values(count: usize) -> DatasetInfo {
    DatasetInfo {
        classes: 0,
        targets: count,
        ..named()
    }
}

fn read(members: &Value, info: &DatasetInfo) -> Result<Search, Vec<String>> {
    let told = |faults: Vec<Fault>| faults.iter().map(ToString::to_string).collect();
    file::read(&document_with(members), Some(info)).map_err(told)
}

const COSTLY: [&str; 2] = ["mean_squared_error", "lut_estimate"];

#[test]
fn rows_with_values_are_predicted_by_linear_outputs() {
    let members = json!({"objectives": COSTLY, "model": {"mlp": [4, 3, 2]}});
    let search = read(&members, &of_values(2)).expect("a good file");
    assert_eq!(search.training.loss, Loss::MeanSquaredError);
    assert_eq!(search.network.float.head, Head::Linear);
    let seed = &search.seed_trials[0].candidate;
    assert_eq!(seed.head, Head::Linear);
    let point = search.candidate(&search.space.point(0)).expect("a point");
    assert_eq!(point.head, Head::Linear);

    let absolute = json!({"objectives": COSTLY, "model": {"mlp": [4, 3, 1]},
        "training": {"loss": "mean_absolute_error"}});
    let search = read(&absolute, &of_values(1)).expect("a good file");
    assert_eq!(search.training.loss.name(), "mean_absolute_error");
    let members =
        json!({"model": {"mlp": [4, 3, 2]}, "training": {"loss": "binary_cross_entropy"}});
    let search = read(&members, &of_values(2)).expect("values of 0 and 1");
    assert_eq!(search.network.float.head, Head::Sigmoid);
}

#[test]
fn features_that_are_targets_are_not_read() {
    let members = json!({"dataset": {"name": "little", "targets": ["c", "a"]},
        "objectives": COSTLY, "model": {"mlp": [2, 3, 2]}});
    let search = read(&members, &named()).expect("a good file");
    assert_eq!(search.dataset.targets, ["c", "a"]);
    assert_eq!(search.network.float.inputs(), 2);
    let back: Search = serde_json::from_str(&search.canonical_json()).expect("reads back");
    assert_eq!(back, search);

    let told = |targets: Value, sizes: [u32; 2]| {
        let members = json!({"dataset": {"name": "little", "targets": targets},
            "objectives": COSTLY, "model": {"mlp": sizes}});
        read(&members, &named()).expect_err("faults")
    };
    assert_eq!(
        told(json!(["c", "e"]), [2, 2]),
        ["/dataset/targets/1: `e` is no feature of the data set; accepted: `a`, `b`, `c` or `d`"]
    );
    assert_eq!(
        told(json!(["c", "c"]), [2, 2]),
        ["/dataset/targets/1: `c` is a target already"]
    );
    assert_eq!(
        told(json!(["a", "b", "c", "d"]), [1, 4]),
        ["/dataset/targets: 4 of 4 features leave too few to read; accepted: at most 3"]
    );
    assert_eq!(
        told(json!(["c"]), [4, 3]),
        ["/model/mlp/0: the data set has 3 features beside 1 targets, not 4"]
    );
    assert_eq!(
        told(json!(["c"]), [3, 3]),
        ["/model/mlp/1: the data set has 1 targets, not 3"]
    );
}

#[test]
fn two_classes_may_be_told_apart_by_one_output() {
    let two = DatasetInfo {
        classes: 2,
        ..dataset()
    };
    let of = |outputs: u32, info| {
        let members = json!({"model": {"mlp": [4, 3, outputs]}, "training": {"loss": "binary_cross_entropy"}});
        read(&members, info)
    };
    let search = of(1, &two).expect("a good file");
    assert_eq!(search.network.float.head, Head::Sigmoid);
    assert_eq!(
        of(2, &two).expect_err("too many"),
        [
            "/model/mlp/2: the data set has 2 classes, which `binary_cross_entropy` tells apart by 1 output, not 2"
        ]
    );
    assert_eq!(
        of(3, &dataset()).expect_err("three classes"),
        [
            "/training/loss: `binary_cross_entropy` tells 2 classes apart, and the data set has 3; accepted: \
          `softmax_cross_entropy`"
        ]
    );
}

#[test]
fn a_score_that_the_loss_has_not_is_refused_with_those_it_has() {
    let members = json!({"model": {"mlp": [4, 3, 1]}, "constraints": [{"metric": "auc", "min": 0.5}],
        "synthesis": {"policy": "top_k", "metric": "accuracy"}});
    let told = read(&members, &of_values(1)).expect_err("faults");
    let accepted = "is no score of the loss `mean_squared_error`; accepted: `mean_squared_error` and the costs";
    assert_eq!(
        told,
        [
            format!("/objectives/0: `accuracy` {accepted}"),
            format!("/constraints/0/metric: `auc` {accepted}"),
            format!("/synthesis/metric: `accuracy` {accepted}"),
        ]
    );
    let told = read(&json!({"objectives": COSTLY}), &dataset()).expect_err("classes");
    assert_eq!(
        told,
        [
            "/objectives/0: `mean_squared_error` is no score of the loss `softmax_cross_entropy`; accepted: `accuracy`, \
          `auc`, `background_efficiency_50` or `background_efficiency_80` and the costs"
        ]
    );
}

#[test]
fn values_have_no_largest() {
    let mut members = json!({"objectives": COSTLY, "model": {"mlp": [4, 3, 2]}});
    assert!(read(&members, &of_values(2)).is_ok());
    members["circuit"] = json!({"output": "argmax"});
    let told = read(&members, &of_values(2)).expect_err("a fault");
    assert!(
        told[0].contains("/circuit/output") && told[0].contains("`argmax` is of classes"),
        "{told:?}"
    );
}

#[test]
fn what_only_classes_have_is_refused_of_values() {
    let members = json!({"objectives": COSTLY, "model": {"layers": [{"name": "fc", "dense": 1},
            {"name": "softmax", "activation": "softmax"}]},
        "training": {"label_smoothing": 0.1, "class_weights": "balanced", "distillation": {}}});
    let told = read(&members, &of_values(1)).expect_err("faults");
    assert_eq!(
        told,
        [
            "/training/label_smoothing: the loss `mean_squared_error` has no `label_smoothing`; `softmax_cross_entropy` has it",
            "/training/distillation: the loss `mean_squared_error` has no `distillation`; `softmax_cross_entropy` has it",
            "/training/class_weights: the loss `mean_squared_error` has no `class_weights`; data sets with classes have them",
            "/model/layers/1/activation: the outputs of the loss `mean_squared_error` are no softmax; accepted: `linear`, or no \
             layer here",
        ]
    );
    let members = json!({"objectives": COSTLY, "model": {"mlp": [4, 3, 1]}, "training": {"loss": "softmax_cross_entropy"}});
    let told = read(&members, &of_values(1)).expect_err("a fault");
    assert!(told[0].starts_with(
        "/training/loss: `softmax_cross_entropy` needs classes, and rows have values; accepted: "
    ));
    let members = json!({"objectives": COSTLY, "training": {"loss": "mean_squared_error"}});
    let told = read(&members, &dataset()).expect_err("a fault");
    assert_eq!(
        told,
        [
            "/training/loss: `mean_squared_error` needs values, and rows have classes; accepted: `softmax_cross_entropy`, of 2 \
          classes also `binary_cross_entropy`; name features to predict under `dataset.targets`"
        ]
    );
    let members =
        json!({"objectives": COSTLY, "model": {"mlp": [4, 3, 1]}, "sampler": "learned_bits"});
    let told = read(&members, &of_values(1)).expect_err("a fault");
    assert!(
        told[0].starts_with("/sampler: `learned_bits` learns by `softmax_cross_entropy` alone"),
        "{told:?}"
    );
    let unknown = faults(&json!({"training": {"loss": "hinge"}}));
    assert!(
        unknown[0].to_string().contains("softmax_cross_entropy"),
        "{}",
        unknown[0]
    );
}

#[test]
fn a_default_loss_leaves_the_digest_alone() {
    let plain = read(&json!({}), &dataset()).expect("a good file");
    let told = json!({"training": {"loss": "softmax_cross_entropy"}, "dataset": {"name": "little", "targets": []}});
    let told = read(&told, &dataset()).expect("a good file");
    assert_eq!(told.digest(), plain.digest());
    assert!(
        !plain.canonical_json().contains("loss") && !plain.canonical_json().contains("targets")
    );
}

#[test]
fn an_imported_models_plain_outputs_are_what_the_loss_takes_them_for() {
    let layer = json!({"name": "a", "operation": {"kind": "dense", "units": 2, "fold": null,
        "kernel": "ternary(alpha=1.0)", "bias": "quantized_bits(4,0,alpha=1.0)"}});
    let of = |head: Value| {
        let candidate = json!({"input_shape": [4], "input_quantizer": "quantized_bits(8,3,alpha=1.0)",
            "layers": [layer.clone()], "head": head});
        let model = ModelInfo {
            name: "mine".to_owned(),
            candidate: serde_json::from_value(candidate).expect("a candidate"),
            weights_digest: "e".repeat(64),
        };
        let file = document_with(&json!({"objectives": COSTLY, "model": {"import": "mine"},
            "search_space": {"seed_trials": [{"imported": true}, {"float": true}]}}));
        file::read_with(&file, Some(&of_values(2)), Some(&model))
    };
    let search = of(json!({"kind": "linear"})).expect("a good file");
    assert_eq!(search.network.float.head, Head::Linear);
    let seeds = search.seed_trials.iter();
    assert!(
        seeds
            .map(|seed| seed.candidate.head)
            .all(|head| head == Head::Linear)
    );
    let faults = of(json!({"kind": "softmax"})).expect_err("classes");
    assert_eq!(
        faults[0].to_string(),
        "/model/import: its outputs are not values; accepted are networks whose last layer is linear"
    );
}
