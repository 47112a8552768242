//! Costs of a trained network, from its actual weights (tier 1).

use crate::circuit::{BuildError, Circuit};
use crate::costs::{program_bops, program_ebops};
use crate::{Inventory, candidate_costs};
use bitfront_network::IntegerProgram;
use serde::{Deserialize, Serialize};

/// LUTs that one DSP block counts for in `lut_equivalent`, and its price where none is said.
pub const LUTS_PER_DSP: u32 = 55;

/// Everything a trained candidate is scored with besides accuracy. Estimates, all of them: what
/// synthesis measures stands in columns of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Bits of all kernels and biases; zero weights count fully.
    pub bits_parameters: u64,
    /// Bits of the input, of all activations and, for a softmax head, of the outputs (8 bits each, as
    /// the original has it). The paper's table leaves the input out.
    pub bits_activations: u64,
    /// Both together.
    pub bits: u64,
    /// Energy of one inference in pJ (45 nm model), corrected mode.
    pub energy_pj: f64,
    /// The same by the paper's rules.
    pub energy_qtools_0_8_pj: f64,
    /// The same by the rules of the original's last release.
    pub energy_qtools_0_9_pj: f64,
    /// Effective bit operations of the actual weights.
    pub ebops: f64,
    /// Bit operations by declared widths; absent in scores from before they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bops: Option<f64>,
    /// LUTs of the adder graph.
    pub lut_estimate: u64,
    /// Flip-flops, counted bit by bit.
    pub ff_estimate: u64,
    /// DSP blocks: one for each product that is not made of shifts and additions; none unless they are asked
    /// for.
    pub dsp_estimate: u64,
    /// Carry cells of four bits; absent in scores from before they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry_estimate: Option<u64>,
    /// Block RAMs: none, an unrolled circuit keeps its weights in its wiring and no row longer than its
    /// pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bram_estimate: Option<u64>,
    /// Cells on the longest path between registers, a carry cell counted like a LUT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels_estimate: Option<u32>,
    /// The fastest clock in MHz by the delay model. Modelled, not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fmax_estimate_mhz: Option<f64>,
    /// Clock edges from a row on the input bus to its logits; a new row enters with every edge.
    pub cycles: u32,
    /// The same in nanoseconds of the clock that the circuit is cut for. Modelled: the stages are cut by a
    /// delay model.
    pub latency_ns: f64,
    /// LUTs plus 55 for each DSP block.
    pub lut_equivalent: u64,
}

/// Costs of a trained network.
///
/// # Errors
/// [`BuildError`] for a layer that has no circuit.
pub fn program_costs(program: &IntegerProgram) -> Result<Costs, BuildError> {
    Ok(circuit_costs(program, &Circuit::build(program)?))
}

/// Costs of a trained network whose circuit is there already.
pub fn circuit_costs(program: &IntegerProgram, circuit: &Circuit) -> Costs {
    let before = candidate_costs(&program.candidate);
    let inventory = Inventory::of(circuit);
    let lut_estimate = inventory.lut_estimate();
    let dsp_estimate = inventory.dsp_blocks;
    let period_ns = f64::from(circuit.delays().period_ps) / 1e3;
    Costs {
        bits_parameters: before.bits_parameters,
        bits_activations: before.bits_activations,
        bits: before.bits,
        energy_pj: before.energy_pj,
        energy_qtools_0_8_pj: before.energy_qtools_0_8_pj,
        energy_qtools_0_9_pj: before.energy_qtools_0_9_pj,
        ebops: program_ebops(program),
        bops: Some(program_bops(program)),
        lut_estimate,
        ff_estimate: circuit.flip_flops(),
        dsp_estimate,
        carry_estimate: Some(circuit.carry_estimate()),
        bram_estimate: Some(0),
        levels_estimate: Some(circuit.levels_estimate()),
        fmax_estimate_mhz: Some(circuit.fmax_estimate_mhz()),
        cycles: circuit.cycles(),
        latency_ns: f64::from(circuit.cycles()) * period_ns,
        lut_equivalent: lut_estimate + u64::from(LUTS_PER_DSP) * dsp_estimate,
    }
}
