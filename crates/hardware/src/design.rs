//! A network's circuit in the layout that was chosen: unrolled or streamed.

use bitfront_network::{Candidate, IntegerProgram};
use serde::{Deserialize, Serialize};

use crate::Costs;
use crate::circuit::{BuildError, BuildOptions, Circuit, CircuitMismatch, Multipliers, Observed};
use crate::netlist::{Netlist, NetlistError, simulate, simulate_by_cycles, simulate_streamed};
use crate::program_costs::{circuit_costs, streamed_costs};
use crate::streamed::{self, StreamOptions, StreamedCircuit};
use crate::verilog::{self, BenchReport};

/// How a network is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Layout {
    /// Adders of its own for every output position of every layer; a row each clock cycle.
    #[default]
    Unrolled,
    /// Position by position through line buffers, with shared multipliers.
    Streamed {
        /// Cycles that each multiplier of a dense layer is used in for a row, at least 1.
        reuse: u32,
    },
}

/// How a network's circuit is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DesignOptions {
    /// How it is laid out.
    pub layout: Layout,
    /// How the circuit is built, or those of single positions are.
    pub circuit: BuildOptions,
}

/// A network's circuit.
#[derive(Clone, Debug)]
pub enum Design {
    /// Unrolled.
    Unrolled(Circuit),
    /// Streamed.
    Streamed(StreamedCircuit),
}

/// Which simulator ran a netlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetlistSimulator {
    /// That of pipelines.
    Pipelines,
    /// The one clock by clock.
    Cycles,
}

impl Layout {
    /// Whether networks of this candidate can be laid out so, as far as it can be told without their weights.
    ///
    /// # Errors
    /// The layer in the way.
    pub fn check(self, candidate: &Candidate) -> Result<(), BuildError> {
        match self {
            Self::Unrolled => Ok(()),
            Self::Streamed { reuse } => streamed::check(candidate, reuse),
        }
    }
}

impl Design {
    /// The circuit of a program. A streamed one is proven as it is built.
    ///
    /// # Errors
    /// [`BuildError`] for what has no circuit in this layout.
    pub fn build(program: &IntegerProgram, options: &DesignOptions) -> Result<Self, BuildError> {
        match options.layout {
            Layout::Unrolled => Circuit::build_with(program, &options.circuit).map(Self::Unrolled),
            Layout::Streamed { reuse } => {
                let circuit = options.circuit;
                StreamedCircuit::build(program, &StreamOptions { reuse, circuit })
                    .map(Self::Streamed)
            }
        }
    }

    /// The circuit of a program within ranges of data, where there are any ([`Circuit::build_within`]).
    ///
    /// # Errors
    /// As [`Design::build`]; streamed circuits take no such ranges.
    pub fn build_within(
        program: &IntegerProgram,
        options: &DesignOptions,
        observed: Option<&Observed>,
    ) -> Result<Self, BuildError> {
        match (options.layout, observed) {
            (Layout::Unrolled, Some(observed)) => {
                Circuit::build_within(program, &options.circuit, observed).map(Self::Unrolled)
            }
            _ => Self::build(program, options),
        }
    }

    /// Proves the circuit from its graph, or its stages, alone.
    ///
    /// # Errors
    /// The first difference.
    pub fn check_against(&self, program: &IntegerProgram) -> Result<(), CircuitMismatch> {
        match self {
            Self::Unrolled(circuit) => circuit.check_against(program),
            Self::Streamed(circuit) => circuit.check_against(program),
        }
    }

    /// The output codes of one row of input codes.
    pub fn evaluate(&self, row: &[i64]) -> Vec<i64> {
        match self {
            Self::Unrolled(circuit) => circuit.evaluate(row),
            Self::Streamed(circuit) => circuit.evaluate(row),
        }
    }

    /// What the program's network costs in this circuit.
    pub fn costs(&self, program: &IntegerProgram) -> Costs {
        match self {
            Self::Unrolled(circuit) => circuit_costs(program, circuit),
            Self::Streamed(circuit) => streamed_costs(program, circuit),
        }
    }

    /// Plain Verilog-2001 of the module.
    pub fn verilog(&self, module: &str) -> String {
        match self {
            Self::Unrolled(circuit) => verilog::emit(circuit, module),
            Self::Streamed(circuit) => circuit.verilog(module),
        }
    }

    /// The C++ test bench of the module, which checks the cycles too.
    pub fn test_bench(&self, module: &str) -> String {
        match self {
            Self::Unrolled(circuit) => verilog::test_bench(circuit, module),
            Self::Streamed(circuit) => circuit.test_bench(module),
        }
    }

    /// The test bench's vectors.
    pub fn vectors_file(&self, inputs: &[i64], expected: &[i64]) -> String {
        match self {
            Self::Unrolled(circuit) => verilog::vectors_file(circuit, inputs, expected),
            Self::Streamed(circuit) => circuit.vectors_file(inputs, expected),
        }
    }

    /// Runs rows through a synthesised netlist, by the simulator of pipelines where it has no loop.
    ///
    /// # Errors
    /// [`NetlistError`] for other ports than the circuit's, undriven bits, other clocks, and loops without a register.
    pub fn simulate_netlist(
        &self,
        netlist: &Netlist,
        inputs: &[i64],
        expected: &[i64],
    ) -> Result<(BenchReport, NetlistSimulator), NetlistError> {
        let by_cycles = match self {
            Self::Unrolled(circuit) => match simulate(netlist, circuit, inputs, expected) {
                Err(NetlistError::Loop(_)) if !circuit.has_valid() => {
                    simulate_by_cycles(netlist, circuit, inputs, expected)
                }
                report => return Ok((report?, NetlistSimulator::Pipelines)),
            },
            Self::Streamed(circuit) => simulate_streamed(netlist, circuit, inputs, expected),
        };
        Ok((by_cycles?, NetlistSimulator::Cycles))
    }

    /// Clock edges from a row on the input bus, or its first beat, to its last outputs.
    pub fn cycles(&self) -> u32 {
        match self {
            Self::Unrolled(circuit) => circuit.cycles(),
            Self::Streamed(circuit) => u32::try_from(circuit.latency()).unwrap_or(u32::MAX),
        }
    }

    /// Clock cycles from a row to the next one, at the soonest.
    pub fn initiation_interval(&self) -> u64 {
        match self {
            Self::Unrolled(_) => 1,
            Self::Streamed(circuit) => circuit.initiation_interval(),
        }
    }

    /// Words that the circuit gives of a row, all beats of a streamed one together.
    pub fn output_words(&self) -> usize {
        match self {
            Self::Unrolled(circuit) => circuit.outputs().len(),
            Self::Streamed(circuit) => circuit.outputs().len() * circuit.output_beats(),
        }
    }

    /// Bits of the packed input bus: of a row, or of a beat.
    pub fn input_bits(&self) -> u32 {
        match self {
            Self::Unrolled(circuit) => circuit.input_bits(),
            Self::Streamed(circuit) => circuit.inputs().iter().map(|port| port.width).sum(),
        }
    }

    /// Bits of the packed output bus.
    pub fn output_bits(&self) -> u32 {
        match self {
            Self::Unrolled(circuit) => circuit.output_bits(),
            Self::Streamed(circuit) => circuit.outputs().iter().map(|port| port.width).sum(),
        }
    }

    /// Period of the clock that it was cut for, in ps.
    pub fn period_ps(&self) -> u32 {
        match self {
            Self::Unrolled(circuit) => circuit.delays().period_ps,
            Self::Streamed(circuit) => circuit.period_ps(),
        }
    }

    /// Whether flags of valid rows stand beside the circuit's buses; a streamed one's are part of its protocol.
    pub fn has_valid(&self) -> bool {
        match self {
            Self::Unrolled(circuit) => circuit.has_valid(),
            Self::Streamed(_) => false,
        }
    }

    /// What products were to be made of.
    pub fn multipliers(&self) -> Multipliers {
        match self {
            Self::Unrolled(circuit) => circuit.multipliers(),
            Self::Streamed(circuit) => circuit.made_of(),
        }
    }
}
