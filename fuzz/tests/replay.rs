//! Seeds and old crashes through every target, without a fuzzer.

use std::fs;
use std::path::Path;

use bitfront_fuzz::{TARGETS, read};

#[test]
fn every_target_has_a_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets");
    let files = fs::read_dir(folder).expect("the folder is there");
    let mut programs: Vec<String> = files
        .map(|file| {
            let name = file.expect("readable").path();
            let stem = name.file_stem().expect("a name");
            stem.to_string_lossy().into_owned()
        })
        .collect();
    let mut names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    programs.sort_unstable();
    names.sort_unstable();
    assert_eq!(programs, names);
}

#[test]
fn every_seed_is_read() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(seeds.len() > 1, "{} has seeds", target.name);
        for (number, seed) in seeds.iter().enumerate() {
            let text = String::from_utf8_lossy(seed);
            assert!(read(target, seed), "{} {number}: {text}", target.name);
        }
    }
}

#[test]
fn a_seed_cut_short_or_changed_is_read_or_refused() {
    for target in TARGETS {
        for seed in (target.seeds)() {
            let step = seed.len() / 16 + 1;
            for at in (0..seed.len()).step_by(step) {
                read(target, &seed[..at]);
                let mut changed = seed.clone();
                changed[at] ^= 0x80;
                read(target, &changed);
            }
        }
    }
}

#[test]
fn what_once_crashed_does_no_more() {
    for target in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("regressions")
            .join(target.name);
        let Ok(files) = fs::read_dir(folder) else {
            continue;
        };
        for file in files {
            let path = file.expect("readable").path();
            eprintln!("{}", path.display());
            read(target, &fs::read(path).expect("readable"));
        }
    }
}
