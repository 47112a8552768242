//! Vitis HLS on an hls4ml project of the network: emulated in C++ first, then estimated by C synthesis. Untested on the
//! real tool.
//!
//! The circuit is the vendor's own, so its gate is its own too: the project compiled with g++ gives the integers of the
//! network on every vector.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use bitfront_export::hls4ml_project;
use bitfront_hardware::engine::vitis::{BUILD_OPTIONS, REPORT, parse};

use super::super::process::Run;
use super::{Subject, Synthesise, Synthesised, left, write};
use crate::error::{Ended, Failure};
use crate::tools::VITIS_HLS;

/// hls4ml, its emulation, and C synthesis.
pub(super) struct Vitis;

/// Where hls4ml writes the project.
const PROJECT: &str = "project";
const INPUTS: &str = "inputs.f32";
const OUTPUTS: &str = "outputs.f32";

impl Synthesise for Vitis {
    fn synthesise(
        &self,
        run: &Run<'_>,
        subject: &Subject<'_>,
        part: &str,
        period_ps: u32,
    ) -> Result<Synthesised, Ended> {
        let (Some(hls4ml), Some(vitis)) = (run.tools.get("hls4ml"), run.tools.get("vitis-run"))
        else {
            return Err(Failure::internal("hls4ml or vitis-run is not on PATH").into());
        };
        let refused =
            |e: bitfront_export::ExportError| Failure::lasting("not-exact", e.to_string());
        for file in hls4ml_project(subject.program, part, period_ps).map_err(refused)? {
            fs::write(run.folder.join(file.name), file.bytes)
                .map_err(|e| Failure::internal(format!("write {}: {e}", file.name)))?;
        }
        let wide = Run {
            limits: run.limits.for_vendors(),
            ..*run
        };
        // Compiling unrolled layers takes long, as synthesising them does.
        emulate(&wide, subject, &python_of(&hls4ml.path))?;

        let project = run.folder.join(PROJECT);
        write(run, &format!("{PROJECT}/build_opt.tcl"), BUILD_OPTIONS)?;
        let (program, arguments) = command_line(&vitis.path);
        let inside = Run {
            folder: &project,
            ..*run
        };
        let given: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        inside.vendor_tool(program, &vitis.path, &given)?;
        let report = left(&inside, program, REPORT)?;
        let estimated = parse(&String::from_utf8_lossy(&report), period_ps)
            .map_err(|e| Failure::lasting("tool-failed", e.to_string()))?;
        let measured = estimated.measured;
        Ok(Synthesised {
            command: format!(
                "python convert.py --output-dir {PROJECT}; cd {PROJECT}; {program} {}",
                arguments.join(" ")
            ),
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
            cycles: Some(estimated.cycles),
            report,
            netlist: None,
            cpu_s: None,
            peak_rss_kib: None,
        })
    }
}

/// The name and the arguments of C synthesis by the program of this or of older releases.
fn command_line(program: &Path) -> (&'static str, &'static [&'static str]) {
    if program.file_name().is_some_and(|name| name == VITIS_HLS) {
        (VITIS_HLS, &["-f", "build_prj.tcl"])
    } else {
        ("vitis-run", &["--mode", "hls", "--tcl", "build_prj.tcl"])
    }
}

/// The Python that a program of an environment runs in: the one beside it, or the one on PATH.
fn python_of(program: &Path) -> PathBuf {
    let beside = program.with_file_name("python3");
    if beside.is_file() {
        beside
    } else {
        "python3".into()
    }
}

/// A row whose channels stand side by side at each position, with its positions side by side in each channel.
fn channels_first(row: &[i64], channels: usize) -> impl Iterator<Item = i64> {
    (0..channels).flat_map(move |channel| row.iter().skip(channel).step_by(channels).copied())
}

/// Makes the project, compiles it and compares what it says of every vector.
fn emulate(run: &Run<'_>, subject: &Subject<'_>, python: &Path) -> Result<(), Ended> {
    let (program, vectors) = (subject.program, subject.vectors);
    let step = 2f64.powi(-program.input.fraction[0]);
    let bytes = |code: i64| ((code as f64 * step) as f32).to_le_bytes();
    let rows = vectors.inputs.chunks_exact(program.inputs());
    let codes = rows.flat_map(|row| channels_first(row, program.input.channels()));
    let inputs: Vec<u8> = codes.flat_map(bytes).collect();
    fs::write(run.folder.join(INPUTS), inputs)
        .map_err(|e| Failure::internal(format!("write {INPUTS}: {e}")))?;
    let arguments = [
        "convert.py",
        "--output-dir",
        PROJECT,
        "--emulate",
        INPUTS,
        OUTPUTS,
    ];
    run.tool("hls4ml", python, &arguments.map(OsString::from))?;
    let outputs = left(run, "hls4ml", OUTPUTS)?;
    let up = 2f64.powi(program.output_fraction);
    let (values, _) = outputs.as_chunks::<4>();
    let found = values
        .iter()
        .map(|value| f64::from(f32::from_le_bytes(*value)) * up);
    let expected = vectors.expected.iter().map(|code| *code as f64);
    if values.len() != vectors.expected.len() {
        let (few, all) = (values.len(), vectors.expected.len());
        let message = format!("hls4ml's project gives {few} outputs of {all}");
        return Err(Failure::lasting("emulation-mismatch", message).into());
    }
    // What f32 cannot hold counts as wrong, too.
    let wrong = |(at, (found, expected)): (usize, (f64, f64))| (found != expected).then_some(at);
    let mut wrong = found.zip(expected).enumerate().filter_map(wrong);
    match wrong.next() {
        None => Ok(()),
        Some(first) => {
            let (rows, row) = (vectors.rows, first / program.outputs());
            let message = format!(
                "hls4ml's project compiled with g++ differs from integer inference in {} of {} outputs of {rows} vectors, first on vector {row}",
                1 + wrong.count(),
                values.len()
            );
            Err(Failure::lasting("emulation-mismatch", message).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_releases_have_another_command_line() {
        let words = |program: &str| command_line(Path::new(program)).1.join(" ");
        assert_eq!(words("/tools/bin/vitis_hls"), "-f build_prj.tcl");
        assert_eq!(
            words("/tools/bin/vitis-run"),
            "--mode hls --tcl build_prj.tcl"
        );
    }

    #[test]
    fn an_image_is_turned_channels_first() {
        let row: Vec<i64> = (0..6).collect();
        assert_eq!(
            channels_first(&row, 2).collect::<Vec<_>>(),
            [0, 2, 4, 1, 3, 5]
        );
        assert_eq!(channels_first(&row, 6).collect::<Vec<_>>(), row);
    }
}
