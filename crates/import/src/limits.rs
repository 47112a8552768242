//! The largest files and parts that are read.
//!
//! The rule this module keeps: no number that a file declares about itself is used as a size before
//! it was compared with one of these and with the bytes that are there.

/// Largest model file, in bytes.
pub(crate) const FILE_BYTES: u64 = 64 << 20;

/// Longest model description (Keras JSON), in bytes: a parsed value takes about ten times its text.
pub(crate) const JSON_BYTES: u64 = 4 << 20;

/// Most weights of a model.
pub(crate) const WEIGHTS: u64 = 1 << 24;

/// Most axes of a tensor.
pub(crate) const AXES: usize = 8;

/// Most entries of a zip file.
pub(crate) const ZIP_ENTRIES: u64 = 4096;

/// Most protobuf fields of an ONNX file that become values of their own.
pub(crate) const PROTO_FIELDS: u64 = 1 << 18;

/// Most layers in a model, before they are simplified.
pub(crate) const LAYERS: usize = 4096;
