//! The synthesised netlist held against integer inference.
//!
//! A netlist is run by the simulator of [`bitfront_hardware::netlist`], which needs no compiler: through Verilator one of
//! 36,000 cells takes minutes of CPU and close to the memory limit. What that one does not
//! take, other cells and feedback, goes through Verilator and the library of cells.

use std::path::Path;

use bitfront_hardware::circuit::Circuit;
use bitfront_hardware::netlist::{NetlistError, parse, simulate};

use super::process::Run;
use super::simulate::{self as verilator, Subject};
use super::vectors::Vectors;
use crate::error::{Ended, Failure};

/// What ran a netlist, as a result names it: this project's simulator.
pub(super) const OWN: &str = "bitfront";
/// Verilator, on the library of cells.
const VERILATOR: &str = "verilator";

/// Runs the netlist, which also lies in the run's folder, on the vectors. Returns the number of vectors that were compared,
/// all of them equal, and what ran them.
pub(super) fn check(
    run: &Run<'_>,
    netlist: &[u8],
    circuit: &Circuit,
    vectors: &Vectors,
    cache: &Path,
) -> Result<(u64, &'static str), Ended> {
    let text = String::from_utf8_lossy(netlist);
    let report = parse(&text)
        .and_then(|netlist| simulate(&netlist, circuit, &vectors.inputs, &vectors.expected));
    match report {
        Ok(report) => {
            Subject::Netlist.verdict(report, vectors.rows as u64)?;
            Ok((report.vectors, OWN))
        }
        Err(NetlistError::Cell { .. } | NetlistError::Loop(_)) => {
            let compared = verilator::simulate(run, Subject::Netlist, circuit, vectors, cache)?;
            Ok((compared, VERILATOR))
        }
        Err(error) => Err(Failure::lasting("tool-failed", error.to_string()).into()),
    }
}
