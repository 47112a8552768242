//! `bitfront export`.

use std::path::PathBuf;

use bitfront_export::Format;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Trial: its id, or search and number: `jets#17`.
    #[arg(required_unless_present = "weights")]
    pub(crate) trial: Option<String>,
    /// Form: verilog, qonnx, hls4ml, qkeras, onnx, json, cpp, rust.
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub(crate) to: Format,
    /// With `--to verilog`: an AXI-Stream module (tvalid, tready, tdata) around the circuit, and its test bench.
    #[arg(long)]
    pub(crate) axi_stream: bool,
    /// With `--to verilog`: a module with flags for valid rows around the circuit, a row a clock and no back-pressure, and its
    /// test bench.
    #[arg(long, conflicts_with = "streamed")]
    pub(crate) valid: bool,
    /// With `--to verilog`: a streamed circuit, for networks too large to unroll. Images come position by position
    /// through line buffers; dense layers share multipliers over REUSE cycles (1: none of features, those of images by position).
    #[arg(long, value_name = "REUSE", num_args = 0..=1, default_missing_value = "1", conflicts_with = "axi_stream",
          value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) streamed: Option<u32>,
    /// Folder that the files are written to, made if it is not there; `export-FORMAT` by default.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Candidate, JSON, instead of a trial: nothing is asked of a coordinator.
    #[arg(long, value_name = "FILE", requires = "weights")]
    pub(crate) candidate: Option<PathBuf>,
    /// Its weights, a file as trials have it.
    #[arg(
        long,
        value_name = "FILE",
        requires = "candidate",
        conflicts_with = "trial"
    )]
    pub(crate) weights: Option<PathBuf>,
}

fn format(text: &str) -> Result<Format, String> {
    text.parse()
}
