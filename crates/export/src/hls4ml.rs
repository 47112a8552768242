//! An hls4ml project: the QONNX graph, settings, and the script that converts it.
//!
//! The rule this module keeps: the default precision holds every value of the network, so that no
//! type that hls4ml does not find for itself cuts bits off.

use bitfront_network::{IntegerProgram, TensorFormat};
use serde_json::json;

use crate::onnx::{self, Dialect};
use crate::{ExportError, File};

const FORMAT: &str = "hls4ml";

/// Files of a project for a part and a clock period, with the names of [`crate::export`]'s.
///
/// # Errors
/// [`ExportError`] for a network that has no such form.
pub fn project(
    program: &IntegerProgram,
    part: &str,
    period_ps: u32,
) -> Result<Vec<File>, ExportError> {
    let bytes = onnx::file(program, Dialect::Qonnx, FORMAT)?;
    let settings = json!({
        "Backend": "Vitis",
        "IOType": "io_parallel",
        "Part": part,
        "ClockPeriod": f64::from(period_ps) / 1000.0,
        "Model": { "Precision": precision(program), "ReuseFactor": 1, "Strategy": "Latency" },
    });
    let settings = serde_json::to_string_pretty(&settings).unwrap_or_default() + "\n";
    Ok(vec![
        File::text("convert.py", include_str!("convert.py").to_owned()),
        File::text("hls4ml.json", settings),
        File {
            name: "network.qonnx.onnx",
            bytes,
        },
    ])
}

fn formats(program: &IntegerProgram) -> impl Iterator<Item = (&str, &TensorFormat)> {
    let layers = program.layers.iter();
    let layers = layers.map(|layer| (layer.name.as_str(), &layer.output));
    std::iter::once(("input", &program.input)).chain(layers)
}

/// The type that holds every value of every layer.
fn precision(program: &IntegerProgram) -> String {
    let (mut fraction, mut integer) = (1, 1);
    for (_, format) in formats(program) {
        for (own, range) in format.fraction.iter().zip(&format.range) {
            let width = 1 + range.width() as i32;
            fraction = fraction.max(*own);
            integer = integer.max(width - own);
        }
    }
    format!("ap_fixed<{},{integer}>", fraction + integer)
}
