//! Trained models of other tools as networks with starting weights.
//!
//! [`read`] takes the bytes of a Keras 2 or 3 model (with `QKeras` layers or without), or of an ONNX
//! or QONNX graph, and gives the [`Candidate`] and [`Weights`] that compute the same.
//!
//! The rule this crate keeps: all or nothing. A model is imported whole, or refused with the list of
//! everything that stands in the way; nothing is left out or replaced by something similar. And no
//! file, however damaged, makes it panic or allocate by a number that merely stands in it.
//!
//! # What is read
//!
//! | layer here | Keras and `QKeras` | ONNX and QONNX |
//! |---|---|---|
//! | dense | `Dense`, `QDense`, `QDenseBatchnorm` (folded) | `Gemm`, `MatMul`, each with a later `Add` as bias |
//! | convolution | `Conv1D`, `Conv2D`, `QConv1D`, `QConv2D`, `QConv2DBatchnorm`; causal as padding before it | `Conv` of one group |
//! | depthwise | `DepthwiseConv1D`, `DepthwiseConv2D`, `QDepthwiseConv2D`, `QDepthwiseConv2DBatchnorm`, convolutions with a group a channel | `Conv` with a group a channel |
//! | separable | `SeparableConv1D`, `SeparableConv2D`, `QSeparableConv1D`, `QSeparableConv2D` | as two convolutions |
//! | pooling | `MaxPooling`, `AveragePooling`, `GlobalAveragePooling` in 1D and 2D, `QAveragePooling2D` and `QGlobalAveragePooling2D` without quantizers | `MaxPool`, `AveragePool`, `GlobalAveragePool`, `ReduceMean` over all positions |
//! | shapes | `Flatten`, `Reshape` to one axis, `ZeroPadding1D`, `ZeroPadding2D` | `Flatten`, `Reshape`, `Squeeze`, `Transpose` of channels, `Pad` |
//! | batch normalisation | `BatchNormalization`, `QBatchNormalization` without quantizers | `BatchNormalization` |
//! | several inputs | `Add`, `Concatenate` | `Add`, `Concat` |
//! | activation | `Activation`, `QActivation`, `ReLU`, the `activation` of a layer: linear, relu and every quantizer | `Relu`, `Quant` with a power-of-two scale and zero point 0, `BipolarQuant` |
//! | head | softmax or sigmoid on the outputs; else linear | the same |
//! | dropout | `Dropout` | `Dropout` |
//!
//! Models may be sequential or functional, and may hold models. Float networks have no curves but
//! relu, so tanh, sigmoid and leaky rectifiers between layers are refused unless they are quantizers.

#![cfg_attr(
    not(feature = "hdf5"),
    expect(dead_code, reason = "some shared parts serve Keras files alone")
)]

mod array;
mod curve;
mod error;
mod graph;
#[cfg(feature = "hdf5")]
mod hdf5;
#[cfg(feature = "hdf5")]
mod keras;
mod limits;
mod onnx;

use std::path::Path;

use bitfront_network::{Candidate, Weights};

pub use error::{ImportError, Unsupported};
#[cfg(feature = "hdf5")]
pub use keras::{read_keras_h5, read_keras_json, read_keras_zip};
pub use onnx::read_onnx;

/// An imported model.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The network.
    pub candidate: Candidate,
    /// Its weights as they stand in the file, before quantization.
    pub weights: Weights,
    /// What it was: format, version, writer (`Keras 2.15.0 .h5`).
    pub source: String,
    /// What a user should know of the import: renamed layers, what the file does not say.
    pub notes: Vec<String>,
}

/// Reads a model file of any format that is known; `name_hint` is its file name, if it has one.
///
/// HDF5 files and zips are known by their first bytes. Anything else is read as ONNX, whose files
/// have no mark of their own, unless its name or its first byte says JSON.
///
/// # Errors
/// [`ImportError`]: an unknown or damaged file, all unsupported layers, or all faults of the
/// network.
pub fn read(bytes: &[u8], name_hint: Option<&str>) -> Result<Imported, ImportError> {
    let name = name_hint.unwrap_or("");
    if bytes.is_empty() {
        return Err(ImportError::Unknown {
            problem: "it is empty".into(),
        });
    }
    #[cfg(feature = "hdf5")]
    {
        if hdf5::is_hdf5(bytes) {
            return read_keras_h5(bytes);
        }
        if bytes.starts_with(b"PK\x03\x04") {
            return read_keras_zip(bytes);
        }
    }
    if ends(name, &["json"]) || bytes.trim_ascii_start().starts_with(b"{") {
        return Err(ImportError::Unknown {
            problem: "a model's JSON without weights; put both into a zip".into(),
        });
    }
    if ends(name, &["h5", "hdf5", "keras", "zip"]) {
        return Err(ImportError::Unknown {
            problem: format!("the bytes are not what the name `{name}` says"),
        });
    }
    read_onnx(bytes)
}

/// Whether a file name ends in one of the extensions.
fn ends(name: &str, extensions: &[&str]) -> bool {
    let extension = Path::new(name).extension();
    extensions
        .iter()
        .any(|wanted| extension.is_some_and(|extension| extension.eq_ignore_ascii_case(wanted)))
}
