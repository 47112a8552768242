//! Model files of the real libraries: structure, numbers, refusals.

mod numbers;
mod refusals;
mod structure;

use std::path::PathBuf;

/// A file of `testdata/models`.
fn file(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// `testdata/models`, or the folder that `BITFRONT_MODELS` names: files made anew by the libraries.
fn folder() -> PathBuf {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/models");
    std::env::var_os("BITFRONT_MODELS").map_or_else(|| own.into(), PathBuf::from)
}

/// Imports the model of a name, whatever its form.
fn import(name: &str) -> Result<bitfront_import::Imported, bitfront_import::ImportError> {
    let names = [".h5", ".keras", ".onnx"].map(|ending| format!("{name}{ending}"));
    if let Some(found) = names.iter().find(|name| folder().join(name).exists()) {
        return bitfront_import::read(&file(found), Some(found));
    }
    let weights = file(&format!("{name}.weights.h5"));
    bitfront_import::read_keras_json(&file(&format!("{name}.json")), &weights)
}
