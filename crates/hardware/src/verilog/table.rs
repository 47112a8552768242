//! Tables in Verilog: no memories, selections of two by one address bit each.

use super::expression::{net, window};
use crate::circuit::{Circuit, Node, Operation, Selected, Table, Wire};
use std::fmt::Write;

/// A net for each selection, then each bit of the code. Written as a memory or a `case`, a table in front of a register
/// may become a block RAM; selections cannot.
pub(crate) fn table(circuit: &Circuit, wire: Wire, node: &Node, operation: &Operation) -> String {
    let Some((source, dropped, table)) = Table::of(circuit.nodes(), operation) else {
        return String::new();
    };
    let name = net(wire);
    let (selections, outputs) = table.logic(node.width());
    let term = |selected: Selected| match selected {
        Selected::Known(bit) => format!("1'b{}", u8::from(bit)),
        Selected::Selection(number) => format!("{name}_s{number}"),
    };
    // A net each, not bits of one bus: Verilator takes a bus whose bits depend on each other for a loop.
    let mut text = String::new();
    for (number, selection) in selections.iter().enumerate() {
        let bit = selection.bit + dropped;
        let chosen = window(circuit, source, bit, bit);
        let (high, low) = (term(selection.high), term(selection.low));
        let _ = writeln!(text, "  wire {name}_s{number} = {chosen} ? {high} : {low};");
    }
    let bits: Vec<String> = outputs.into_iter().rev().map(term).collect();
    let _ = writeln!(
        text,
        "  wire [{}:0] {name} = {{{}}};",
        node.width() - 1,
        bits.join(", ")
    );
    text
}
