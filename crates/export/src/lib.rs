//! A trained network in the forms that other tools take.
//!
//! The rule this crate keeps: an export computes the integers of the [`IntegerProgram`], on every
//! input that lies on the input grid, or there is none: what a form cannot say is refused by name,
//! all layers at once.
//!
//! ```
//! use bitfront_export::{Format, Trained, export};
//! use bitfront_hardware::circuit::BuildOptions;
//! use bitfront_network::{Candidate, Weights};
//!
//! let candidate: Candidate = serde_json::from_str(r#"{
//!     "input_shape": [2], "input_quantizer": "quantized_bits(4,1,alpha=1.0)",
//!     "layers": [{"name": "fc1", "operation": {
//!         "kind": "dense", "units": 2, "kernel": "ternary(alpha=1.0)",
//!         "bias": "quantized_bits(4,0,alpha=1.0)", "fold": null}}],
//!     "head": {"kind": "softmax"}}"#)?;
//! let weights = Weights::build(&candidate, |tensor| vec![0.5; tensor.shape.iter().product()]);
//! let files = export(Format::Cpp, &Trained {
//!     candidate: &candidate,
//!     weights: &weights,
//!     circuit: BuildOptions::default(),
//! })?;
//! assert_eq!(files[0].name, "network.hpp");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod constants;
mod cpp;
mod error;
mod format;
mod hls4ml;
mod json;
mod onnx;
mod plan;
mod plan_activation;
mod qkeras;
mod rust;
mod scaled;
mod source;
mod streamed;
mod verilog;

use bitfront_hardware::circuit::BuildOptions;
use bitfront_hardware::engine::vivado;
use bitfront_network::{Candidate, IntegerProgram, Weights};

use error::Refusals;
pub use error::{ExportError, Refusal};
pub use format::Format;
pub use hls4ml::project as hls4ml_project;
pub use json::SCHEMA;

/// A candidate with its weights.
#[derive(Clone, Copy, Debug)]
pub struct Trained<'a> {
    /// The candidate.
    pub candidate: &'a Candidate,
    /// Its weights, as trained.
    pub weights: &'a Weights,
    /// How its circuit is built.
    pub circuit: BuildOptions,
}

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, without a folder.
    pub name: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl File {
    fn text(name: &'static str, text: String) -> Self {
        Self {
            name,
            bytes: text.into_bytes(),
        }
    }
}

/// What an export has beyond its format's own files.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options<'a> {
    /// With [`Format::Verilog`]: an AXI-Stream module around the circuit, and its test bench. Other formats have
    /// no such thing.
    pub axi_stream: bool,
    /// With [`Format::Verilog`]: a module around the circuit with `in_valid` and `out_valid`, and its test bench.
    pub valid: bool,
    /// With [`Format::Verilog`]: the streamed circuit, whose dense layers use each multiplier in so many cycles of a
    /// row, at least 1, instead of the unrolled one.
    pub reuse: Option<u32>,
    /// With [`Format::Verilog`] and [`Format::Hls4ml`]: full name of the part that the project and Vivado's script are for; that of
    /// most published designs where none is named. Other formats are for no part.
    pub part: Option<&'a str>,
    /// With [`Format::Verilog`], for circuits within the ranges of the train rows: these rows, standardised, row-major.
    pub train_rows: Option<&'a [f32]>,
}

/// The files of a trained network in a format, the main one first. The same network gives the same
/// bytes.
///
/// # Errors
/// [`ExportError`] where the network has no integer program, or a layer has no such form.
pub fn export(format: Format, trained: &Trained<'_>) -> Result<Vec<File>, ExportError> {
    export_with(format, trained, Options::default())
}

/// The same with options.
///
/// # Errors
/// As [`export`].
pub fn export_with(
    format: Format,
    trained: &Trained<'_>,
    options: Options<'_>,
) -> Result<Vec<File>, ExportError> {
    let program = IntegerProgram::freeze(trained.candidate, trained.weights)?;
    if !format.has_tables() && program.softmax().is_some() {
        let mut refusals = Refusals::default();
        refusals.add(
            "softmax",
            "is by integer tables; accepted are logits, and with tables json, cpp, rust and verilog",
        );
        return refusals.none(format.name(), Vec::new());
    }
    match format {
        Format::Json => Ok(vec![File::text("network.json", json::text(&program))]),
        Format::Cpp => cpp::text(&program).map(|text| vec![File::text("network.hpp", text)]),
        Format::Rust => rust::text(&program).map(|text| vec![File::text("network.rs", text)]),
        Format::Qonnx => {
            let bytes = onnx::file(&program, onnx::Dialect::Qonnx, "qonnx")?;
            let name = "network.qonnx.onnx";
            Ok(vec![File { name, bytes }])
        }
        Format::Onnx => {
            let bytes = onnx::file(&program, onnx::Dialect::Plain, "onnx")?;
            let name = "network.onnx";
            Ok(vec![File { name, bytes }])
        }
        Format::Hls4ml => {
            let part = options.part.unwrap_or(vivado::DEFAULT_PART);
            hls4ml::project(&program, part, trained.circuit.delays.period_ps)
        }
        Format::Qkeras => qkeras::files(trained, &program),
        Format::Verilog => match options.reuse {
            Some(reuse) => streamed::files(&program, &trained.circuit, reuse),
            None => verilog::files(&program, &trained.circuit, options),
        },
    }
}
