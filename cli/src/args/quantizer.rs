//! Options of `bitfront quantizer`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct QuantizerOptions {
    #[command(subcommand)]
    pub(crate) action: QuantizerAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuantizerAction {
    /// Tell what a quantizer is: its values, range, bits, grid, and where it is exact.
    Show {
        /// Quantizer, `quantized_bits(6,0,alpha=1.0)` or `ap_fixed<8,3,AP_RND,AP_SAT>`.
        quantizer: String,
    },
    /// Map numbers from a file: lines of numbers, several separated by commas are channels.
    Apply {
        /// Quantizer.
        quantizer: String,
        /// The file; stdin when left out or `-`.
        file: Option<PathBuf>,
        /// Print integer codes instead of values; the fraction of each column stands first.
        #[arg(long)]
        codes: bool,
    },
}
