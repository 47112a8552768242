//! A synthesised netlist simulated without a compiler: every net is the row of its bits over time.
//!
//! A netlist of mapped cells is a large program and a short run: a simulator that compiles spends
//! minutes and gigabytes on a dense network and then runs for a moment. Two simulators read the same text:
//!
//! * [`simulate`] for pipelines, which have no loop, not even through registers: cells stand in an order in which each
//!   one's whole history can be computed from those before it, 64 clocks an operation.
//! * [`simulate_streamed`] and [`simulate_by_cycles`] for whatever has its loops through registers, as the counters of
//!   a streamed circuit: clock by clock, 256 streams of rows an operation.
//!
//! The rule this module keeps: it reads the text that is stored, and whatever it does not know (a cell,
//! a second clock, an undriven net, a loop) is an error, never a guess. Its cells are held against
//! [`cells`](crate::verilog::cells) of their family, which are proved equal to those of the synthesis tool; the tool has no
//! behaviour of a DSP block, so the one setting that netlists have is held by simulation against a
//! second model, which like the first is written from general knowledge of the block.

mod cycles;
mod dsp;
mod family;
mod order;
mod parse;
mod simulate;
mod stream;

#[cfg(test)]
mod tests;

pub use parse::parse;
pub use simulate::simulate;
pub use stream::{simulate_by_cycles, simulate_streamed};

use std::collections::HashMap;

/// A bit of the netlist by its number; [`ZERO`] and [`ONE`] are the constants.
type Bit = u32;
const ZERO: Bit = 0;
const ONE: Bit = 1;
/// An undefined constant: accepted where nothing reads it.
const UNDEFINED: Bit = 2;

/// A flat module of mapped cells.
#[derive(Clone, Debug)]
pub struct Netlist {
    cells: Vec<Cell>,
    /// What each bit is another name of; itself for those that are none.
    same_as: Vec<Bit>,
    /// Names of bits, for messages.
    names: Vec<String>,
    /// Bits of each input port by its name, lowest first.
    inputs: HashMap<String, Vec<Bit>>,
    /// Likewise of each output port.
    outputs: HashMap<String, Vec<Bit>>,
}

/// An instance of a cell.
#[derive(Clone, Debug)]
struct Cell {
    kind: Kind,
    /// In the order of [`Kind`]'s description.
    inputs: Vec<Bit>,
    /// Likewise; open ones are bits that nobody reads.
    outputs: Vec<Bit>,
}

/// What a cell does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Inputs `I0..`, output `O`: bit `I5 I4 .. I0` of the table.
    Lut { table: u64 },
    /// Input `I`, output `O`.
    Inverter,
    /// Inputs `I0 I1 S`, output `O`.
    Multiplexer,
    /// Inputs carry-in, second carry-in, `S0.. DI0..`; outputs `O0.. CO0..`.
    Carry { bits: usize },
    /// Inputs `A0..A26 B0..B17`, outputs `P0..P47`: a DSP48E2 as a multiplier without registers.
    Multiplier,
    /// Inputs `C CE D R` (or `S`), output `Q`. `set`: the fourth input sets, it resets otherwise.
    FlipFlop { set: bool, initial: Option<bool> },
}

/// Why a netlist is not simulated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetlistError {
    /// The text is not what Yosys writes.
    #[error("netlist line {line}: found {found:?} where {expected} is accepted")]
    Text {
        /// From 1.
        line: usize,
        /// What stands there.
        found: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// A cell whose behaviour is not known here.
    #[error(
        "cell {cell}: accepted are LUT1-6, INV, MUXF7-9, CARRY4, CARRY8 (one carry), GND, VCC, FDRE and FDSE without inverted pins, \
         and DSP48E2 as a multiplier without registers; of iCE40 SB_LUT4, SB_CARRY, SB_DFF and with E, SR, SS, ESR or ESS; \
         of ECP5 LUT4, PFUMX, L6MUX21, CCU2C (both carries) and TRELLIS_FF (rising edge, no global reset, reset before enable)"
    )]
    Cell {
        /// Its type, or type and parameter.
        cell: String,
    },
    /// Something reads a bit that nothing drives.
    #[error("net {0} is read and not driven")]
    Undriven(String),
    /// Two things drive one bit.
    #[error("net {0} is driven twice")]
    DrivenTwice(String),
    /// A clock other than `clk`.
    #[error("a flip-flop's clock is {0}: accepted is clk")]
    Clock(String),
    /// A bit that depends on itself, where a pipeline is accepted.
    #[error("net {0} depends on itself: accepted is a pipeline")]
    Loop(String),
    /// A bit that depends on itself within a clock cycle.
    #[error("net {0} depends on itself without a register: accepted are loops through registers")]
    CombinationalLoop(String),
    /// The ports are not those of the circuit.
    #[error("port {port} has {found} bits, the circuit's has {expected}")]
    Port {
        /// Its name.
        port: &'static str,
        /// Bits in the netlist.
        found: usize,
        /// Bits of the circuit.
        expected: usize,
    },
}
