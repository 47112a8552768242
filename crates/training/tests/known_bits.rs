//! Stored bits of an engine version are never written over: what keeps `ENGINE_VERSION` honest.

use std::fs;

#[path = "../../../testdata/known-bits/check.rs"]
mod known_bits;

use bitfront_training::ENGINE_VERSION;
use known_bits::{check, compare};

#[test]
fn other_bits_need_another_version_even_when_blessed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("some");
    assert!(
        compare(&file, 1, &[10, 11], false).is_err(),
        "nothing is stored"
    );
    compare(&file, 1, &[10, 11], true).unwrap();
    compare(&file, 1, &[10, 11], false).unwrap();
    let first = fs::read_to_string(&file).unwrap();

    for other in [&[10, 12][..], &[10], &[11, 10, 12]] {
        for bless in [false, true] {
            let refused = compare(&file, 1, other, bless).unwrap_err();
            assert!(refused.contains("raise ENGINE_VERSION"), "{refused}");
        }
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), first);

    // A case more changes no result.
    assert!(compare(&file, 1, &[10, 11, 12], false).is_err());
    compare(&file, 1, &[10, 11, 12], true).unwrap();
    assert!(fs::read_to_string(&file).unwrap().starts_with(&first));

    // A version's bits are its own: those of the one before do not pass for it.
    assert!(compare(&file, 2, &[10, 11, 12], false).is_err());
    compare(&file, 2, &[10, 13], true).unwrap();
    let second = fs::read_to_string(&file).unwrap();
    let renamed = second.replacen("version 2", "version 3", 1);
    fs::write(&file, renamed).unwrap();
    assert!(compare(&file, 3, &[10, 13], true).is_err());
    let refused = compare(&file, 2, &[10, 13], true).unwrap_err();
    assert!(refused.contains("never falls"), "{refused}");
}

#[test]
fn a_test_says_which_case_differs() {
    let wrong = std::panic::catch_unwind(|| check("training-run", [[0_u32]]));
    let said = *wrong.unwrap_err().downcast::<String>().unwrap();
    assert!(
        said.starts_with("training-run: case 0 has other bits")
            && said.contains(&format!("engine version {ENGINE_VERSION}")),
        "{said}"
    );
}
