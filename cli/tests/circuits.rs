//! Searches of every form of circuit, from the search file through every gate of a synthesis job to what is exported; without
//! Yosys, Verilator and g++ on PATH this says so and passes, or fails with `BITFRONT_REQUIRE_TOOLS=1`.

#[path = "../../crates/hardware/tests/common/skipped.rs"]
mod skipped;
mod support;

use std::fs;

use bitfront_coordinator::artifacts::Digest;
use bitfront_hardware::engine::Engine;
use serde_json::{Value, json};
use skipped::skipped;
use support::{Service, bitfront, run, search_file};

/// Whether circuits can be built here.
fn has_tools() -> bool {
    let missing = bitfront_worker::tools().missing().join(", ");
    if !missing.is_empty() {
        skipped(&missing);
    }
    missing.is_empty()
}

/// A search of one quantized trial, and as many of its circuits.
fn search_of(name: &str, circuit: &Value, circuits: u32) -> Value {
    let mut file = search_file(1, 3, circuits);
    file["name"] = name.into();
    file["model"] = json!({"mlp": [4, 4, 3]});
    file["search_space"] = json!({"seed_trials": [{"uniform_bits": 4}]});
    file["circuit"] = circuit.clone();
    file
}

fn text(service: &Service, arguments: &[&str]) -> String {
    let mut command = bitfront();
    command.args(arguments).args(["--url", &service.url]);
    let (code, stdout, stderr) = run(command);
    assert_eq!(code, 0, "bitfront {}: {stderr}", arguments.join(" "));
    stdout
}

/// The value of a line of `trial show`, below a title.
fn shown<'a>(text: &'a str, title: &str, name: &str) -> &'a str {
    let (_, below) = text.split_once(&format!("\n{title}\n")).expect(title);
    let line = below.lines().find_map(|line| {
        let (first, rest) = line.trim_start().split_once(' ')?;
        (first == name).then(|| rest.trim())
    });
    line.unwrap_or_else(|| panic!("no {name} below {title} in {text}"))
}

/// Runs a search to its end; its one trial as the API has it.
fn trained(service: &Service, file: &Value) -> Value {
    let id = service.submit(file);
    service.wait_until_finished(&id);
    service.trials(&id).remove(0)
}

/// A trained trial with a synthesis job that passed every gate on so many rows.
fn measured(service: &Service, file: &Value, vectors: u64) -> Value {
    let trial = trained(service, file);
    let name = file["name"].as_str().expect("a name");
    let job = &trial["synthesis"];
    assert_eq!(job["state"], "completed", "{job}");
    let (costs, result) = (&trial["scores"]["costs"], &job["result"]);
    for said in ["cycles", "lut_estimate"] {
        assert_eq!(costs[said], result[said], "{said}");
    }
    assert_eq!(result["vectors_checked"], vectors);
    assert_eq!(result["netlist_vectors_checked"], vectors);
    assert_eq!(result["rtl_digest"], trial["scores"]["circuit_digest"]);

    // What a user reads is what the API says.
    let front = text(service, &["front", name]);
    let row = front
        .lines()
        .find(|line| line.starts_with("#0"))
        .expect("a row");
    let cells: Vec<&str> = row.split("  ").map(str::trim).collect();
    for measured in ["lut_measured", "ff_measured"] {
        let count = result[measured].as_u64().expect("a count");
        let says = |cell: &&&str| {
            cell.split(" (").next().map(|cell| cell.replace(' ', "")) == Some(count.to_string())
        };
        assert!(
            cells.iter().any(|cell| says(&cell)),
            "{measured} {count}: {row}"
        );
    }
    assert!(row.ends_with("completed"), "{row}");
    let page = text(service, &["trial", "show", &format!("{name}#0")]);
    for said in ["cycles", "lut_estimate"] {
        assert_eq!(shown(&page, "scores", said), costs[said].to_string());
    }
    for said in [
        "lut_measured",
        "ff_measured",
        "carry_measured",
        "vectors_checked",
    ] {
        assert_eq!(shown(&page, "synthesis", said), result[said].to_string());
    }
    trial
}

/// Writes the trial's circuit; the text of its module, which is the one that was scored and measured.
fn exported(service: &Service, trial: &Value) -> String {
    let folder = service.path("exported");
    let out = folder.to_str().expect("a plain path");
    let id = trial["id"].as_str().expect("an id");
    text(service, &["export", id, "--to", "verilog", "--out", out]);
    let rtl = fs::read_to_string(folder.join("network.v")).expect("the module");
    assert_eq!(
        Digest::of(rtl.as_bytes()).as_str(),
        trial["scores"]["circuit_digest"]
    );
    rtl
}

/// What `synth --out` writes of a trial's job, and over what it does not write.
fn files_are_those_of_their_digests(service: &Service, trial: &Value) {
    let folder = service.path("job");
    let out = folder.to_str().expect("a plain path");
    let id = trial["id"].as_str().expect("an id");
    let written = text(service, &["synth", id, "--out", out]);
    let result = &trial["synthesis"]["result"];
    let digest = |name: &str| {
        let path = folder.join(name);
        let line = path.to_str().expect("a plain path");
        assert!(written.lines().any(|other| other == line), "{written}");
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        Value::from(Digest::of(&bytes).as_str())
    };
    for (name, said) in [
        ("network.v", &result["rtl_digest"]),
        ("netlist.v", &result["netlist_digest"]),
        ("report.txt", &result["report_digest"]),
        ("bench.cpp", &result["files"]["testbench"]),
        ("vectors.txt", &result["files"]["vectors"]),
        ("constraints.xdc", &result["files"]["constraints"]),
        ("synthesise.ys", &result["files"]["script"]),
    ] {
        assert_eq!(&digest(name), said, "{name}");
    }
    let log = fs::read_to_string(folder.join("job.log")).expect("the log");
    assert!(log.contains("RTL simulated"), "{log}");

    // Nothing is written over, not even beside it, unless that is asked for.
    fs::write(folder.join("network.v"), "mine").expect("a file");
    fs::remove_file(folder.join("netlist.v")).expect("it is there");
    let again = |more: &[&str]| {
        let mut command = bitfront();
        command.args(["synth", id, "--out", out, "--url", &service.url]);
        command.args(more);
        run(command)
    };
    let (code, _, stderr) = again(&[]);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("/job/network.v") && stderr.contains("--overwrite"),
        "{stderr}"
    );
    assert!(!folder.join("netlist.v").exists());
    assert_eq!(again(&["--overwrite"]).0, 0);
    assert_eq!(digest("network.v"), result["rtl_digest"]);
    // A job that has not ended has none: Vivado is not here.
    let (code, _, stderr) = again(&["--engine", "vivado", "--overwrite"]);
    let waits = !bitfront_worker::tools().engines().contains(&Engine::Vivado);
    assert!(
        !waits || code == 5 && stderr.contains("--wait"),
        "{code}: {stderr}"
    );
}

#[test]
fn a_streamed_search_is_measured_at_the_interval_that_is_said() {
    if !has_tools() {
        return;
    }
    let service = Service::start();
    let _worker = service.worker("streamer");
    let mut file = search_of("streamed", &json!({"layout": "streamed", "reuse": 2}), 1);
    file["model"] = json!({
        "inputs": {"shape": [2, 2, 1]},
        "layers": [
            {"name": "conv", "conv": {"filters": 2, "size": 2, "padding": "same"}},
            {"name": "relu", "activation": "relu"},
            {"name": "flat", "flatten": true},
            {"name": "fc", "dense": 3},
            {"name": "relu2", "activation": "relu"},
            {"name": "output", "dense": 3},
            {"name": "softmax", "activation": "softmax"},
        ],
    });
    // Four positions, and the border of a row and a column behind them.
    let interval = 7;
    file["constraints"] = json!([{"metric": "initiation_interval", "max": interval}]);
    let trial = measured(&service, &file, 2000);
    assert_eq!(trial["on_front"], true);
    let (costs, result) = (&trial["scores"]["costs"], &trial["synthesis"]["result"]);
    assert_eq!(costs["initiation_interval"], interval);
    assert_eq!(result["initiation_interval"], interval);
    assert!(costs["cycles"].as_u64() > Some(interval), "{costs}");
    let page = text(&service, &["trial", "show", "streamed#0"]);
    for title in ["scores", "synthesis"] {
        assert_eq!(
            shown(&page, title, "initiation_interval"),
            interval.to_string()
        );
    }
    assert_eq!(result["netlist_simulator"], "bitfront-cycles");
    let options = result["options"].as_str().expect("options");
    assert!(options.starts_with("streamed circuit; "), "{options}");
    let rtl = exported(&service, &trial);
    assert!(rtl.contains("in_ready") && rtl.contains("out_valid"));
}

#[test]
fn a_search_of_classes_builds_and_exports_the_comparisons() {
    if !has_tools() {
        return;
    }
    let service = Service::start();
    let _worker = service.worker("chooser");
    let logits = trained(&service, &search_of("logits", &json!({}), 0));
    let file = search_of("classes", &json!({"output": "argmax"}), 1);
    let classes = measured(&service, &file, 2000);
    // The same network: only its circuit is another.
    let score = |trial: &Value, name: &str| trial["scores"][name].clone();
    for same in ["accuracy_validation", "confusion_test"] {
        assert_eq!(score(&logits, same), score(&classes, same), "{same}");
    }
    let luts = |trial: &Value| trial["scores"]["costs"]["lut_estimate"].as_u64();
    assert!(luts(&classes) > luts(&logits));
    let rtl = exported(&service, &classes);
    assert!(rtl.contains("output wire [1:0] outputs"), "{rtl}");
    files_are_those_of_their_digests(&service, &classes);
}

#[test]
fn searches_of_probabilities_and_with_flags_are_measured_as_they_are_exported() {
    if !has_tools() {
        return;
    }
    let service = Service::start();
    let _worker = service.worker("builder");
    let tables =
        json!({"address_bits": 5, "exp_fraction": 8, "inverse_fraction": 8, "output_fraction": 6});
    let softmax = json!({"output": "softmax", "softmax": tables});
    let probabilities = measured(&service, &search_of("probabilities", &softmax, 1), 2000);
    let flags = measured(
        &service,
        &search_of("flags", &json!({"valid": true}), 1),
        2000,
    );
    // The same network: only its circuit is another.
    let bits = |trial: &Value| trial["scores"]["costs"]["bits_parameters"].as_u64();
    assert!(bits(&flags).is_some() && bits(&flags) == bits(&probabilities));
    let luts = |trial: &Value| trial["scores"]["costs"]["lut_estimate"].as_u64();
    assert!(luts(&probabilities) > luts(&flags));
    for (trial, starts) in [
        (&probabilities, "ends in softmax; "),
        (&flags, "flags of valid rows; "),
    ] {
        let options = trial["synthesis"]["result"]["options"].as_str();
        assert!(options.is_some_and(|options| options.starts_with(starts)));
    }
    // Three probabilities of six fraction bits, none of which is 1.
    let rtl = exported(&service, &probabilities);
    assert!(rtl.contains("output wire [17:0] outputs"), "{rtl}");
    let rtl = exported(&service, &flags);
    assert!(
        rtl.contains("input wire in_valid") && rtl.contains("output wire out_valid"),
        "{rtl}"
    );
}

#[test]
fn a_search_within_the_train_rows_is_measured_on_them() {
    if !has_tools() {
        return;
    }
    let service = Service::start();
    let _worker = service.worker("observer");
    let proven = trained(&service, &search_of("proven", &json!({}), 0));
    let mut file = search_of("observed", &json!({"ranges": "data"}), 1);
    // No more differ than are outside, and those are fewer than half.
    file["constraints"] = json!([{"metric": "unseen_different", "max": 0.5}]);
    // All train rows of a split of 3,000.
    let data = measured(&service, &file, 1920);
    let accuracy = |trial: &Value| trial["scores"]["accuracy_validation"].clone();
    assert_eq!(accuracy(&proven), accuracy(&data));
    let luts = |trial: &Value| trial["scores"]["costs"]["lut_estimate"].as_u64();
    assert!(luts(&data) < luts(&proven));
    let options = data["synthesis"]["result"]["options"].as_str();
    assert!(options.is_some_and(|options| options.starts_with("ranges of the train rows; ")));

    // How often it is another function on rows that it was not built from, wherever a user looks.
    let unseen = &data["scores"]["unseen"];
    let count = |split: &str, name: &str| unseen[split][name].as_u64().expect("a count");
    for (split, rows) in [("validation", 480), ("test", 600)] {
        assert_eq!(count(split, "rows"), rows);
        let outside = count(split, "outside");
        assert!((1..rows / 2).contains(&outside), "{outside} of {rows}");
        assert!(count(split, "different") <= outside);
        let off = data["scores"][format!("accuracy_{split}")]
            .as_f64()
            .expect("one")
            - unseen[split]["accuracy"].as_f64().expect("one");
        // No more rows are right or wrong than have other outputs.
        let most = count(split, "different") as f64 / rows as f64;
        assert!(off.abs() <= most + 1e-12, "{off} beyond {most}");
    }
    assert_eq!(proven["scores"]["unseen"], Value::Null);
    let page = text(&service, &["trial", "show", "observed#0"]);
    let asked = text(&service, &["synth", "observed#0", "--wait"]);
    for shown in [page, asked] {
        let row = shown.lines().find(|line| line.starts_with("validation  "));
        let cells: Vec<&str> = row.expect("a row").split_whitespace().skip(1).collect();
        let said =
            ["rows", "outside", "different"].map(|name| count("validation", name).to_string());
        assert_eq!(cells[..3], said, "{shown}");
    }
    let job = data["synthesis"]["id"].as_str().expect("an id");
    let listed = service.json(&["synth", "observed#0", "--wait"]);
    assert_eq!((&listed["id"], &listed["unseen"]), (&json!(job), unseen));
    assert_eq!(data["on_front"], true);
    // Its ranges are found again from the data set.
    let rtl = exported(&service, &data);
    assert!(rtl.contains("Ranges of sums are those of the train rows"));
}

#[test]
fn learned_bits_of_a_convolution_are_measured_within_the_train_rows() {
    if !has_tools() {
        return;
    }
    let service = Service::start();
    let _worker = service.worker("learner");
    let mut file = search_of("learned", &json!({"ranges": "data"}), 1);
    file["model"] = json!({
        "inputs": {"shape": [4, 1], "quantizer": "quantized_bits(6,2,alpha=1.0)"},
        "layers": [
            {"name": "conv", "conv": {"filters": 3, "size": 2}},
            {"name": "relu", "activation": "relu"},
            {"name": "pool", "max_pool": {"size": 2, "stride": 1}},
            {"name": "flat", "flatten": true},
            {"name": "output", "dense": 3},
            {"name": "softmax", "activation": "softmax"},
        ],
    });
    file.as_object_mut()
        .expect("a mapping")
        .remove("search_space");
    file["sampler"] = json!({"name": "learned_bits", "epochs": 4, "batch_size": 64});
    let id = service.submit(&file);
    service.wait_until_finished(&id);
    let trials = service.trials(&id);
    // The run, which is a float network, and the candidates that it left.
    assert!(trials.len() > 1, "{trials:?}");
    assert!(trials.iter().all(|trial| trial["state"] == "completed"));
    let built = |trial: &&Value| trial["synthesis"]["state"] == "completed";
    let point = trials.iter().find(built).expect("a circuit");
    assert!(point["scores"]["unseen"].is_object(), "{point}");
    let result = &point["synthesis"]["result"];
    assert_eq!(result["vectors_checked"], 1920);
    assert_eq!(result["netlist_vectors_checked"], 1920);
    let options = result["options"].as_str().expect("options");
    assert!(
        options.starts_with("ranges of the train rows; "),
        "{options}"
    );
    exported(&service, point);
}
