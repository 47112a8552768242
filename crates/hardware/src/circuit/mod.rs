//! Circuits: a trained network as a graph of adders, multipliers, maxima, requantizers, step functions, tables and
//! registers.
//!
//! A [`Circuit`] is a list of [`Node`]s in single-assignment order. Every node carries the exact
//! interval of its integers, so widths are derived and nothing overflows. The constant
//! matrix of a step is one graph of shared adders ([`crate::adder_graph`]), biases among its inputs; zero weights vanish and
//! powers of two are wires.
//! Convolutions are unrolled: every output position has adders of its own. A frozen scale multiplies
//! the finished sum, digit by digit.
//!
//! The rule this module keeps: [`Circuit::evaluate`] equals integer inference on every input in
//! range, and [`Circuit::check_against`] proves it from the graph alone. A circuit that is built within ranges of data
//! ([`Observed`]), which is asked for, keeps it on every row that stays within them.

mod activation;
mod adders;
mod arg_max;
mod bits;
mod build;
mod carries;
mod delay;
mod digits;
mod evaluate;
mod linear_form;
mod linear_map;
mod live;
mod maximum;
mod movement;
mod multiplier;
mod node;
mod observed;
mod output;
mod pipeline;
mod product;
mod proof;
mod ranges;
mod recover;
mod registers;
mod requantizer;
mod softmax;
mod softmax_proof;
mod steps;
mod table;
mod timing;

pub use build::{BuildError, BuildOptions};
pub use delay::DelayModel;
pub use digits::{Digit, signed_digits};
pub use multiplier::Multipliers;
pub(crate) use multiplier::{fits_block, is_mapped_to_block};
pub use node::{Node, Operand, Operation, Port, Wire};
pub use observed::{Observed, Ranges};
pub use output::OutputForm;
pub use proof::CircuitMismatch;
pub use recover::Coefficients;
pub(crate) use requantizer::Requantizer;
pub(crate) use table::{Selected, Table, TableCells};

use node::StepMark;
use softmax::SoftmaxMark;

/// A fully unrolled, pipelined circuit with an initiation interval of one.
///
/// Inputs and outputs are registered; the outputs are the logit codes, or what is made of them ([`OutputForm`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Circuit {
    nodes: Vec<Node>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    output_operands: Vec<Operand>,
    steps: Vec<StepMark>,
    cycles: u32,
    delays: DelayModel,
    multipliers: Multipliers,
    output: OutputForm,
    /// Whether it has flags of valid rows.
    valid: bool,
    /// Where the parts of a softmax are.
    softmax: Option<Box<SoftmaxMark>>,
    /// Ranges of the data that sums were narrowed to.
    observed: Option<Observed>,
}

impl Circuit {
    /// Where the ranges of its sums are from.
    pub fn ranges(&self) -> Ranges {
        match self.observed {
            None => Ranges::Proven,
            Some(_) => Ranges::Data,
        }
    }

    /// Nodes; each one's operands stand before it.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A node by its wire.
    pub fn node(&self, wire: Wire) -> &Node {
        &self.nodes[wire.0 as usize]
    }

    /// Input words, first feature first, as they lie on the packed input bus.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// Output words, first logit first, as they lie on the packed output bus.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// What drives each output: a registered wire and its left shift.
    pub fn output_operands(&self) -> &[Operand] {
        &self.output_operands
    }

    /// Bits of the packed input bus.
    pub fn input_bits(&self) -> u32 {
        self.inputs.iter().map(|port| port.width).sum()
    }

    /// Bits of the packed output bus.
    pub fn output_bits(&self) -> u32 {
        self.outputs.iter().map(|port| port.width).sum()
    }

    /// Clock edges from a row on the input bus to its logits on the output bus: the edge that takes
    /// the row is the first, and after the last the logits are there.
    pub fn cycles(&self) -> u32 {
        self.cycles
    }

    /// The delays, and the clock, that registers were placed by.
    pub fn delays(&self) -> &DelayModel {
        &self.delays
    }

    /// What the output bus carries.
    pub fn output(&self) -> OutputForm {
        self.output
    }

    /// Whether it has `in_valid`, which comes out as `out_valid` [`Circuit::cycles`] edges later, and `rst`, which clears what is
    /// between.
    pub fn has_valid(&self) -> bool {
        self.valid
    }

    /// What products were to be made of.
    pub fn multipliers(&self) -> Multipliers {
        self.multipliers
    }

    /// Which adders are to be kept whole by synthesis.
    pub(crate) fn whole_sums(&self) -> Vec<bool> {
        live::whole_sums(self)
    }

    /// Number of steps: one a layer, two a separable convolution.
    pub fn step_count(&self) -> usize {
        self.steps.len()
    }
}
