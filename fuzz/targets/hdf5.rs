//! libFuzzer's entry to the target `hdf5`.
#![no_main]

use bitfront_fuzz::{hdf5::TARGET, run, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(&TARGET), |bytes: &[u8]| -> () { run(&TARGET, bytes) });
