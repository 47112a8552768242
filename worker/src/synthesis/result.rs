//! What a synthesis job reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The measured circuit of one trial, as it is stored and shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SynthesisResult {
    /// Synthesis tool, `yosys`.
    pub tool: String,
    /// Its version.
    pub tool_version: String,
    /// Simulator, `verilator`.
    pub simulator: String,
    /// Its version.
    pub simulator_version: String,
    /// The synthesis command line, exactly; file names are those of the artifacts.
    pub command: String,
    /// How far the tool went: `synthesis` (mapped to cells, not placed).
    pub stage: String,
    /// SHA-256 of the RTL.
    pub rtl_digest: String,
    /// SHA-256 of the tool's report.
    pub report_digest: String,
    /// SHA-256 of the netlist.
    pub netlist_digest: String,
    /// LUTs of one to six inputs.
    pub lut_measured: u64,
    /// Flip-flops.
    pub ff_measured: u64,
    /// Carry cells as the tool placed them (CARRY4 in Yosys 0.23).
    pub carry_measured: u64,
    /// DSP blocks.
    pub dsp_measured: u64,
    /// Cells on the longest path between registers.
    pub levels: u32,
    /// Cells by type.
    pub cells: BTreeMap<String, u64>,
    /// Clock edges from inputs to outputs.
    pub cycles: u32,
    /// LUT estimate of the same weights at the time, to be compared with `lut_measured`.
    pub lut_estimate: u64,
    /// Vectors simulated, all output bits equal to integer inference.
    pub vectors_checked: u64,
    /// Vectors simulated on the synthesised netlist, all output bits equal; 0 in results from before
    /// netlists were simulated.
    #[serde(default)]
    pub netlist_vectors_checked: u64,
    /// Seed of the random ones among the vectors.
    #[serde(default)]
    pub vectors_seed: u64,
    /// SHA-256 of the cells' behaviour that the netlist was simulated with.
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
