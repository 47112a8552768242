//! libFuzzer's entry to the target `parquet`.
#![no_main]

use bitfront_fuzz::{parquet::TARGET, run, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(&TARGET), |bytes: &[u8]| -> () { run(&TARGET, bytes) });
