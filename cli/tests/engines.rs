//! An engine that places and routes, from the search file to the front; without its programs on PATH this says so and
//! passes, or fails with `BITFRONT_REQUIRE_TOOLS=1`.

#[path = "../../crates/hardware/tests/common/skipped.rs"]
mod skipped;
mod support;

use bitfront_hardware::engine::Engine;
use serde_json::json;
use skipped::skipped;
use support::{Service, bitfront, run, search_file};

#[test]
fn a_search_of_a_routed_engine_ranks_by_its_figures_and_says_what_another_one_waits_for() {
    let engines = bitfront_worker::tools().engines();
    if !engines.contains(&Engine::Ice40) {
        skipped("yosys, nextpnr-ice40, verilator or g++");
        return;
    }
    let service = Service::start();
    let mut file = search_file(1, 3, 1);
    file["model"] = json!({"mlp": [4, 4, 3]});
    file["search_space"] = json!({"seed_trials": [{"uniform_bits": 3}]});
    file["objectives"] = json!(["accuracy", "lut_measured"]);
    file["synthesis"]["engine"] = "yosys-nextpnr-ice40".into();
    file["synthesis"]["part"] = "up5k-sg48".into();
    let id = service.submit(&file);
    let _worker = service.worker("router");
    service.wait_until_finished(&id);
    let outcome = |arguments: &[&str]| {
        let mut command = bitfront();
        command.args(arguments).args(["--url", &service.url]);
        run(command)
    };
    let text = |arguments: &[&str]| -> String {
        let (code, stdout, stderr) = outcome(arguments);
        assert_eq!(code, 0, "bitfront {}: {stderr}", arguments.join(" "));
        stdout
    };

    let front = service.json(&["front", &id]);
    let member = &front["members"][0];
    let result = &member["synthesis"]["result"];
    assert_eq!(
        (&result["tool"], &result["part"], &result["stage"]),
        (
            &json!("yosys-nextpnr-ice40"),
            &json!("up5k-sg48"),
            &json!("post_route")
        ),
        "{front}"
    );
    assert!(
        result["fmax_mhz"].as_f64() > Some(1.0) && result["vectors_checked"].as_u64() >= Some(2000)
    );
    assert_eq!(member["measured"]["lut_measured"], result["lut_measured"]);
    assert!(result["lut_measured"].as_u64() > Some(0));
    let job = &service.json(&["trial", "show", "points#0"])["synthesis_jobs"][0];
    assert_eq!(
        job["options"], result["options"],
        "what was asked for was run"
    );
    assert!(text(&["front", &id]).contains("measured by yosys-nextpnr-ice40"));
    assert!(text(&["workers"]).contains("yosys-nextpnr-ice40"));
    let fits = text(&["estimator", "ls"]);
    assert!(
        fits.contains("yosys-nextpnr-ice40 nextpnr-ice40") && fits.contains(", up5k-sg48, "),
        "{fits}"
    );

    if engines.contains(&Engine::Vivado) {
        return;
    }
    let waits = "for a worker with vivado, verilator and g++ on PATH";
    let asked = text(&["synth", "points#0", "--engine", "vivado"]);
    assert!(asked.contains(&format!("waits {waits}")), "{asked}");
    let built = text(&["synth", "points#0"]);
    assert!(built.contains("  part            up5k-sg48\n"), "{built}");
    let shown = text(&["show", &id]);
    assert!(shown.contains(&format!("1 waiting {waits}")), "{shown}");
    let (code, _, stderr) = outcome(&["synth", "points#0", "--engine", "quartus"]);
    assert!(
        code == 2 && stderr.contains("\"yosys-nextpnr-ice40\""),
        "{stderr}"
    );
}
