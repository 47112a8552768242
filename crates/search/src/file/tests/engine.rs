//! The engine that builds and measures circuits, and its part.

use super::{dataset, document_with};
use crate::Search;
use crate::file::{Fault, read_with};
use bitfront_hardware::engine::{Engine, Target};
use serde_json::{Value, json};

fn read(synthesis: &Value) -> Result<Search, Vec<Fault>> {
    let document = document_with(&json!({"synthesis": synthesis}));
    read_with(&document, Some(&dataset()), None)
}

#[test]
fn yosys_is_the_default_and_leaves_no_trace() {
    let plain = read(&json!({"policy": "front"})).expect("a good file");
    assert_eq!(plain.synthesis_target, Target::default());
    assert!(!plain.canonical_json().contains("target"));
    let named = read(&json!({"policy": "front", "engine": "yosys"})).expect("a good file");
    assert_eq!(named.digest(), plain.digest());
}

#[test]
fn an_engine_has_its_part() {
    for (synthesis, engine, part) in [
        (
            json!({"policy": "none", "engine": "yosys-nextpnr-ice40"}),
            Engine::Ice40,
            "hx8k-ct256",
        ),
        (
            json!({"policy": "front", "engine": "yosys-nextpnr-ecp5", "part": "25k-CABGA381"}),
            Engine::Ecp5,
            "25k-CABGA381",
        ),
        // The full name of the search's device.
        (
            json!({"policy": "front", "engine": "vivado"}),
            Engine::Vivado,
            "xcvu9p-flgb2104-2-i",
        ),
        (
            json!({"policy": "none", "engine": "vitis-hls"}),
            Engine::Vitis,
            "xcvu9p-flgb2104-2-i",
        ),
    ] {
        let search = read(&synthesis).expect("a good file");
        let target = Target {
            engine,
            part: Some(part.to_owned()),
        };
        assert_eq!(search.synthesis_target, target);
        let again: Search =
            serde_json::from_str(&search.canonical_json()).expect("the stored form");
        assert_eq!(again, search);
    }
}

#[test]
fn faults_name_the_place_and_what_is_accepted() {
    for (synthesis, begins, says) in [
        (
            json!({"policy": "none", "engine": "yosis"}),
            "/synthesis/engine: ",
            "did you mean `yosys`?",
        ),
        (
            json!({"policy": "none", "part": "hx8k-ct256"}),
            "/synthesis/part: ",
            "places nothing",
        ),
        (
            json!({"policy": "none", "engine": "yosys-nextpnr-ice40", "part": "hx9"}),
            "/synthesis/part: ",
            "DEVICE-PACKAGE like `hx8k-ct256`, with device hx8k, ",
        ),
        (
            json!({"policy": "none", "engine": "vivado", "part": "a b"}),
            "/synthesis/part: ",
            "letters, digits and `-`",
        ),
    ] {
        let faults = read(&synthesis).expect_err("a fault");
        assert_eq!(faults.len(), 1, "{faults:?}");
        let told = faults[0].to_string();
        assert!(told.starts_with(begins) && told.contains(says), "{told}");
    }
    let document = document_with(&json!({"synthesis": {"policy": "none", "engine": "vivado"},
        "device": {"part": "my-board", "lut": 9, "ff": 9}}));
    let faults = read_with(&document, Some(&dataset()), None).expect_err("a fault");
    let told = faults[0].to_string();
    assert!(
        told.starts_with("/synthesis: ") && told.contains("no full name of device `my-board`"),
        "{told}"
    );
}
