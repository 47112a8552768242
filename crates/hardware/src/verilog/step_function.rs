//! Step functions in Verilog.

use super::expression::{literal, net, sign_bit, window};
use crate::circuit::{Circuit, Node, Wire};
use std::fmt::Write;

/// Comparators against the thresholds, then each code bit as the parity of those thresholds that
/// toggle it. Zero bits at the right of a threshold shorten its comparison.
pub(crate) fn step_function(
    circuit: &Circuit,
    wire: Wire,
    node: &Node,
    source: Wire,
    thresholds: &[i64],
    codes: &[i64],
) -> String {
    let name = net(wire);
    let from = circuit.node(source);
    let mut text = format!("  wire [{}:0] {name}_t;\n", thresholds.len() - 1);
    let source_name = net(source);
    for (number, &threshold) in thresholds.iter().enumerate() {
        let low = if threshold == 0 {
            from.width() - 1
        } else {
            threshold.trailing_zeros()
        };
        let passed = if threshold == 0 {
            format!("~{}", sign_bit(from, &source_name))
        } else {
            let width = from.width() - low;
            let high = from.width() - 1;
            let flip = if from.is_signed() {
                1_i64 << (width - 1)
            } else {
                0
            };
            let bound = literal(width, (threshold >> low) ^ flip);
            let compared = match (from.is_signed(), width) {
                (false, _) => window(circuit, source, high, low),
                (true, 1) => format!("~{}", sign_bit(from, &source_name)),
                (true, _) => format!(
                    "{{~{}, {}}}",
                    sign_bit(from, &source_name),
                    window(circuit, source, high - 1, low)
                ),
            };
            format!("({compared} >= {bound})")
        };
        let _ = writeln!(text, "  assign {name}_t[{number}] = {passed};");
    }
    let _ = writeln!(text, "  wire [{}:0] {name};", node.width() - 1);
    for bit in 0..node.width() {
        let of = |code: i64| (code >> bit) & 1;
        let toggling: Vec<String> = codes
            .windows(2)
            .enumerate()
            .filter(|(_, pair)| of(pair[0]) != of(pair[1]))
            .map(|(number, _)| format!("{name}_t[{number}]"))
            .collect();
        let start = literal(1, of(codes[0]));
        let terms = std::iter::once(start).chain(toggling).collect::<Vec<_>>();
        let _ = writeln!(text, "  assign {name}[{bit}] = {};", terms.join(" ^ "));
    }
    text
}
