//! Devices, and bounds that are shares of one.

use super::{dataset, document_with};
use crate::Search;
use crate::file::{Fault, read_among, read_with};
use bitfront_hardware::device::{Devices, Resources};
use serde_json::{Value, json};

fn read(members: &Value) -> Result<Search, Vec<Fault>> {
    read_with(&document_with(members), Some(&dataset()), None)
}

/// Pointer and detail of the only fault.
fn fault(members: &Value) -> (String, String) {
    let faults = read(members).expect_err("a fault");
    assert_eq!(faults.len(), 1, "{faults:?}");
    (faults[0].pointer.clone(), faults[0].to_string())
}

#[test]
fn a_known_part_brings_what_it_holds() {
    let xcvu9p = Resources {
        lut: 1_182_240,
        ff: 2_364_480,
        dsp: Some(6_840),
        bram: Some(2_160),
        uram: Some(960),
    };
    for device in [
        json!("xcvu9p@200MHz"),
        json!("XCVU9P-flgb2104-2-i"),
        json!({"part": "xcvu9p"}),
    ] {
        let search = read(&json!({"device": device})).expect("a known part");
        assert_eq!(search.device.resources, Some(xcvu9p));
    }
    let search = read(&json!({})).expect("the default");
    assert_eq!(search.device.resources, Some(xcvu9p));
    let text = search.canonical_json();
    let again: Search = serde_json::from_str(&text).expect("the stored form");
    assert_eq!(again, search);
}

#[test]
fn an_unknown_part_is_told_what_would_be_accepted() {
    let (pointer, text) = fault(&json!({"device": "xcvu9q@200MHz"}));
    assert_eq!(pointer, "/device");
    assert!(text.contains("`xcvu9q` is no known device"), "{text}");
    assert!(
        text.contains("xc7a35t") && text.contains("`xcvu9p`"),
        "{text}"
    );
    let (pointer, _) = fault(&json!({"device": {"part": "virtex"}}));
    assert_eq!(pointer, "/device/part");
}

#[test]
fn a_file_may_say_what_its_device_holds() {
    let own = json!({"part": "My board", "lut": 5280, "ff": 5280, "bram": 30});
    let search = read(&json!({"device": own})).expect("figures of its own");
    let has = search.device.resources.expect("figures");
    assert_eq!(
        (has.lut, has.ff, has.dsp, has.bram),
        (5280, 5280, None, Some(30))
    );
    // Of a known part too, and then the table is not asked.
    let own = json!({"part": "xcvu9p", "lut": 100, "ff": 200});
    let search = read(&json!({"device": own})).expect("figures of its own");
    assert_eq!(search.device.resources.expect("figures").dsp, None);

    let (pointer, text) = fault(&json!({"device": {"part": "b", "lut": 5280}}));
    assert_eq!(pointer, "/device");
    assert!(text.contains("`ff` is missing"), "{text}");
    let (pointer, _) = fault(&json!({"device": {"part": "b", "lut": 0, "ff": 1}}));
    assert!(pointer.starts_with("/device"), "{pointer}");
    let (pointer, text) = fault(&json!({"device": {"part": "xcvu9p", "luts": 5}}));
    assert_eq!(pointer, "/device/luts");
    assert!(text.contains("unknown key"), "{text}");
}

#[test]
fn a_table_of_ones_own_adds_parts() {
    let own =
        "[[device]]\npart = \"up5k\"\nfamily = \"iCE40\"\nlut = 5280\nff = 5280\nsource = \"x\"\n";
    let devices = Devices::known()
        .and(Devices::parse(own).expect("good"))
        .expect("a new part");
    let file = document_with(&json!({"device": "up5k"}));
    let search = read_among(&file, Some(&dataset()), None, &devices).expect("known now");
    assert_eq!(search.device.resources.expect("figures").lut, 5280);
    assert!(read_with(&file, Some(&dataset()), None).is_err());
}

#[test]
fn a_bound_may_be_a_share_of_the_device() {
    let search = read(&json!({"constraints": [
        {"metric": "lut_estimate", "max": "5 %"},
        {"metric": "ff_estimate", "min": "0.5%", "max": 50000},
        {"metric": "dsp_estimate", "max": "0 %"},
    ]}))
    .expect("shares");
    let [lut, ff, dsp] = search.constraints[..] else {
        panic!("three constraints");
    };
    assert_eq!((lut.max, lut.max_percent), (Some(59_112.0), Some(5.0)));
    assert_eq!((lut.min, lut.min_percent), (None, None));
    assert_eq!((ff.min, ff.min_percent), (Some(11_822.4), Some(0.5)));
    assert_eq!((ff.max, ff.max_percent), (Some(50_000.0), None));
    assert_eq!(dsp.max, Some(0.0));
    // Numbers alone are stored as they always were.
    let plain = read(&json!({"constraints": [{"metric": "bits", "max": 9}]})).expect("a number");
    let stored = serde_json::to_value(&plain.constraints).expect("JSON");
    assert_eq!(stored, json!([{"metric": "bits", "max": 9.0}]));
}

#[test]
fn shares_of_nothing_are_refused() {
    let bound = |metric: &str, max: Value| json!({"constraints": [{"metric": metric, "max": max}]});
    for text in ["5", "five %", "% 5", "-1 %", "NaN %", ""] {
        let (pointer, told) = fault(&bound("lut_estimate", json!(text)));
        assert_eq!(pointer, "/constraints/0/max");
        assert!(told.contains("as in `5 %`"), "{told}");
    }
    let (_, told) = fault(&bound("energy_pj", json!("5 %")));
    assert!(told.contains("`energy_pj` is no count"), "{told}");
    assert!(told.contains("lut_estimate"), "{told}");
    let mut file = bound("dsp_estimate", json!("5 %"));
    file["device"] = json!({"part": "b", "lut": 10, "ff": 10});
    let (_, told) = fault(&file);
    assert!(told.contains("device `b` has no dsp"), "{told}");
    let both = json!({"constraints": [{"metric": "lut_estimate", "min": "6 %", "max": "5 %"}]});
    assert_eq!(fault(&both).0, "/constraints/0");
}
