//! Runs Yosys on a module, as a synthesis job does.

use bitfront_hardware::circuit::Multipliers;
use bitfront_hardware::synthesis_report::{SynthesisReport, parse, yosys_script};
use std::path::Path;
use std::process::Command;

/// What Yosys counts in a module, and the netlist that it writes.
pub(crate) fn synthesise(
    folder: &Path,
    name: &str,
    rtl: &str,
    multipliers: Multipliers,
) -> (SynthesisReport, String) {
    std::fs::write(folder.join("rtl.v"), rtl).unwrap();
    let script = yosys_script(multipliers, "rtl.v", name, "stat.txt", "ltp.txt");
    let script = script + "; check -assert; splitnets; write_verilog -noattr netlist.v";
    let output = Command::new("yosys")
        .args(["-q", "-p", &script])
        .current_dir(folder)
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {log}");
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    let with_dsps = multipliers != Multipliers::Luts;
    let counted = parse(&read("stat.txt"), &read("ltp.txt"), with_dsps).unwrap();
    (counted, read("netlist.v"))
}
