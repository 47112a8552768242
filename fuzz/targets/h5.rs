//! libFuzzer's entry to the target `h5`.
#![no_main]

use bitfront_fuzz::{h5::TARGET, run, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(&TARGET), |bytes: &[u8]| -> () { run(&TARGET, bytes) });
