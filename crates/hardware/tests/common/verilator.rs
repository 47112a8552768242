//! Compiles and runs test benches with Verilator.

use bitfront_hardware::verilog::{BenchReport, parse_bench_report};
use std::path::{Path, PathBuf};
use std::process::Command;

fn tool(folder: &Path, program: &str, arguments: &[String]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {log}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Compiler arguments for Verilator's output, without optimisation: the benches run for a moment.
fn compiler_arguments(root: &str) -> Vec<String> {
    let text = format!(
        "-O0 -w -faligned-new -Ibuilt -I{root}/include -I{root}/include/vltstd -DVM_COVERAGE=0 \
         -DVM_SC=0 -DVM_TRACE=0 -DVM_TRACE_FST=0 -DVM_TRACE_VCD=0"
    );
    text.split(' ').map(str::to_owned).collect()
}

/// Compiles Verilator's run-time library, which takes longer than a bench, once; returns its root.
pub(crate) fn build_runtime(folder: &Path) -> String {
    let root = tool(
        folder,
        "verilator",
        &["--getenv".into(), "VERILATOR_ROOT".into()],
    );
    for part in ["verilated", "verilated_threads"] {
        let mut arguments = compiler_arguments(&root);
        arguments.extend(["-c".into(), format!("{root}/include/{part}.cpp")]);
        tool(folder, "g++", &arguments);
    }
    root
}

/// Compiles a module and its bench; returns the path of the binary. A warning is an error, as of the RTL of jobs.
pub(crate) fn compile(
    folder: &Path,
    root: &str,
    name: &str,
    (rtl_text, bench_text): (&str, &str),
) -> PathBuf {
    let (rtl, bench) = (format!("{name}.v"), format!("{name}_bench.cpp"));
    std::fs::write(folder.join(&rtl), rtl_text).unwrap();
    std::fs::write(folder.join(&bench), bench_text).unwrap();
    let arguments = format!("--cc --top-module {name} --Mdir built {rtl}");
    let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
    tool(folder, "verilator", &arguments);
    let mut arguments = compiler_arguments(root);
    arguments.extend([bench, "verilated.o".into(), "verilated_threads.o".into()]);
    for entry in std::fs::read_dir(folder.join("built")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        if file.starts_with(&format!("V{name}")) && path.extension().is_some_and(|e| e == "cpp") {
            arguments.push(format!("built/{file}"));
        }
    }
    arguments.extend([
        "-pthread".into(),
        "-latomic".into(),
        "-o".into(),
        name.into(),
    ]);
    tool(folder, "g++", &arguments);
    folder.join(name)
}

/// Runs a bench on the text of its vectors; what it found, and whether it ended well.
pub(crate) fn run(folder: &Path, binary: &Path, vectors: &str) -> (BenchReport, bool) {
    std::fs::write(folder.join("vectors.txt"), vectors).unwrap();
    let output = Command::new(binary)
        .arg(folder.join("vectors.txt"))
        .output()
        .unwrap();
    let report = parse_bench_report(&String::from_utf8_lossy(&output.stdout)).unwrap();
    (report, output.status.success())
}
