//! Costs of a trained network, from its actual weights (tier 1).

use crate::circuit::{BuildError, Circuit};
use crate::costs::{program_bops, program_ebops};
use crate::streamed::StreamedCircuit;
use crate::{Inventory, candidate_costs};
use bitfront_network::IntegerProgram;
use serde::{Deserialize, Serialize};

/// LUTs that one DSP block counts for in `lut_equivalent`, and its price where none is said: as in HGQ's rule of thumb that EBOPs
/// are about LUT + 55 DSP after placement and routing (Sun et al., arXiv 2405.00645).
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
    /// Clock edges from a row on the input bus to its logits; of a streamed circuit from a row's first beat to its last.
    pub cycles: u32,
    /// Clock cycles from a row to the next one, at the soonest: 1 of an unrolled circuit.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub initiation_interval: u64,
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
    let inventory = Inventory::of(circuit);
    let lut_estimate = inventory.lut_estimate();
    let dsp_estimate = inventory.dsp_blocks;
    Costs {
        lut_estimate,
        ff_estimate: circuit.flip_flops(),
        dsp_estimate,
        carry_estimate: Some(circuit.carry_estimate()),
        levels_estimate: Some(circuit.levels_estimate()),
        fmax_estimate_mhz: Some(circuit.fmax_estimate_mhz()),
        lut_equivalent: lut_estimate + u64::from(LUTS_PER_DSP) * dsp_estimate,
        ..of_network(program, circuit.cycles(), circuit.delays().period_ps)
    }
}

/// Costs of a trained network whose streamed circuit is there already.
pub fn streamed_costs(program: &IntegerProgram, circuit: &StreamedCircuit) -> Costs {
    let inventory = circuit.inventory();
    let lut_estimate = inventory.lut_estimate();
    let cycles = u32::try_from(circuit.latency()).unwrap_or(u32::MAX);
    Costs {
        lut_estimate,
        ff_estimate: inventory.flip_flops,
        dsp_estimate: inventory.dsp_blocks,
        carry_estimate: Some(circuit.carry_estimate()),
        levels_estimate: Some(circuit.levels_estimate()),
        fmax_estimate_mhz: Some(circuit.fmax_estimate_mhz()),
        initiation_interval: circuit.initiation_interval(),
        lut_equivalent: lut_estimate + u64::from(LUTS_PER_DSP) * inventory.dsp_blocks,
        ..of_network(program, cycles, circuit.period_ps())
    }
}

/// What the layout does not change, and the time of so many cycles.
fn of_network(program: &IntegerProgram, cycles: u32, period_ps: u32) -> Costs {
    let before = candidate_costs(&program.candidate);
    Costs {
        bits_parameters: before.bits_parameters,
        bits_activations: before.bits_activations,
        bits: before.bits,
        energy_pj: before.energy_pj,
        energy_qtools_0_8_pj: before.energy_qtools_0_8_pj,
        energy_qtools_0_9_pj: before.energy_qtools_0_9_pj,
        ebops: program_ebops(program),
        bops: Some(program_bops(program)),
        lut_estimate: 0,
        ff_estimate: 0,
        dsp_estimate: 0,
        carry_estimate: None,
        bram_estimate: Some(0),
        levels_estimate: None,
        fmax_estimate_mhz: None,
        cycles,
        initiation_interval: 1,
        latency_ns: f64::from(cycles) * (f64::from(period_ps) / 1e3),
        lut_equivalent: 0,
    }
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(count: &u64) -> bool {
    *count == 1
}
