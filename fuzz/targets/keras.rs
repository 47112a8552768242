//! libFuzzer's entry to the target `keras`.
#![no_main]

use bitfront_fuzz::{keras::TARGET, run, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(&TARGET), |bytes: &[u8]| -> () { run(&TARGET, bytes) });
