//! Synthesises RTL with Yosys and reads what came out.

use std::fs;

use bitfront_hardware::synthesis_report::{ReportError, SynthesisReport, parse};

use super::process::Run;
use super::simulate::{MODULE, NETLIST, RTL};
use crate::error::{Ended, Failure};

/// What synthesis found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Synthesised {
    /// The command line, exactly.
    pub(super) command: String,
    /// Cells and levels.
    pub(super) totals: SynthesisReport,
    /// Statistics and longest path, as Yosys prints them.
    pub(super) report: Vec<u8>,
    /// The mapped netlist, Verilog.
    pub(super) netlist: Vec<u8>,
    /// CPU seconds as Yosys reports them.
    pub(super) cpu_s: Option<f64>,
    /// Peak memory in KiB as Yosys reports it.
    pub(super) peak_rss_kib: Option<u64>,
}

/// The script. Flip-flops are instances by the time the longest path is asked for, so they are taken
/// out of the selection: a path then ends at each register. Buses are split before the netlist is
/// written, so that no simulator takes a carry chain for a loop.
pub(super) fn script() -> String {
    format!(
        "read_verilog {RTL}; \
         synth_xilinx -family xcup -noiopad -noclkbuf -nosrl -nodsp -flatten -top {MODULE}; \
         tee -o stat.txt stat; tee -o ltp.txt ltp -noff t:FD* %n; \
         check -assert; splitnets; write_verilog -noattr {NETLIST}"
    )
}

/// Synthesises the RTL in the run's folder.
pub(super) fn synthesise(run: &Run<'_>) -> Result<Synthesised, Ended> {
    let Some(yosys) = run.tools.get("yosys") else {
        return Err(Failure::internal("yosys is not on PATH").into());
    };
    let script = script();
    let log = run.tool(
        "yosys",
        &yosys.path,
        &["-Q".into(), "-p".into(), script.clone().into()],
    )?;
    let read = |name: &str| {
        fs::read(run.folder.join(name))
            .map_err(|e| Failure::lasting("tool-failed", format!("yosys left no {name}: {e}")))
    };
    let (mut report, paths) = (read("stat.txt")?, read("ltp.txt")?);
    let totals = parse(
        &String::from_utf8_lossy(&report),
        &String::from_utf8_lossy(&paths),
        false,
    )
    .map_err(|e| report_failure(&e))?;
    report.extend(paths);
    let log = fs::read_to_string(log).unwrap_or_default();
    let (cpu_s, peak_rss_kib) = usage(&log);
    Ok(Synthesised {
        command: format!("yosys -Q -p \"{script}\""),
        totals,
        report,
        netlist: read(NETLIST)?,
        cpu_s,
        peak_rss_kib,
    })
}

/// A cell that nobody asked for (a latch, a DSP block, memory) means that the RTL was not read as it
/// was meant; any other fault is the tool's.
fn report_failure(error: &ReportError) -> Failure {
    let code = match error {
        ReportError::Cell { .. } => "cell-not-allowed",
        _ => "tool-failed",
    };
    Failure::lasting(code, error.to_string())
}

/// CPU seconds and peak KiB of the line "CPU: user 1.20s system 0.03s, MEM: 40.50 MB peak".
fn usage(log: &str) -> (Option<f64>, Option<u64>) {
    let seconds = |name: &str| -> Option<f64> {
        let (_, rest) = log.rsplit_once("CPU: ")?;
        let (_, rest) = rest.split_once(name)?;
        rest.split_once('s')?.0.trim().parse().ok()
    };
    let cpu = match (seconds("user "), seconds("system ")) {
        (Some(user), Some(system)) => Some(user + system),
        _ => None,
    };
    let peak = log.rsplit_once("MEM: ").and_then(|(_, rest)| {
        let megabytes: f64 = rest.split_once(" MB")?.0.parse().ok()?;
        Some((megabytes * 1024.0) as u64)
    });
    (cpu, peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_should_not_be_there_fails_by_name() {
        let failure = report_failure(&ReportError::Cell {
            cell: "SRL16E".into(),
            count: 7,
        });
        assert_eq!(failure.code, "cell-not-allowed");
        assert!(failure.message.contains("7 cells of type SRL16E"));
        assert_eq!(report_failure(&ReportError::NoLevels).code, "tool-failed");
    }

    #[test]
    fn the_footer_is_read() {
        let log = "End of script. Logfile hash: 98ca514768, CPU: user 3.20s system 0.05s, MEM: 40.50 MB peak";
        assert_eq!(usage(log), (Some(3.25), Some(41_472)));
        assert_eq!(usage(""), (None, None));
    }
}
