//! The synthesised netlist held against integer inference.
//!
//! A netlist is run by the simulators of [`bitfront_hardware::netlist`], which need no compiler: through Verilator one of
//! 36,000 cells takes minutes of CPU and close to the memory limit. Loops through registers are run clock by clock; what neither
//! takes, other cells, goes through Verilator and the library of cells.

use std::path::Path;

use bitfront_hardware::design::{Design, NetlistSimulator};
use bitfront_hardware::engine::Engine;
use bitfront_hardware::netlist::{NetlistError, parse};

use super::process::Run;
use super::simulate::{self as verilator, Subject};
use super::vectors::Vectors;
use crate::error::{Ended, Failure};

/// What ran a netlist, as a result names it: this project's simulator of pipelines.
pub(super) const OWN: &str = "bitfront";
/// This project's simulator clock by clock.
pub(super) const CYCLES: &str = "bitfront-cycles";
/// Verilator, on the library of cells.
const VERILATOR: &str = "verilator";

/// Runs the netlist of an engine, which also lies in the run's folder, on the vectors. Returns the number of vectors that were compared,
/// all of them equal, and what ran them.
pub(super) fn check(
    run: &Run<'_>,
    engine: Engine,
    netlist: &[u8],
    circuit: &Design,
    vectors: &Vectors,
    cache: &Path,
) -> Result<(u64, &'static str), Ended> {
    let text = String::from_utf8_lossy(netlist);
    let report = parse(&text)
        .and_then(|netlist| circuit.simulate_netlist(&netlist, &vectors.inputs, &vectors.expected));
    match report {
        Ok((report, simulator)) => {
            Subject::Netlist(engine).verdict(report, vectors.rows as u64)?;
            let simulator = match simulator {
                NetlistSimulator::Pipelines => OWN,
                NetlistSimulator::Cycles => CYCLES,
            };
            Ok((report.vectors, simulator))
        }
        Err(NetlistError::Cell { .. }) => {
            let compared =
                verilator::simulate(run, Subject::Netlist(engine), circuit, vectors, cache)?;
            Ok((compared, VERILATOR))
        }
        Err(error) => Err(Failure::lasting("tool-failed", error.to_string()).into()),
    }
}
