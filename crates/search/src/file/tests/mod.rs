//! Files that are good, files that are bad in one way, and files that are bad in many.

use super::{DatasetInfo, Fault, SearchFile, json_schema, read};
use crate::Metric;
use crate::search::{Sampler, Search, SynthesisPolicy};
use crate::testing::{dataset, document, document_with, search_with};
use bitfront_hardware::circuit::{BuildOptions, Multipliers, OutputForm, Ranges};
use bitfront_hardware::design::Layout;
use bitfront_network::{Head, SoftmaxTables};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

mod aim;
mod device;
mod engine;
mod learned;
mod network;
mod space;
mod training;

/// The schema keywords that the structure check obeys.
const OBEYED: [&str; 18] = [
    "$ref",
    "additionalProperties",
    "anyOf",
    "const",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "type",
];

/// Schema keywords that accept everything.
const COMMENTS: [&str; 5] = ["$defs", "$schema", "default", "description", "title"];

/// The faults of [`document`] with `members`.
fn faults(members: &Value) -> Vec<Fault> {
    read(&document_with(members), Some(&dataset())).expect_err("a bad file")
}

/// The pointers of the faults of [`document`] with `members`.
fn pointers(members: &Value) -> BTreeSet<String> {
    faults(members)
        .into_iter()
        .map(|fault| fault.pointer)
        .collect()
}

fn set(pointers: &[&str]) -> BTreeSet<String> {
    pointers
        .iter()
        .map(|pointer| (*pointer).to_owned())
        .collect()
}

#[test]
fn the_shortest_file_has_everything_written_out() {
    let search = search_with(&json!({}));
    assert_eq!(search.dataset.split.train, 0.64);
    assert_eq!(search.budget.parallel, 8);
    assert_eq!(search.training.batch_size, 1024);
    assert_eq!(search.device.clock_mhz, 200.0);
    assert_eq!(search.synthesis, SynthesisPolicy::None);
    assert!(matches!(
        search.sampler,
        Sampler::Evolution {
            population: 32,
            warmup: 16,
            ..
        }
    ));
    let names: Vec<_> = search
        .space
        .variables
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let expected = [
        "input",
        "fc1.kernel",
        "fc1.bias",
        "relu1.activation",
        "output.kernel",
        "output.bias",
    ];
    assert_eq!(names, expected);
    assert_eq!(search.seed_trials.len(), 5);
    for variable in &search.space.variables {
        assert!(
            variable
                .choices
                .is_sorted_by_key(bitfront_quantizer::Quantizer::bits)
        );
    }
}

#[test]
fn short_forms_mean_their_long_forms() {
    let long = json!({
        "dataset": {"name": "little", "split": {"train": 0.64, "validation": 0.16, "test": 0.2}},
        "model": {"layers": [
            {"name": "fc1", "dense": 3}, {"name": "relu1", "activation": "relu"},
            {"name": "output", "dense": 3}, {"name": "softmax", "activation": "softmax"},
        ]},
        "search_space": {},
        "device": {"part": "xcvu9p", "clock_mhz": 200},
        "objectives": [
            {"metric": "accuracy", "goal": "maximize"},
            {"metric": "lut_estimate", "goal": "minimize"},
        ],
        "sampler": {"name": "evolution"},
        "budget": {"trials": 100, "parallel": 8},
        "order": "number",
        "synthesis": {"policy": "none"},
        "seed": 0,
    });
    assert_eq!(
        search_with(&long),
        search_with(&json!({"space": "default"}))
    );
}

#[test]
fn all_structural_faults_are_told_at_once() {
    let members = json!({
        "nmae": "typo",
        "name": "Not A Name",
        "budget": {"trials": 0, "parallel": "eight"},
        "objectives": ["accuracy", "lut_estimat"],
        "search_space": {"pools": {"kernel": ["quantized_bits(8,0", 5]}},
        "training": {"optimizer": {"name": "rmsprop", "learning_rate": "high"}},
        "seed": -1,
    });
    let expected = set(&[
        "/nmae",
        "/name",
        "/budget/trials",
        "/budget/parallel",
        "/objectives/1",
        "/search_space/pools/kernel/0",
        "/search_space/pools/kernel/1",
        "/training/optimizer/name",
        "/training/optimizer/learning_rate",
        "/seed",
    ]);
    assert_eq!(pointers(&members), expected);
    let faults = faults(&members);
    let suggestion = |pointer: &str| {
        let mut faults = faults.iter();
        faults
            .find(|fault| fault.pointer == pointer)
            .and_then(|fault| fault.suggestion.clone())
    };
    assert_eq!(suggestion("/nmae").as_deref(), Some("did you mean `name`?"));
    assert_eq!(
        suggestion("/objectives/1").as_deref(),
        Some("did you mean `lut_estimate`?")
    );
}

#[test]
fn all_faults_of_meaning_are_told_at_once_and_beside_unknown_keys() {
    let members = json!({
        "webhook": "http://example.org",
        "model": {"mlp": [5, 3, 3]},
        "objectives": ["lut_estimate", {"metric": "accuracy", "goal": "minimize"}],
        "constraints": [{"metric": "bits"}, {"metric": "bits", "min": 2, "max": 1}],
        "sampler": {"name": "random", "population": 8},
        "device": "xcvu9p@fast",
        "synthesis": {"policy": "none", "count": 2},
        "reference_point": {"accuracy": 0.2, "bits": 5},
        "dataset": {"name": "little", "split": {"train": 0.8, "validation": 0.0, "test": 0.1}},
    });
    let expected = set(&[
        "/webhook",
        "/model/mlp/0",
        "/objectives/1/goal",
        "/constraints/0",
        "/constraints/1",
        "/sampler/population",
        "/device",
        "/synthesis/count",
        "/reference_point/bits",
        "/reference_point",
        "/dataset/split",
        "/dataset/split/validation",
    ]);
    assert_eq!(pointers(&members), expected);
}

#[test]
fn published_test_rows_are_asked_for_by_name() {
    let split = |more: Value| {
        let mut split = json!({"train": 0.6, "validation": 0.2, "test": 0.2});
        split
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"dataset": {"name": "little", "split": split}})
    };
    let plain = search_with(&split(json!({"test_rows": "each_class"})));
    assert_eq!(plain, search_with(&split(json!({}))));
    assert!(
        !plain.canonical_json().contains("test_rows"),
        "older files keep their digest"
    );
    let published = search_with(&split(json!({"test_rows": "scikit_learn", "seed": 42})));
    assert_eq!(
        published.dataset.split.test_rows,
        crate::search::TestRows::ScikitLearn
    );
    assert_ne!(
        published.digest(),
        search_with(&split(json!({"seed": 42}))).digest()
    );
    let beyond = json!({"test_rows": "scikit_learn", "seed": 1_u64 << 32});
    assert_eq!(pointers(&split(beyond)), set(&["/dataset/split/seed"]));
    let unknown = json!({"test_rows": "sklearn"});
    assert_eq!(
        pointers(&split(unknown)),
        set(&["/dataset/split/test_rows"])
    );
}

#[test]
fn a_clock_that_no_cost_is_computed_for_is_refused() {
    assert_eq!(
        pointers(&json!({"device": "xcvu9p@250MHz"})),
        set(&["/device"])
    );
    let full = json!({"device": {"part": "xcvu9p", "clock_mhz": 100}});
    assert_eq!(pointers(&full), set(&["/device/clock_mhz"]));
}

#[test]
fn a_softmax_puts_its_tables_into_the_network() {
    let tables = |search: &Search| match search.network.float.head {
        Head::Softmax { tables } => tables,
        other => panic!("{other:?}"),
    };
    assert_eq!(tables(&search_with(&json!({}))), None);
    let usual = search_with(&json!({"circuit": {"output": "softmax"}}));
    assert_eq!(usual.design_options().circuit.output, OutputForm::Softmax);
    assert_eq!(tables(&usual), Some(SoftmaxTables::default()));
    let small = json!({"circuit": {"output": "softmax", "softmax": {"address_bits": 6, "output_fraction": 8}}});
    let small = search_with(&small);
    let expected = SoftmaxTables {
        address_bits: 6,
        output_fraction: 8,
        ..SoftmaxTables::default()
    };
    assert_eq!(tables(&small), Some(expected));
    let candidate = small.candidate(&small.space.point(0)).expect("a candidate");
    assert_eq!(candidate.head, small.network.float.head);
    let text = serde_json::to_string(&small).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Search>(&text).expect("a search"),
        small
    );
    for (circuit, says) in [
        (
            json!({"output": "softmax", "softmax": {"exp_fraction": 30}}),
            "/circuit/softmax/exp_fraction: ",
        ),
        (
            json!({"output": "softmax", "softmax": {"address_bits": 13}}),
            "/circuit/softmax/address_bits: ",
        ),
        (
            json!({"softmax": {"address_bits": 6}}),
            "/circuit/softmax: output `logits` has no tables; `softmax` has",
        ),
        (
            json!({"output": "softmax", "layout": "streamed"}),
            "/circuit/output: a streamed circuit's bus carries logits; accepted: `logits`",
        ),
    ] {
        let told = faults(&json!({"circuit": circuit}));
        assert!(told[0].to_string().starts_with(says), "{told:?}");
    }
}

#[test]
fn circuits_are_built_for_a_clock_and_within_a_depth() {
    let plain = search_with(&json!({}));
    // What says nothing new is the same search: its digest stays.
    let same = search_with(&json!({"circuit": {"goal": "bounded_depth", "clock_mhz": 200}}));
    assert_eq!(same.digest(), plain.digest());
    assert_eq!(plain.design_options().circuit, BuildOptions::default());
    let plain = serde_json::to_value(&plain).expect("JSON");
    assert_eq!(plain.get("circuit"), None);

    let deep = json!({"circuit": {"goal": "min_lut", "clock_mhz": 250}});
    let deep = search_with(&deep);
    assert_eq!(
        deep.design_options().circuit,
        BuildOptions::new(250.0, None)
    );
    assert_eq!(deep.design_options().circuit.delays.period_ps, 4_000);
    let text = serde_json::to_string(&deep).expect("JSON");
    let again: Search = serde_json::from_str(&text).expect("a search");
    assert_eq!(again, deep);
    let flat = search_with(&json!({"circuit": {"extra_depth": 0}}));
    assert_eq!(flat.design_options().circuit.adders.extra_depth, Some(0));

    let luts = search_with(&json!({"circuit": {"multipliers": "luts"}}));
    assert_eq!(luts.digest(), search_with(&json!({})).digest());
    for (circuit, multipliers) in [
        (json!({"multipliers": "dsps"}), Multipliers::Dsps),
        (
            json!({"multipliers": "auto"}),
            Multipliers::Auto { luts_per_dsp: 55 },
        ),
        (
            json!({"multipliers": "auto", "luts_per_dsp": 20}),
            Multipliers::Auto { luts_per_dsp: 20 },
        ),
    ] {
        let search = search_with(&json!({ "circuit": circuit }));
        assert_eq!(search.design_options().circuit.multipliers, multipliers);
        assert_ne!(search.digest(), luts.digest());
        let text = serde_json::to_string(&search).expect("JSON");
        let again: Search = serde_json::from_str(&text).expect("a search");
        assert_eq!(again, search);
    }

    let logits = search_with(&json!({"circuit": {"output": "logits"}}));
    assert_eq!(logits.digest(), luts.digest());
    let index = search_with(&json!({"circuit": {"output": "argmax"}}));
    assert_eq!(index.design_options().circuit.output, OutputForm::ArgMax);
    assert_ne!(index.digest(), luts.digest());
    let text = serde_json::to_string(&index).expect("JSON");
    assert!(text.contains(r#""output":"argmax""#), "{text}");
    assert_eq!(
        serde_json::from_str::<Search>(&text).expect("a search"),
        index
    );
    let vendor = json!({"circuit": {"output": "argmax"}, "synthesis": {"policy": "none", "engine": "vitis-hls"}});
    assert_eq!(pointers(&vendor), set(&["/circuit/output"]));

    let proven = search_with(&json!({"circuit": {"ranges": "proven"}}));
    assert_eq!(proven.digest(), luts.digest());
    let without = search_with(&json!({"circuit": {"valid": false}}));
    assert_eq!(without.digest(), luts.digest());
    let flags = search_with(&json!({"circuit": {"valid": true}}));
    assert!(flags.design_options().circuit.valid);
    assert_ne!(flags.digest(), luts.digest());
    let vendor =
        json!({"circuit": {"valid": true}, "synthesis": {"policy": "none", "engine": "vitis-hls"}});
    assert_eq!(pointers(&vendor), set(&["/circuit/valid"]));

    let data = search_with(&json!({"circuit": {"ranges": "data"}}));
    assert_eq!(data.design_options().circuit.ranges, Ranges::Data);
    assert_ne!(data.digest(), luts.digest());
    let text = serde_json::to_string(&data).expect("JSON");
    assert!(text.contains(r#""ranges":"data""#), "{text}");
    let vendor = json!({"circuit": {"ranges": "data"}, "synthesis": {"policy": "none", "engine": "vitis-hls"}});
    assert_eq!(pointers(&vendor), set(&["/circuit/ranges"]));

    let faults = [
        (json!({"ranges": "seen"}), "/circuit/ranges"),
        (
            json!({"valid": true, "layout": "streamed"}),
            "/circuit/valid",
        ),
        (
            json!({"ranges": "data", "layout": "streamed"}),
            "/circuit/ranges",
        ),
        (json!({"output": "index"}), "/circuit/output"),
        (
            json!({"goal": "min_lut", "extra_depth": 2}),
            "/circuit/extra_depth",
        ),
        (json!({"multipliers": "both"}), "/circuit/multipliers"),
        (
            json!({"multipliers": "dsps", "luts_per_dsp": 20}),
            "/circuit/luts_per_dsp",
        ),
        (
            json!({"multipliers": "auto", "luts_per_dsp": -1}),
            "/circuit/luts_per_dsp",
        ),
        (json!({"clock_mhz": 0.5}), "/circuit/clock_mhz"),
        (json!({"goal": "fast"}), "/circuit/goal"),
        (json!({"layout": "folded"}), "/circuit/layout"),
        (json!({"reuse": 2}), "/circuit/reuse"),
        (json!({"layout": "unrolled", "reuse": 1}), "/circuit/reuse"),
        (json!({"layout": "streamed", "reuse": 0}), "/circuit/reuse"),
    ];
    for (circuit, at) in faults {
        assert_eq!(pointers(&json!({ "circuit": circuit })), set(&[at]));
    }
}

#[test]
fn products_in_blocks_are_for_an_engine_that_keeps_their_setting() {
    const OTHERS: [&str; 4] = [
        "vivado",
        "yosys-nextpnr-ice40",
        "yosys-nextpnr-ecp5",
        "vitis-hls",
    ];
    let file = |multipliers: &str, engine: &str| json!({"circuit": {"multipliers": multipliers}, "synthesis": {"policy": "front", "engine": engine}});
    for multipliers in ["dsps", "auto"] {
        for engine in OTHERS {
            let other = file(multipliers, engine);
            assert_eq!(pointers(&other), set(&["/circuit/multipliers"]), "{engine}");
        }
        search_with(&file(multipliers, "yosys"));
    }
    for engine in OTHERS {
        search_with(&file("luts", engine));
    }
}

#[test]
fn networks_are_streamed_where_the_layout_says_so() {
    let unrolled = search_with(&json!({"circuit": {"layout": "unrolled"}}));
    assert_eq!(unrolled.digest(), search_with(&json!({})).digest());
    let of = |circuit: Value| {
        search_with(&json!({ "circuit": circuit }))
            .design_options()
            .layout
    };
    assert_eq!(
        of(json!({"layout": "streamed"})),
        Layout::Streamed { reuse: 1 }
    );
    let streamed = json!({"circuit": {"layout": "streamed", "reuse": 8}});
    let search = search_with(&streamed);
    assert_eq!(
        search.design_options().layout,
        Layout::Streamed { reuse: 8 }
    );
    assert_ne!(search.digest(), unrolled.digest());
    let text = serde_json::to_string(&search).expect("JSON");
    let again: Search = serde_json::from_str(&text).expect("a search");
    assert_eq!(again, search);
    // Its interval may be bounded.
    search_with(&json!({"circuit": streamed["circuit"],
        "constraints": [{"metric": "initiation_interval", "max": 8}]}));
    let blocks = search_with(&json!({"circuit": {"layout": "streamed", "multipliers": "dsps"}}));
    let options = blocks.design_options();
    assert_eq!(options.circuit.multipliers, Multipliers::Dsps);
    assert_eq!(options.layout, Layout::Streamed { reuse: 1 });
    let routed = json!({"circuit": streamed["circuit"], "synthesis": {"policy": "front", "engine": "yosys-nextpnr-ice40"}});
    assert_eq!(pointers(&routed), set(&["/synthesis/engine"]));
}

#[test]
fn a_data_set_that_is_not_there_is_one_fault_among_the_others() {
    let bad = document_with(&json!({"device": "@200MHz"}));
    let faults = read(&bad, None).expect_err("no data set");
    let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(pointers, ["/dataset", "/device"]);
    assert_eq!(super::dataset_name(&bad), Some("little"));
    let faults = read(&document(), None).expect_err("no data set");
    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn the_structure_check_obeys_every_keyword_of_the_schema() {
    fn visit(schema: &Value, found: &mut BTreeSet<String>) {
        let Some(members) = schema.as_object() else {
            return;
        };
        for (keyword, value) in members {
            found.insert(keyword.clone());
            match keyword.as_str() {
                "properties" | "$defs" => {
                    value
                        .as_object()
                        .into_iter()
                        .flatten()
                        .for_each(|(_, one)| visit(one, found));
                }
                "items" | "additionalProperties" => visit(value, found),
                "anyOf" | "oneOf" => {
                    value
                        .as_array()
                        .into_iter()
                        .flatten()
                        .for_each(|one| visit(one, found));
                }
                _ => {}
            }
        }
    }
    let mut found = BTreeSet::new();
    visit(&json_schema(), &mut found);
    let known = |keyword: &String| {
        OBEYED.contains(&keyword.as_str()) || COMMENTS.contains(&keyword.as_str())
    };
    let unknown: Vec<_> = found
        .into_iter()
        .filter(|keyword| !known(keyword))
        .collect();
    assert_eq!(unknown, Vec::<String>::new());
    let name = json_schema();
    assert_eq!(name["properties"]["name"]["pattern"], "^[a-z0-9-]{1,63}$");
}

#[test]
fn a_file_of_types_alone_is_its_own_json() {
    let file = SearchFile::from_value(&document()).expect("a good file");
    let json = serde_json::to_value(&file).expect("serialises");
    assert_eq!(SearchFile::from_value(&json), Ok(file.clone()));
    assert_eq!(SearchFile::parse_json(&json.to_string()), Ok(file.clone()));
    assert_eq!(
        SearchFile::parse_json("{").expect_err("not JSON")[0].pointer,
        ""
    );
    assert_eq!(DatasetInfo::of_model(&file).inputs, 4);
}

/// A file with most keys there are.
fn full_document() -> Value {
    document_with(&json!({
        "description": "", "labels": {"a/b": "c"},
        "dataset": {"name": "little", "split": {"train": 0.5, "validation": 0.25, "test": 0.25}},
        "search_space": {
            "pools": {"kernel": ["binary(alpha=1.0)", "ternary(alpha=1.0)"]},
            "rules": [{"match": {"type": "dense", "name": "fc*"},
                       "kernel": {"pool": "kernel", "max_bits": 2}}],
            "groups": [["fc1", "output"]],
            "seed_trials": [{"float": true}, {"uniform_bits": 4}],
        },
        "training": {"epochs": 2, "optimizer": {"name": "adam"}},
        "device": {"part": "xcvu9p"},
        "constraints": [{"metric": "accuracy", "min": 0.5}],
        "sampler": {"name": "evolution", "warmup": 3},
        "synthesis": {"policy": "front"},
        "order": "arrival",
    }))
}

fn places(value: &Value, at: &str, places: &mut Vec<String>) {
    places.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                self::places(member, &format!("{at}/{key}"), places);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                self::places(item, &format!("{at}/{index}"), places);
            }
        }
        _ => {}
    }
}

proptest! {
    /// Whatever stands at whatever place: a search or faults, each at a place that exists, and never
    /// a file that the schema lets through and the types do not.
    #[test]
    fn any_change_gives_a_search_or_faults_with_places(
        place in any::<prop::sample::Index>(),
        value in prop::sample::select(vec![
            json!(null), json!(true), json!(0), json!(-3), json!(2.5), json!(1e300), json!(""),
            json!("relu"), json!("binary(alpha=1.0)"), json!([]), json!({}), json!([[]]),
            json!({"name": "x"}), json!({"float": true, "all": {}}), json!(["fc1", "fc1"]),
        ]),
    ) {
        let mut document = full_document();
        prop_assert!(read(&document, Some(&dataset())).is_ok());
        let mut all = Vec::new();
        places(&document, "", &mut all);
        let at: &String = place.get(&all);
        *document.pointer_mut(at).expect("a place") = value;
        if let Err(faults) = read(&document, Some(&dataset())) {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                prop_assert!(document.pointer(&fault.pointer).is_some(), "{fault}");
            }
        }
        if super::structure::check(&document).is_empty() {
            prop_assert!(super::typed(&document).is_ok());
        }
    }
}

#[test]
fn scores_of_unseen_rows_are_of_circuits_within_the_ranges_of_data() {
    for metric in ["unseen_outside", "unseen_different"] {
        for (place, at) in [
            (
                json!({"constraints": [{"metric": metric, "max": 0.001}]}),
                "/constraints/0/metric",
            ),
            (
                json!({"objectives": [metric, "lut_estimate"]}),
                "/objectives/0",
            ),
            (
                json!({"synthesis": {"policy": "top_k", "metric": metric}}),
                "/synthesis/metric",
            ),
        ] {
            assert_eq!(pointers(&place), set(&[at]));
            let mut within = place;
            within["circuit"] = json!({"ranges": "data"});
            search_with(&within);
        }
    }
    let two = json!({"objectives": ["accuracy", "auc"]});
    let told = |circuit: Value| {
        let mut members = two.clone();
        members["circuit"] = circuit;
        faults(&members)[0].to_string()
    };
    assert!(!told(json!({})).contains("unseen"));
    assert!(told(json!({"ranges": "data"})).contains("`unseen_different`"));
}

#[test]
fn each_synthesis_policy_has_its_keys() {
    let policy = |synthesis: &Value| {
        let file = document_with(&json!({ "synthesis": synthesis }));
        read(&file, Some(&dataset())).map(|search| search.synthesis)
    };
    assert_eq!(
        policy(&json!({"policy": "top_k", "metric": "auc", "max_lut_estimate": 9})).expect("good"),
        SynthesisPolicy::TopK {
            count: 3,
            metric: Metric::Auc,
            max_lut_estimate: Some(9)
        }
    );
    assert_eq!(
        policy(&json!({"policy": "every_nth", "every": 10})).expect("good"),
        SynthesisPolicy::EveryNth {
            every: 10,
            max_lut_estimate: None
        }
    );
    let told = |synthesis: Value| -> Vec<String> {
        let faults = policy(&synthesis).expect_err("faults");
        faults.iter().map(ToString::to_string).collect()
    };
    // All at once.
    assert_eq!(
        told(json!({"policy": "every_nth", "count": 2, "metric": "auc"})),
        [
            "/synthesis/count: policy `every_nth` has no `count`; `front` or `top_k` has",
            "/synthesis/metric: policy `every_nth` has no `metric`; `top_k` has",
            "/synthesis: policy `every_nth` needs `every`; accepted is 1 to 1000000: 10 is every tenth completed trial",
        ]
    );
    let accepted = "accepted: `accuracy`, `auc`, ";
    let told_of = told(json!({"policy": "top_k", "every": 2}));
    assert!(
        told_of[1].starts_with("/synthesis: policy `top_k` needs `metric`; accepted: `accuracy`, ")
    );
    assert_eq!(
        told_of[0],
        "/synthesis/every: policy `top_k` has no `every`; `every_nth` has"
    );
    let measured = told(json!({"policy": "top_k", "metric": "lut_measured"}));
    assert!(
        measured[0].starts_with("/synthesis/metric: `lut_measured` is known only after synthesis")
    );
    assert!(
        measured[0].contains(accepted) && !measured[0].contains("`ff_measured`"),
        "{measured:?}"
    );
    assert_eq!(told(json!({"policy": "every_nth", "every": 0})).len(), 1);
}
