//! The parts of a circuit.

use super::build::shifted;
use super::linear_map::Step;
use bitfront_network::Interval;
use bitfront_quantizer::Modes;

/// A node's result, by the node's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wire(pub u32);

/// A wire shifted left, which takes no logic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operand {
    /// The wire.
    pub wire: Wire,
    /// Zero bits appended on the right.
    pub shift: u32,
}

/// What a node does.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A word of the input bus.
    Input {
        /// Its number.
        index: usize,
    },
    /// A constant; takes no logic and needs no register.
    Constant {
        /// The value.
        value: i64,
    },
    /// `left + right` or `left - right`. One of the two shifts is zero.
    Add {
        /// First operand.
        left: Operand,
        /// Second operand.
        right: Operand,
        /// Whether the second is subtracted.
        subtract: bool,
    },
    /// `source * factor`, in a DSP block.
    Multiply {
        /// The variable.
        source: Wire,
        /// Odd and at least 3.
        factor: i64,
    },
    /// `source * 2^-right_shift`, rounded and fitted into the range.
    Requantize {
        /// The accumulator.
        source: Wire,
        /// Bits dropped on the right; negative: zero bits appended.
        right_shift: i32,
        /// Codes of the quantizer.
        range: Interval,
        /// How sums are rounded and fitted, simplified for the source's interval.
        modes: Modes,
    },
    /// `codes[number of thresholds <= source]`; thresholds ascending, none of them decided by the
    /// source's interval.
    Steps {
        /// The accumulator.
        source: Wire,
        /// Ascending.
        thresholds: Vec<i64>,
        /// One more than there are thresholds.
        codes: Vec<i64>,
    },
    /// `codes[(source >> dropped) - first]`: any function of a source of few bits.
    Table {
        /// The accumulator.
        source: Wire,
        /// Bits on the right that the function does not read.
        dropped: u32,
        /// `source >> dropped` of the first code: the least that occurs.
        first: i64,
        /// A code for each `source >> dropped` that occurs.
        codes: Vec<i64>,
    },
    /// The larger of the two. One of the two shifts is zero.
    Max {
        /// First operand.
        left: Operand,
        /// Second operand.
        right: Operand,
    },
    /// Whether `left >= right`: 1 or 0.
    AtLeast {
        /// First operand.
        left: Operand,
        /// Second operand.
        right: Operand,
    },
    /// `high` where `chosen` is 1, else `low`.
    Select {
        /// One bit.
        chosen: Wire,
        /// Taken where it is 1.
        high: Operand,
        /// Taken where it is 0.
        low: Operand,
    },
    /// Two bits of `multiplier`, from `bit` on, times a number: 0, `once`, twice that or `thrice`. Nothing here is ever
    /// negative.
    Digit {
        /// What chooses.
        multiplier: Wire,
        /// Its lower bit that is read.
        bit: u32,
        /// The number.
        once: Operand,
        /// Three times the number; read only where both bits may be set.
        thrice: Operand,
    },
    /// The source, one clock later.
    Register {
        /// What is kept.
        source: Wire,
    },
}

/// One node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it does.
    pub operation: Operation,
    /// Exact interval of its integers.
    pub range: Interval,
    /// Bits right of the binary point: value = integer * 2^-fraction. An adder that several sums share
    /// has the fraction of the first.
    pub fraction: i32,
    /// Number of registers between the input bus and this node.
    pub stage: u32,
    /// The step it belongs to: layers in order, the two steps of a separable convolution counted each.
    pub layer: u32,
}

impl Node {
    /// Bits of the wire, two's complement where the interval has negative values; at least 1.
    pub fn width(&self) -> u32 {
        self.range.width().max(1)
    }

    /// Whether the wire is two's complement.
    pub fn is_signed(&self) -> bool {
        self.range.is_signed()
    }
}

impl Operation {
    /// The wires it reads.
    pub fn sources(&self) -> impl Iterator<Item = Wire> {
        let (first, second, third) = match self {
            Self::Input { .. } | Self::Constant { .. } => (None, None, None),
            Self::Add { left, right, .. }
            | Self::Max { left, right }
            | Self::AtLeast { left, right } => (Some(left.wire), Some(right.wire), None),
            Self::Select { chosen, high, low } => (Some(*chosen), Some(high.wire), Some(low.wire)),
            Self::Digit {
                multiplier,
                once,
                thrice,
                ..
            } => (Some(*multiplier), Some(once.wire), Some(thrice.wire)),
            Self::Multiply { source, .. }
            | Self::Requantize { source, .. }
            | Self::Steps { source, .. }
            | Self::Table { source, .. }
            | Self::Register { source } => (Some(*source), None, None),
        };
        first.into_iter().chain(second).chain(third)
    }

    /// The same operation on other wires.
    pub(crate) fn rewired(&self, mut rewire: impl FnMut(Wire) -> Wire) -> Self {
        let mut moved = self.clone();
        match &mut moved {
            Self::Input { .. } | Self::Constant { .. } => {}
            Self::Add { left, right, .. }
            | Self::Max { left, right }
            | Self::AtLeast { left, right } => {
                left.wire = rewire(left.wire);
                right.wire = rewire(right.wire);
            }
            Self::Select { chosen, high, low } => {
                *chosen = rewire(*chosen);
                high.wire = rewire(high.wire);
                low.wire = rewire(low.wire);
            }
            Self::Digit {
                multiplier,
                once,
                thrice,
                ..
            } => {
                *multiplier = rewire(*multiplier);
                once.wire = rewire(once.wire);
                thrice.wire = rewire(thrice.wire);
            }
            Self::Multiply { source, .. }
            | Self::Requantize { source, .. }
            | Self::Steps { source, .. }
            | Self::Table { source, .. }
            | Self::Register { source } => *source = rewire(*source),
        }
        moved
    }
}

/// A word on a packed bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Position of its lowest bit on the bus.
    pub low_bit: u32,
    /// Bits, two's complement where the range has negative values.
    pub width: u32,
    /// Range of the codes.
    pub range: Interval,
    /// Bits right of the binary point.
    pub fraction: i32,
}

impl Port {
    /// Words laid out one after the other, the first in the lowest bits.
    pub(crate) fn pack(words: impl Iterator<Item = (Interval, i32)>) -> Vec<Self> {
        let mut low_bit = 0;
        words
            .map(|(range, fraction)| {
                let width = range.width().max(1);
                let port = Self {
                    low_bit,
                    width,
                    range,
                    fraction,
                };
                low_bit += width;
                port
            })
            .collect()
    }
}

/// Where a step lies in the graph: the evidence that its function is recovered from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StepMark {
    /// Index of its layer.
    pub(crate) layer: usize,
    /// Which of the layer's steps.
    pub(crate) step: Step,
    /// The steps it reads; `None` is the network's input.
    pub(crate) sources: Vec<Option<usize>>,
    /// What carries each input element; `None` where nothing reads it.
    pub(crate) inputs: Vec<Option<Value>>,
    /// What carries each output element; `None` where nothing reads it.
    pub(crate) outputs: Vec<Option<Value>>,
}

impl Value {
    /// The value shifted left.
    pub(crate) fn shifted(self, shift: u32) -> Self {
        match self {
            Self::Constant(code) => Self::Constant(code << shift),
            Self::Wire(operand) => Self::Wire(Operand {
                shift: operand.shift + shift,
                ..operand
            }),
        }
    }

    /// What it may be.
    pub(crate) fn range(self, nodes: &[Node]) -> Interval {
        match self {
            Self::Constant(code) => Interval::point(code),
            Self::Wire(Operand { wire, shift }) => shifted(nodes[wire.0 as usize].range, shift),
        }
    }

    /// A wire with it: its own, or that of a constant's node, which belongs to step `layer`.
    pub(crate) fn operand(self, nodes: &mut Vec<Node>, layer: u32, fraction: i32) -> Operand {
        match self {
            Self::Wire(operand) => operand,
            Self::Constant(value) => {
                let range = Interval::point(value);
                let operation = Operation::Constant { value };
                let wire = Node::push(nodes, layer, operation, range, fraction);
                Operand { wire, shift: 0 }
            }
        }
    }
}

impl Node {
    /// Appends a node of step `layer`; registers come later.
    pub(crate) fn push(
        nodes: &mut Vec<Self>,
        layer: u32,
        operation: Operation,
        range: Interval,
        fraction: i32,
    ) -> Wire {
        let wire = Wire(nodes.len() as u32);
        nodes.push(Self {
            operation,
            range,
            fraction,
            stage: 0,
            layer,
        });
        wire
    }
}

/// A tensor element in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Known already.
    Constant(i64),
    /// On a wire.
    Wire(Operand),
}
