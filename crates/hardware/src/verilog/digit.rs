//! Multiples of a number by two bits of another in Verilog.

use super::expression::{extended, literal, net, window};
use crate::circuit::{Circuit, Node, Operand, Operation, Wire};

/// A choice of four: none, once, twice and three times the number.
pub(crate) fn digit(circuit: &Circuit, wire: Wire, node: &Node, operation: &Operation) -> String {
    let &Operation::Digit {
        multiplier,
        bit,
        once,
        thrice,
    } = operation
    else {
        return String::new();
    };
    let width = node.width();
    let chosen = |bit| window(circuit, multiplier, bit, bit);
    let multiple = |operand| extended(circuit, operand, width);
    let twice = Operand {
        shift: once.shift + 1,
        ..once
    };
    let (low, once) = (chosen(bit), multiple(once));
    let small = format!("{low} ? {once} : {}", literal(width, 0));
    // What both bits never are is not read: the analysis of live bits says so too.
    let value = match circuit.node(multiplier).range.hi >> bit {
        ..=1 => small,
        2 => format!("{} ? {} : ({small})", chosen(bit + 1), multiple(twice)),
        _ => format!(
            "{} ? ({low} ? {} : {}) : ({small})",
            chosen(bit + 1),
            multiple(thrice),
            multiple(twice)
        ),
    };
    format!("  wire [{}:0] {} = {value};\n", width - 1, net(wire))
}
