//! Synthesises RTL with Yosys and reads what came out.

use std::fs;

use bitfront_hardware::circuit::Multipliers;
use bitfront_hardware::synthesis_report::{options, parse};

use super::super::process::Run;
use super::super::simulate::{MODULE, NETLIST, RTL};
use super::{Subject, Synthesise, Synthesised, YOSYS_SCRIPT, left, report_failure, write};
use crate::error::{Ended, Failure};

/// Cells of `UltraScale+`, without pads, clock buffers and shift-register cells, and without DSP blocks unless the
/// circuit asks for them.
pub(super) struct Yosys;

/// The script. Flip-flops are instances by the time the longest path is asked for, so they are taken
/// out of the selection: a path then ends at each register. Buses are split before the netlist is
/// written, so that no simulator takes a carry chain for a loop.
fn script(command: &str) -> String {
    format!(
        "read_verilog {RTL}; \
         {command} -top {MODULE}; \
         tee -o stat.txt stat; tee -o ltp.txt ltp -noff t:FD* %n; \
         check -assert; splitnets; write_verilog -noattr {NETLIST}"
    )
}

impl Synthesise for Yosys {
    fn synthesise(
        &self,
        run: &Run<'_>,
        subject: &Subject<'_>,
        _: &str,
        _: u32,
    ) -> Result<Synthesised, Ended> {
        let Some(yosys) = run.tools.get("yosys") else {
            return Err(Failure::internal("yosys is not on PATH").into());
        };
        let multipliers = subject.circuit.multipliers();
        let script = script(options(multipliers));
        write(run, YOSYS_SCRIPT, &(script.replace("; ", "\n") + "\n"))?;
        let log = run.tool(
            "yosys",
            &yosys.path,
            &["-Q".into(), "-p".into(), script.clone().into()],
        )?;
        let mut report = left(run, "yosys", "stat.txt")?;
        let paths = left(run, "yosys", "ltp.txt")?;
        let totals = parse(
            &String::from_utf8_lossy(&report),
            &String::from_utf8_lossy(&paths),
            multipliers != Multipliers::Luts,
        )
        .map_err(|e| report_failure(&e.into()))?;
        report.extend(paths);
        let (cpu_s, peak_rss_kib) = usage(&fs::read_to_string(log).unwrap_or_default());
        Ok(Synthesised {
            command: format!("yosys -Q -p \"{script}\""),
            lut: totals.lut,
            ff: totals.ff,
            carry: totals.carry,
            dsp: totals.dsp,
            bram: None,
            uram: None,
            levels: Some(totals.levels),
            cells: totals.cells,
            slack_ns: None,
            fmax_mhz: None,
            cycles: None,
            report,
            netlist: Some(left(run, "yosys", NETLIST)?),
            cpu_s,
            peak_rss_kib,
        })
    }
}

/// CPU seconds and peak KiB of the line "CPU: user 1.20s system 0.03s, MEM: 40.50 MB peak".
pub(super) fn usage(log: &str) -> (Option<f64>, Option<u64>) {
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
    fn the_footer_is_read() {
        let log = "End of script. Logfile hash: 98ca514768, CPU: user 3.20s system 0.05s, MEM: 40.50 MB peak";
        assert_eq!(usage(log), (Some(3.25), Some(41_472)));
        assert_eq!(usage(""), (None, None));
    }
}
