//! Streamed circuits: networks too large to be unrolled, position by position through line buffers,
//! with multipliers that are shared over the clock cycles of a row.
//!
//! A [`StreamedCircuit`] is a chain of stages. Between two stages runs a stream of *beats*: the
//! channels of one position side by side, with a valid bit, positions row-major. Three kinds of stage
//! make one beat of another:
//!
//! - a *window* keeps the last rows of its input in a shift register, and hands the elements under
//!   each output position, zeros for the border, to a fully pipelined [`Circuit`] of that one position;
//! - a *pointwise* stage is such a circuit alone, for every beat;
//! - a *shared* stage is a dense layer whose products are spread over time: over the beats of a flattened
//!   image, or over `reuse` parts of a single beat. Its weights stand in a table by beat; it multiplies
//!   and accumulates, and a circuit finishes the sums.
//!
//! Nothing ever waits inside: a window pushes zeros by itself after an image's last beat, and the module
//! takes no new image for [`StreamedCircuit::gap`] cycles, a number that [`schedule`] derives.
//!
//! The rule this module keeps: [`StreamedCircuit::evaluate`] has the same index arithmetic as the
//! Verilog and equals integer inference on every row, and the cycles that are said are those of a
//! simulation; every table, window and circuit of a position has the program's constants, recomputed from the stages.

mod bench;
mod build;
mod check;
mod core;
mod costs;
mod evaluate;
mod paths;
mod product_luts;
mod products;
mod proof;
mod schedule;
mod shared;
mod shared_verilog;
mod verilog;
mod window;

use bitfront_network::Interval;

use crate::circuit::{Circuit, Multipliers, Port};

pub use build::StreamOptions;
pub(crate) use check::check;
pub use costs::StreamInventory;

use self::shared::Shared;
use self::window::Window;

/// A chain of stages that takes an image or row beat by beat.
#[derive(Clone, Debug)]
pub struct StreamedCircuit {
    stages: Vec<Stage>,
    /// Words of an input beat.
    inputs: Vec<Port>,
    /// Beats of an input row.
    beats: usize,
    /// Beats of an output row.
    output_beats: usize,
    /// How it was built.
    options: StreamOptions,
    gap: u64,
    latency: u64,
}

#[derive(Clone, Debug)]
struct Stage {
    /// What makes the beats of the core's input.
    front: Front,
    /// What computes on one beat.
    core: Circuit,
    /// Beats that the core sees for a row.
    beats: usize,
}

#[derive(Clone, Debug)]
enum Front {
    /// The beats themselves.
    Pointwise,
    /// Elements under a window.
    Window(Window),
    /// Sums of products over time.
    Shared(Shared),
}

impl StreamedCircuit {
    /// Words of an input beat, the first channel in the lowest bits.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// Words of an output beat.
    pub fn outputs(&self) -> &[Port] {
        self.stages.last().map_or(&[], |stage| stage.core.outputs())
    }

    /// Beats of an input row: positions of an image, 1 for features.
    pub fn beats(&self) -> usize {
        self.beats
    }

    /// Beats of an output row.
    pub fn output_beats(&self) -> usize {
        self.output_beats
    }

    /// Clock cycles after a row's last beat in which none is taken.
    pub fn gap(&self) -> u64 {
        self.gap
    }

    /// Clock cycles from a row's first beat to the next row's, at the soonest.
    pub fn initiation_interval(&self) -> u64 {
        self.beats as u64 + self.gap
    }

    /// Clock edges from a row's first beat on the input bus to its last beat on the output bus, when the
    /// beats come without a pause.
    pub fn latency(&self) -> u64 {
        self.latency
    }

    /// Period in ps of the clock that the circuits of single positions are cut for.
    pub fn period_ps(&self) -> u32 {
        self.options.circuit.delays.period_ps
    }

    /// What its products were to be made of.
    pub fn made_of(&self) -> Multipliers {
        self.options.circuit.multipliers
    }

    /// Multipliers that are shared over time.
    pub fn multipliers(&self) -> usize {
        let of = |stage: &Stage| match &stage.front {
            Front::Shared(shared) => shared.multipliers(),
            _ => 0,
        };
        self.stages.iter().map(of).sum()
    }
}

/// `value` extended to hold zero.
fn with_zero(range: Interval) -> Interval {
    range.hull(Interval::point(0))
}
