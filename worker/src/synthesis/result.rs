//! What a synthesis job reports.

use std::collections::BTreeMap;

use bitfront_hardware::engine::Stage;
use serde::{Deserialize, Serialize};

/// The measured circuit of one trial, as it is stored and shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SynthesisResult {
    /// Engine: `yosys`, `yosys-nextpnr-ice40`, `yosys-nextpnr-ecp5`, `vivado`, `vitis-hls`.
    pub tool: String,
    /// Version of the program whose figures these are.
    pub tool_version: String,
    /// Version of each program that the engine ran.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tool_versions: BTreeMap<String, String>,
    /// Whether the engine was written from the tool's documentation and never run by this project.
    #[serde(default, skip_serializing_if = "is_false")]
    pub untested_on_the_tool: bool,
    /// Options that decide about the figures; empty in results from before they were stored apart.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub options: String,
    /// Part or device, where the engine places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Period of the clock that the circuit was cut for, in ps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_ps: Option<u32>,
    /// Worst slack against that clock in ns, where the engine tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_ns: Option<f64>,
    /// Highest clock in MHz, where the engine tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fmax_mhz: Option<f64>,
    /// Simulator, `verilator`.
    pub simulator: String,
    /// Its version.
    pub simulator_version: String,
    /// The synthesis command line, exactly; file names are those of the artifacts.
    pub command: String,
    /// How far the engine went: `estimate` (before synthesis, of the circuit that the vendor's tool makes), `synthesis` (mapped to
    /// cells, not placed) or `post_route`.
    pub stage: Stage,
    /// SHA-256 of the RTL.
    pub rtl_digest: String,
    /// SHA-256 of what runs the job again beside the RTL, by the kind of the artifact: `testbench`, `vectors`, `constraints` (of the
    /// clock), `script` (of the engine), and where the engine has them `pads` and `settings`. Absent in results from before they were kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// SHA-256 of the tool's report.
    pub report_digest: String,
    /// SHA-256 of the netlist; empty for an engine that leaves none to simulate.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub netlist_digest: String,
    /// LUTs of the engine's architecture: of one to six inputs in `UltraScale+`, of four in iCE40 and ECP5.
    pub lut_measured: u64,
    /// Flip-flops.
    pub ff_measured: u64,
    /// Carry cells as the tool placed them (CARRY4 in Yosys 0.23).
    pub carry_measured: u64,
    /// DSP blocks.
    pub dsp_measured: u64,
    /// Block RAMs of 36 Kb, a half one counted whole, where the engine tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bram_measured: Option<u64>,
    /// `UltraRAM`s, where the engine tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uram_measured: Option<u64>,
    /// Cells on the longest path between registers, where the engine tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<u32>,
    /// Cells by type, where the engine tells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cells: BTreeMap<String, u64>,
    /// Clock edges from inputs to outputs; for `vitis-hls` those of its own circuit.
    pub cycles: u32,
    /// Clock cycles from a row to the next one at the soonest, as simulated; absent where a row comes each cycle.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub initiation_interval: u64,
    /// LUT estimate of the same weights at the time, to be compared with `lut_measured`.
    pub lut_estimate: u64,
    /// Vectors simulated, all output bits equal to integer inference.
    pub vectors_checked: u64,
    /// Vectors simulated on the synthesised netlist, all output bits equal; 0 in results from before
    /// netlists were simulated.
    #[serde(default)]
    pub netlist_vectors_checked: u64,
    /// What ran the netlist: `bitfront` (the simulator of pipelines of `bitfront_hardware::netlist`), `bitfront-cycles` (the one
    /// clock by clock, for loops through registers), or `verilator`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub netlist_simulator: String,
    /// Seed of the random ones among the vectors.
    #[serde(default)]
    pub vectors_seed: u64,
    /// SHA-256 of the cells' behaviour that the netlist was simulated with, or that the simulator's is held against.
    #[serde(default)]
    pub cells_digest: String,
    /// CPU seconds of the synthesis tool, as it reports them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<f64>,
    /// Peak memory of the synthesis tool in KiB, as it reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_rss_kib: Option<u64>,
    /// Wall time of the whole job in seconds.
    pub wall_s: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(count: &u64) -> bool {
    *count == 1
}
