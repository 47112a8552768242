//! The larger of two numbers in Verilog.

use super::expression::{extended, net};
use crate::circuit::{Circuit, Node, Operand, Wire};

/// A subtraction of both operands whose borrow selects.
pub(crate) fn maximum(
    circuit: &Circuit,
    wire: Wire,
    node: &Node,
    left: Operand,
    right: Operand,
) -> String {
    let (text, borrow) = difference(circuit, wire, left, right);
    format!(
        "{text}  wire [{}:0] {} = {borrow} ? {} : {};\n",
        node.width() - 1,
        net(wire),
        extended(circuit, right, node.width()),
        extended(circuit, left, node.width()),
    )
}

/// A subtraction of both operands at a common width, and its borrow, which is set where `left < right`. Sign bits are
/// inverted, so that an unsigned subtraction orders them. (Written as a comparison, synthesis leaves the carry chain
/// and takes a third more LUTs.)
pub(crate) fn difference(
    circuit: &Circuit,
    wire: Wire,
    left: Operand,
    right: Operand,
) -> (String, String) {
    let name = net(wire);
    let from = |operand: Operand| circuit.node(operand.wire);
    let signed = from(left).is_signed() || from(right).is_signed();
    // An unsigned number among signed ones needs a sign bit.
    let bits = |operand: Operand| {
        let more = u32::from(signed && !from(operand).is_signed());
        from(operand).width() + operand.shift + more
    };
    let width = bits(left).max(bits(right));
    let high = width - 1;
    let ordered = |side: &str| match (signed, width) {
        (false, _) => format!("{name}_{side}"),
        (true, 1) => format!("~{name}_{side}"),
        (true, _) => format!("{{~{name}_{side}[{high}], {name}_{side}[{}:0]}}", high - 1),
    };
    let text = format!(
        "  wire [{high}:0] {name}_a = {};\n  wire [{high}:0] {name}_b = {};\n  \
         wire [{width}:0] {name}_d = {{1'b0, {}}} - {{1'b0, {}}};\n",
        extended(circuit, left, width),
        extended(circuit, right, width),
        ordered("a"),
        ordered("b"),
    );
    (text, format!("{name}_d[{width}]"))
}
