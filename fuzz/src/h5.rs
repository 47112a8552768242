//! Keras models in HDF5.

use crate::Target;
use crate::import::{is_sound, models};

/// Bytes of an `.h5` file.
pub const TARGET: Target = Target {
    name: "h5",
    run,
    seeds,
};

fn run(bytes: &[u8]) -> bool {
    is_sound(bitfront_import::read_keras_h5(bytes))
}

fn seeds() -> Vec<Vec<u8>> {
    let whole = models(".h5").into_iter();
    whole
        .filter(|(name, _)| !name.ends_with(".weights"))
        .map(|(_, bytes)| bytes)
        .collect()
}
