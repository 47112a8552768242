//! libFuzzer's entry to the target `arff`.
#![no_main]

use bitfront_fuzz::{arff::TARGET, run, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(&TARGET), |bytes: &[u8]| -> () { run(&TARGET, bytes) });
