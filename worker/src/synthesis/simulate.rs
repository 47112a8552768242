//! Simulates a circuit with Verilator and compares every output bit: its RTL, or the netlist that
//! synthesis made of it, through a library of the cells that a netlist may have.
//!
//! The model and its test bench are compiled as one file against Verilator's run-time library, which
//! is compiled once for each machine and kept in the cache folder: it takes five times as long to
//! compile as a small network.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use bitfront_hardware::design::Design;
use bitfront_hardware::engine::Engine;
use bitfront_hardware::verilog::{BenchReport, parse_bench_report};

use super::process::Run;
use super::vectors::Vectors;
use crate::error::{Ended, Failure};
use crate::tools::Tool;

/// Name of the generated module.
pub(super) const MODULE: &str = "network";
/// File of the RTL in a job's folder.
pub(super) const RTL: &str = "network.v";
/// File of the vectors in a job's folder, as the test bench reads them.
pub(super) const VECTORS: &str = "vectors.txt";
/// File of the clock's constraint in a job's folder.
pub(super) const CONSTRAINTS: &str = "constraints.xdc";
/// File of the test bench in a job's folder.
pub(super) const BENCH: &str = "bench.cpp";

/// Parts of Verilator's run-time library that a model links with.
const RUNTIME: [&str; 2] = ["verilated", "verilated_threads"];

/// File of the synthesised netlist in a job's folder.
pub(super) const NETLIST: &str = "netlist.v";
/// File of the cells' behaviour in a job's folder.
const CELLS: &str = "cells.v";

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// [`RTL`].
    Rtl,
    /// [`NETLIST`], of the same ports, with an engine's cells.
    Netlist(Engine),
}

impl Subject {
    /// Verilog files.
    fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Rtl => &[RTL],
            Self::Netlist(_) => &[NETLIST, CELLS],
        }
    }

    /// Folder of the generated model.
    pub(super) fn model(self) -> &'static str {
        match self {
            Self::Rtl => "model",
            Self::Netlist(_) => "model-netlist",
        }
    }

    /// The code of a difference.
    fn code(self) -> &'static str {
        match self {
            Self::Rtl => "mismatch",
            Self::Netlist(_) => "netlist-mismatch",
        }
    }

    /// Fails unless all `rows` were compared and equal.
    pub(super) fn verdict(self, report: BenchReport, rows: u64) -> Result<(), Failure> {
        if report.mismatches > 0 || report.first.is_some() {
            let row = report.first.map_or("?".into(), |row| row.to_string());
            let what = match self {
                Self::Rtl => "circuit",
                Self::Netlist(_) => "netlist",
            };
            return Err(Failure::lasting(
                self.code(),
                format!(
                    "the simulated {what} differs from integer inference on {} of {} vectors, first on vector {row}",
                    report.mismatches, report.vectors
                ),
            ));
        }
        if report.vectors != rows {
            return Err(Failure::lasting(
                "tool-failed",
                format!(
                    "the simulation compared {} of {rows} vectors",
                    report.vectors
                ),
            ));
        }
        Ok(())
    }
}

/// Simulates the subject with [`BENCH`] on the vectors; both files are in the run's folder. Returns the
/// number of vectors that were compared, all of them equal.
pub(super) fn simulate(
    run: &Run<'_>,
    subject: Subject,
    circuit: &Design,
    vectors: &Vectors,
    cache: &Path,
) -> Result<u64, Ended> {
    let (Some(verilator), Some(compiler)) = (run.tools.get("verilator"), run.tools.get("g++"))
    else {
        return Err(Failure::internal("verilator or g++ is not on PATH").into());
    };
    let root = verilator_root(run, verilator)?;
    let runtime = runtime(run, verilator, compiler, &root, cache)?;
    let model = subject.model();
    let mut translate = args(&["--cc", "--top-module", MODULE, "--Mdir", model]);
    // An unknown constant is what the bench says of it, like a net that nothing drives, and no zero of the translator's.
    translate.extend(args(&["--x-assign", "unique"]));
    if let Subject::Netlist(engine) = subject {
        write(run, CELLS, bitfront_hardware::verilog::cells(engine))?;
        // A netlist leaves pins open; its warnings are no fault of the network.
        translate.push("-Wno-fatal".into());
    }
    translate.extend(args(subject.sources()));
    run.tool("verilator", &verilator.path, &translate)?;
    write(run, "simulation.cpp", &one_file(run.folder, model)?)?;
    let mut compile = flags(&root);
    compile.push(format!("-I{model}").into());
    compile.extend(args(&["-o", "simulation", "simulation.cpp"]));
    compile.extend(runtime.into_iter().map(OsString::from));
    compile.push("-pthread".into());
    run.tool("compile", &compiler.path, &compile)?;
    write(
        run,
        VECTORS,
        &circuit.vectors_file(&vectors.inputs, &vectors.expected),
    )?;
    // Exit code 1 is the bench's word for a mismatch.
    let output = run.tool_with_codes(
        "simulation",
        &run.folder.join("simulation"),
        &args(&[VECTORS]),
        &[0, 1],
    )?;
    let output = fs::read_to_string(output)
        .map_err(|e| Failure::internal(format!("read the simulation's output: {e}")))?;
    let report = parse_bench_report(&output)
        .map_err(|e| Failure::lasting("tool-failed", format!("simulation: {e}")))?;
    subject.verdict(report, vectors.rows as u64)?;
    Ok(report.vectors)
}

fn args(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn write(run: &Run<'_>, name: &str, text: &str) -> Result<(), Failure> {
    fs::write(run.folder.join(name), text)
        .map_err(|e| Failure::internal(format!("write {name}: {e}")))
}

/// Where Verilator keeps its headers.
fn verilator_root(run: &Run<'_>, verilator: &Tool) -> Result<PathBuf, Ended> {
    let log = run.tool(
        "verilator-root",
        &verilator.path,
        &args(&["--getenv", "VERILATOR_ROOT"]),
    )?;
    let text = fs::read_to_string(log).unwrap_or_default();
    let root = PathBuf::from(text.trim());
    if root.join("include/verilated.h").is_file() {
        Ok(root)
    } else {
        Err(Failure::lasting(
            "tool-failed",
            format!(
                "verilator names {} as its root, which has no include/verilated.h",
                root.display()
            ),
        )
        .into())
    }
}

/// Compiler flags that model and library share. Two thousand vectors run in milliseconds, so the
/// time is in the compiler: no optimisation.
fn flags(root: &Path) -> Vec<OsString> {
    let include = root.join("include");
    let mut flags = args(&["-O0", "-w"]);
    for folder in [include.clone(), include.join("vltstd")] {
        let mut flag = OsString::from("-I");
        flag.push(folder);
        flags.push(flag);
    }
    flags
}

/// The library's object files, compiled under a lock if nobody did so before.
fn runtime(
    run: &Run<'_>,
    verilator: &Tool,
    compiler: &Tool,
    root: &Path,
    cache: &Path,
) -> Result<Vec<PathBuf>, Ended> {
    let broken = |e: std::io::Error| Failure::internal(format!("simulator cache: {e}"));
    let folder = cache.join(format!(
        "verilator-{}-gcc-{}",
        verilator.version, compiler.version
    ));
    fs::create_dir_all(&folder).map_err(broken)?;
    let lock = File::create(folder.join("lock")).map_err(broken)?;
    lock.lock().map_err(broken)?;
    let mut objects = Vec::new();
    for part in RUNTIME {
        let source = root.join(format!("include/{part}.cpp"));
        let object = folder.join(format!("{part}.o"));
        if !object.is_file() {
            let partial = format!("{part}.o");
            let mut compile = flags(root);
            compile.extend(args(&["-c", "-o", &partial]));
            compile.push(source.into());
            run.tool("runtime", &compiler.path, &compile)?;
            // The job's folder lies in the cache folder, so this is a rename within a file system.
            fs::rename(run.folder.join(partial), &object).map_err(broken)?;
        }
        objects.push(object);
    }
    Ok(objects)
}

/// One C++ file of the whole model and its bench: the headers are read once.
fn one_file(folder: &Path, model: &str) -> Result<String, Failure> {
    let broken = |e: std::io::Error| Failure::internal(format!("read the model: {e}"));
    let mut sources: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder.join(model)).map_err(broken)? {
        let name = entry.map_err(broken)?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".cpp") {
            sources.push(format!("#include \"{model}/{name}\"\n"));
        }
    }
    sources.sort_unstable();
    sources.push(format!("#include \"{BENCH}\"\n"));
    Ok(sources.concat())
}
