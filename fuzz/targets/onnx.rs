//! libFuzzer's entry to the target `onnx`.
#![no_main]

use bitfront_fuzz::{onnx::TARGET, run, write_seeds};

libfuzzer_sys::fuzz_target!(init: write_seeds(&TARGET), |bytes: &[u8]| -> () { run(&TARGET, bytes) });
