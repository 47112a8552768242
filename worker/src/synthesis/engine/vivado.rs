//! Vivado out of context, after routing. Untested on the real tool.

use std::collections::BTreeMap;

use bitfront_hardware::engine::vivado::{parse, script};

use super::super::process::Run;
use super::super::simulate::{MODULE, NETLIST};
use super::{Subject, Synthesise, Synthesised, VIVADO_SCRIPT, left, write};
use crate::error::{Ended, Failure};

/// Synthesis, placement and routing.
pub(super) struct Vivado;

impl Synthesise for Vivado {
    fn synthesise(
        &self,
        run: &Run<'_>,
        _: &Subject<'_>,
        part: &str,
        period_ps: u32,
    ) -> Result<Synthesised, Ended> {
        let Some(vivado) = run.tools.get("vivado") else {
            return Err(Failure::internal("vivado is not on PATH").into());
        };
        // The job has written the constraints that the script reads.
        write(run, VIVADO_SCRIPT, &script(MODULE, part))?;
        let arguments = ["-mode", "batch", "-nojournal", "-source", VIVADO_SCRIPT];
        run.vendor_tool("vivado", &vivado.path, &arguments.map(Into::into))?;
        let utilization = left(run, "vivado", "utilization.rpt")?;
        let timing = left(run, "vivado", "timing.rpt")?;
        let measured = parse(
            &String::from_utf8_lossy(&utilization),
            &String::from_utf8_lossy(&timing),
            period_ps,
        )
        .map_err(|e| Failure::lasting("tool-failed", e.to_string()))?;
        Ok(Synthesised {
            command: format!("vivado {}", arguments.join(" ")),
            lut: measured.lut,
            ff: measured.ff,
            carry: measured.carry,
            dsp: measured.dsp,
            bram: measured.bram,
            uram: measured.uram,
            levels: None,
            cells: BTreeMap::new(),
            slack_ns: measured.slack_ns,
            fmax_mhz: measured.fmax_mhz,
            cycles: None,
            report: [utilization, timing].concat(),
            netlist: Some(left(run, "vivado", NETLIST)?),
            cpu_s: None,
            peak_rss_kib: None,
        })
    }
}
