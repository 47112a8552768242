//! ONNX and QONNX graphs.

use crate::Target;
use crate::import::{is_sound, models};

/// Bytes of an `.onnx` file.
pub const TARGET: Target = Target {
    name: "onnx",
    run,
    seeds,
};

fn run(bytes: &[u8]) -> bool {
    is_sound(bitfront_import::read_onnx(bytes))
}

fn seeds() -> Vec<Vec<u8>> {
    models(".onnx")
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect()
}
