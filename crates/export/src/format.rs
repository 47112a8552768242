//! The formats by name.

use std::fmt;
use std::str::FromStr;

/// A form that other tools take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// The integer program as JSON.
    Json,
    /// A C++ header with the integer network.
    Cpp,
    /// A Rust file with the integer network.
    Rust,
    /// The circuit with a test bench.
    Verilog,
    /// A QONNX graph.
    Qonnx,
    /// A QONNX graph with what converts it by hls4ml.
    Hls4ml,
    /// A QKeras model: Keras' JSON and its weights.
    Qkeras,
    /// A plain ONNX graph.
    Onnx,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Verilog,
        Self::Qonnx,
        Self::Hls4ml,
        Self::Qkeras,
        Self::Onnx,
        Self::Json,
        Self::Cpp,
        Self::Rust,
    ];

    /// Whether it says what the integer tables of a softmax make of logits.
    pub(crate) fn has_tables(self) -> bool {
        matches!(self, Self::Json | Self::Cpp | Self::Rust | Self::Verilog)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Cpp => "cpp",
            Self::Rust => "rust",
            Self::Verilog => "verilog",
            Self::Qonnx => "qonnx",
            Self::Hls4ml => "hls4ml",
            Self::Qkeras => "qkeras",
            Self::Onnx => "onnx",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = Self::ALL;
        let found = all.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|format| format.name()).collect();
            format!("`{text}` is no format; accepted are {}", names.join(", "))
        })
    }
}
