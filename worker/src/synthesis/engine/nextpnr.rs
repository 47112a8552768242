//! Yosys and nextpnr: cells and netlist of the circuit alone, and the clock of the circuit placed and routed behind few pads.

use std::ffi::OsString;
use std::fs;

use bitfront_hardware::engine::nextpnr::{self, Family};

use super::super::process::Run;
use super::super::simulate::{MODULE, NETLIST};
use super::{Subject, Synthesise, Synthesised, YOSYS_SCRIPT, left, report_failure, write};
use crate::error::{Ended, Failure};

/// A family with its router.
pub(super) struct Nextpnr {
    program: &'static str,
    family: Family,
}

/// iCE40.
pub(super) const ICE40: Nextpnr = Nextpnr {
    program: "nextpnr-ice40",
    family: nextpnr::ICE40,
};

/// ECP5.
pub(super) const ECP5: Nextpnr = Nextpnr {
    program: "nextpnr-ecp5",
    family: nextpnr::ECP5,
};

impl Synthesise for Nextpnr {
    fn synthesise(
        &self,
        run: &Run<'_>,
        subject: &Subject<'_>,
        part: &str,
        period_ps: u32,
    ) -> Result<Synthesised, Ended> {
        let (Some(yosys), Some(router)) = (run.tools.get("yosys"), run.tools.get(self.program))
        else {
            let program = self.program;
            return Err(Failure::internal(format!("yosys or {program} is not on PATH")).into());
        };
        let pads = nextpnr::pads(
            MODULE,
            subject.circuit.input_bits(),
            subject.circuit.output_bits(),
            subject.circuit.has_valid(),
        );
        write(run, "pads.v", &pads)?;
        let script = nextpnr::script(&self.family, MODULE);
        write(run, YOSYS_SCRIPT, &(script.replace("; ", "\n") + "\n"))?;
        let arguments = ["-Q".into(), "-p".into(), script.clone().into()];
        let log = run.tool("yosys", &yosys.path, &arguments)?;
        let (cpu_s, peak_rss_kib) =
            super::yosys::usage(&fs::read_to_string(log).unwrap_or_default());
        // A cell that is not allowed needs no place.
        let stat = left(run, "yosys", "stat.txt")?;
        let counts = nextpnr::count(&self.family, &String::from_utf8_lossy(&stat))
            .map_err(|e| report_failure(&e))?;

        let mut line = self.family.router_options(part, period_ps);
        line.extend(["--json", "netlist.json", "--report", "report.json"].map(str::to_owned));
        let arguments: Vec<OsString> = line.iter().map(OsString::from).collect();
        run.tool(self.program, &router.path, &arguments)?;

        let routed = left(run, self.program, "report.json")?;
        let measured = nextpnr::parse(&counts, &String::from_utf8_lossy(&routed), period_ps)
            .map_err(|e| report_failure(&e))?;
        Ok(Synthesised {
            command: format!(
                "yosys -Q -p \"{script}\"; {} {}",
                self.program,
                line.join(" ")
            ),
            lut: measured.lut,
            ff: measured.ff,
            carry: measured.carry,
            dsp: measured.dsp,
            bram: measured.bram,
            uram: measured.uram,
            levels: None,
            cells: counts.cells,
            slack_ns: measured.slack_ns,
            fmax_mhz: measured.fmax_mhz,
            cycles: None,
            report: [stat, routed].concat(),
            netlist: Some(left(run, "yosys", NETLIST)?),
            cpu_s,
            peak_rss_kib,
        })
    }
}
