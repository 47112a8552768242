//! A product by a constant, as synthesis finds it for a DSP block.

use super::expression::{extended, literal, net};
use crate::circuit::{Circuit, Node, Operand, Wire};

/// Both factors are as wide as the product, so that no tool has to extend one by rules of its own, and signed: a
/// DSP block has no other multiplier. Yosys takes off the repeated signs again.
/// The attribute is for Vivado, which makes small products of LUTs where it is not told.
pub(crate) fn multiplier(
    circuit: &Circuit,
    wire: Wire,
    node: &Node,
    source: Wire,
    factor: i64,
) -> String {
    let width = node.width();
    let operand = Operand {
        wire: source,
        shift: 0,
    };
    let variable = extended(circuit, operand, width);
    format!(
        "  (* use_dsp = \"yes\" *) wire [{}:0] {};\n  assign {1} = $signed({variable}) * $signed({});\n",
        width - 1,
        net(wire),
        literal(width, factor)
    )
}
