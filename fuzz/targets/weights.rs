//! libFuzzer's entry to the target `weights`.
#![no_main]

use bitfront_fuzz::{run, weights::TARGET, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(&TARGET), |bytes: &[u8]| -> () { run(&TARGET, bytes) });
