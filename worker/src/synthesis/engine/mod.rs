//! Synthesis engines behind one trait: RTL in the job's folder in, figures and a report out.
//!
//! The rule this module keeps: an engine runs what [`bitfront_hardware::engine`] scripts, with the options of its target; it
//! compares nothing and judges nothing but its own report.

mod nextpnr;
mod vitis;
mod vivado;
mod yosys;

use std::collections::BTreeMap;

use bitfront_hardware::design::Design;
use bitfront_hardware::engine::{Engine, ReportError};
use bitfront_hardware::synthesis_report;
use bitfront_network::IntegerProgram;

use super::process::Run;
use super::vectors::Vectors;
use crate::error::{Ended, Failure};

/// What an engine found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Synthesised {
    /// Command lines, exactly.
    pub(super) command: String,
    /// Look-up tables.
    pub(super) lut: u64,
    /// Flip-flops.
    pub(super) ff: u64,
    /// Carry cells.
    pub(super) carry: u64,
    /// DSP blocks.
    pub(super) dsp: u64,
    /// Block RAMs of 36 Kb, where the engine tells.
    pub(super) bram: Option<u64>,
    /// `UltraRAM`s, where the engine tells.
    pub(super) uram: Option<u64>,
    /// Cells on the longest path between registers, where the engine tells.
    pub(super) levels: Option<u32>,
    /// Cells by type, where the engine tells.
    pub(super) cells: BTreeMap<String, u64>,
    /// Worst slack of the clock in ns, where the engine tells.
    pub(super) slack_ns: Option<f64>,
    /// Highest clock in MHz, where the engine tells.
    pub(super) fmax_mhz: Option<f64>,
    /// Clock cycles, where the engine makes a circuit of its own.
    pub(super) cycles: Option<u32>,
    /// Reports as the tools print them.
    pub(super) report: Vec<u8>,
    /// The mapped netlist, Verilog, where it can be simulated.
    pub(super) netlist: Option<Vec<u8>>,
    /// CPU seconds, where the tool reports them.
    pub(super) cpu_s: Option<f64>,
    /// Peak memory in KiB, where the tool reports it.
    pub(super) peak_rss_kib: Option<u64>,
}

impl Synthesised {
    /// One line for the log.
    pub(super) fn summary(&self) -> String {
        let levels = self.levels.map(|levels| format!(", {levels} levels"));
        let clock = self.fmax_mhz.map(|mhz| format!(", {mhz:.1} MHz"));
        format!(
            "synthesised: {} LUT, {} FF, {} carry cells{}{}",
            self.lut,
            self.ff,
            self.carry,
            levels.unwrap_or_default(),
            clock.unwrap_or_default()
        )
    }
}

/// What is synthesised.
pub(super) struct Subject<'a> {
    pub(super) program: &'a IntegerProgram,
    /// The program's circuit, whose [`RTL`](super::simulate::RTL) is in the run's folder.
    pub(super) circuit: &'a Design,
    pub(super) vectors: &'a Vectors,
}

/// An engine on this machine.
pub(super) trait Synthesise {
    /// Synthesises the subject for a clock of `period_ps` on `part`, which is empty for an engine that places nothing.
    fn synthesise(
        &self,
        run: &Run<'_>,
        subject: &Subject<'_>,
        part: &str,
        period_ps: u32,
    ) -> Result<Synthesised, Ended>;
}

/// Files in which engines leave what they were told, with the kinds of their artifacts.
pub(super) const SCRIPTS: [(&str, &str); 5] = [
    ("script", YOSYS_SCRIPT),
    ("script", VIVADO_SCRIPT),
    ("script", HLS4ML_SCRIPT),
    ("settings", "hls4ml.json"),
    ("pads", "pads.v"),
];

/// The one of these files that an engine leaves of a kind.
pub(super) fn script_name(engine: Engine, kind: &str) -> Option<&'static str> {
    if kind == "script" {
        return Some(match engine {
            Engine::Yosys | Engine::Ice40 | Engine::Ecp5 => YOSYS_SCRIPT,
            Engine::Vivado => VIVADO_SCRIPT,
            Engine::Vitis => HLS4ML_SCRIPT,
        });
    }
    let mut others = SCRIPTS.into_iter();
    others.find_map(|(other, name)| (other == kind).then_some(name))
}

/// What makes the project of Vitis HLS.
const HLS4ML_SCRIPT: &str = "convert.py";
/// Yosys' commands, a line each.
const YOSYS_SCRIPT: &str = "synthesise.ys";
/// Vivado's.
const VIVADO_SCRIPT: &str = "synthesise.tcl";

/// The engine's way.
pub(super) fn of(engine: Engine) -> &'static dyn Synthesise {
    match engine {
        Engine::Yosys => &yosys::Yosys,
        Engine::Ice40 => &nextpnr::ICE40,
        Engine::Ecp5 => &nextpnr::ECP5,
        Engine::Vivado => &vivado::Vivado,
        Engine::Vitis => &vitis::Vitis,
    }
}

/// A file that a tool should have left in the run's folder.
fn left(run: &Run<'_>, tool: &str, name: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(run.folder.join(name))
        .map_err(|e| Failure::lasting("tool-failed", format!("{tool} left no {name}: {e}")))
}

/// A cell that nobody asked for (a latch, a DSP block, memory) means that the RTL was not read as it
/// was meant; any other fault is the tool's.
fn report_failure(error: &ReportError) -> Failure {
    let code = match error {
        ReportError::Cells(synthesis_report::ReportError::Cell { .. }) => "cell-not-allowed",
        _ => "tool-failed",
    };
    Failure::lasting(code, error.to_string())
}

fn write(run: &Run<'_>, name: &str, text: &str) -> Result<(), Failure> {
    std::fs::write(run.folder.join(name), text)
        .map_err(|e| Failure::internal(format!("write {name}: {e}")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Counts of nothing but tables and flip-flops.
    pub(in super::super) fn counted(lut: u64, ff: u64) -> Synthesised {
        Synthesised {
            command: String::new(),
            lut,
            ff,
            carry: 0,
            dsp: 0,
            bram: None,
            uram: None,
            levels: None,
            cells: BTreeMap::new(),
            slack_ns: None,
            fmax_mhz: None,
            cycles: None,
            report: Vec::new(),
            netlist: None,
            cpu_s: None,
            peak_rss_kib: None,
        }
    }

    #[test]
    fn a_cell_that_should_not_be_there_fails_by_name() {
        let of = |error: synthesis_report::ReportError| report_failure(&error.into());
        let failure = of(synthesis_report::ReportError::Cell {
            cell: "SRL16E".into(),
            count: 7,
            allowed: "LUT6".into(),
        });
        assert_eq!(failure.code, "cell-not-allowed");
        assert!(
            failure
                .message
                .contains("7 cells of type SRL16E: allowed are LUT6")
        );
        let failure = of(synthesis_report::ReportError::NoLevels);
        assert_eq!(failure.code, "tool-failed");
    }
}
