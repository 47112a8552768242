//! Imports the model files of a folder and writes what became of them, for the real libraries to
//! read: `to_safetensors MODELS OUT`.
//!
//! For each `NAME.expected.json` of MODELS (`scripts/make-model-files`) it writes
//!
//! - `OUT/NAME.safetensors`: the weights file, with the candidate in its metadata;
//! - `OUT/NAME.json`: where the model is from, its candidate, and the network's answers to the
//!   expected file's inputs, computed from the weights file; or why the model was refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bitfront_import::{ImportError, Imported};
use bitfront_network::{
    ForwardOptions, ForwardPrecision, NormalisationConstants, Weights, forward_with, probabilities,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// What stands beside a model, as far as it is needed here.
#[derive(Deserialize)]
struct Expected {
    input_shape: Vec<usize>,
    layout: String,
    inputs: Vec<Vec<f32>>,
}

fn main() -> ExitCode {
    let folders: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [models, out] = folders.as_slice() else {
        eprintln!("usage: to_safetensors MODELS OUT");
        return ExitCode::from(2);
    };
    match write_all(models, out) {
        Ok(count) => {
            println!("{count} models read from {}", models.display());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn write_all(models: &Path, out: &Path) -> Result<usize, String> {
    fs::create_dir_all(out).map_err(|e| format!("{}: {e}", out.display()))?;
    let entries = fs::read_dir(models).map_err(|e| format!("{}: {e}", models.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".expected.json").map(str::to_owned)
        })
        .collect();
    names.sort();
    for name in &names {
        let report = match import(models, name)? {
            Ok(imported) => write_one(models, out, name, &imported)?,
            Err(refusal) => json!({ "refused": refusal.to_string() }),
        };
        write(
            &out.join(format!("{name}.json")),
            report.to_string().as_bytes(),
        )?;
    }
    Ok(names.len())
}

/// The model of a name, whatever its form.
fn import(models: &Path, name: &str) -> Result<Result<Imported, ImportError>, String> {
    for ending in [".h5", ".keras", ".onnx"] {
        let file = format!("{name}{ending}");
        if models.join(&file).exists() {
            let bytes = read(&models.join(&file))?;
            return Ok(bitfront_import::read(&bytes, Some(&file)));
        }
    }
    let config = read(&models.join(format!("{name}.json")))?;
    let weights = read(&models.join(format!("{name}.weights.h5")))?;
    Ok(bitfront_import::read_keras_json(&config, &weights))
}

/// Writes the weights file and answers with what it says when read again.
fn write_one(models: &Path, out: &Path, name: &str, imported: &Imported) -> Result<Value, String> {
    let candidate = &imported.candidate;
    let path = out.join(format!("{name}.safetensors"));
    write(&path, &imported.weights.to_bytes(candidate))?;
    let weights =
        Weights::from_bytes(candidate, &read(&path)?).map_err(|e| format!("{name}: {e}"))?;
    let expected: Expected =
        serde_json::from_slice(&read(&models.join(format!("{name}.expected.json")))?)
            .map_err(|e| format!("{name}.expected.json: {e}"))?;
    let options = ForwardOptions {
        precision: ForwardPrecision::F64,
        normalisation: NormalisationConstants::Float,
    };
    let answer = |input: &Vec<f32>| {
        let input = channels_last(input, &expected);
        let outputs = forward_with(candidate, &weights, &input, options);
        probabilities(candidate, &outputs)
    };
    let outputs: Vec<Vec<f64>> = expected.inputs.iter().map(answer).collect();
    // By way of its text, in which an f32 is as short as in the weights file.
    let text = serde_json::to_string(candidate).map_err(|e| format!("{name}: {e}"))?;
    let candidate: Value = serde_json::from_str(&text).map_err(|e| format!("{name}: {e}"))?;
    Ok(json!({ "source": imported.source, "candidate": candidate, "outputs": outputs }))
}

/// One input as networks here read it: `[C, positions...]` becomes `[positions..., C]`.
fn channels_last(values: &[f32], expected: &Expected) -> Vec<f32> {
    if expected.layout != "channels-first" || expected.input_shape.len() < 2 {
        return values.to_vec();
    }
    let channels = expected.input_shape[0];
    let positions = values.len() / channels;
    let value = |at: usize| values[at % channels * positions + at / channels];
    (0..values.len()).map(value).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}
