//! The module text: declarations and logic in graph order, then one always block a stage.

use super::digit::digit;
use super::expression::{extended, net};
use super::maximum::{difference, maximum};
use super::multiplier::multiplier;
use super::requantizer::requantizer;
use super::step_function::step_function;
use super::table::table;
use super::valid::flags;
use crate::circuit::{Circuit, Node, Operation, Ranges, Requantizer, Wire};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Plain Verilog-2001 of a circuit, as one module without parameters, memories or instances.
///
/// Two equal circuits give the same text.
pub fn emit(circuit: &Circuit, module_name: &str) -> String {
    let mut text = header(circuit, module_name);
    let mut stages: BTreeMap<u32, String> = BTreeMap::new();
    let whole = circuit.whole_sums();
    for (index, node) in circuit.nodes().iter().enumerate() {
        let wire = Wire(index as u32);
        if whole[index] {
            text.push_str("  (* keep *)\n");
        }
        if let Operation::Register { source } = node.operation {
            let block = stages.entry(node.stage).or_default();
            let _ = writeln!(block, "    {} <= {};", net(wire), net(source));
        }
        text.push_str(&logic(circuit, wire, node));
    }
    if circuit.has_valid() {
        text.push_str(&flags(circuit));
    }
    for (stage, block) in stages {
        let _ = write!(
            text,
            "\n  // stage {stage}\n  always @(posedge clk) begin\n{block}  end\n"
        );
    }
    text.push('\n');
    for (port, operand) in circuit.outputs().iter().zip(circuit.output_operands()) {
        let word = extended(circuit, *operand, port.width);
        let high = port.low_bit + port.width - 1;
        let _ = writeln!(text, "  assign outputs[{high}:{}] = {word};", port.low_bit);
    }
    text.push_str("endmodule\n");
    text
}

fn header(circuit: &Circuit, module_name: &str) -> String {
    let ranges = match circuit.ranges() {
        Ranges::Proven => "",
        Ranges::Data => {
            "// Ranges of sums are those of the train rows: rows outside them may wrap, and give other outputs than\n\
             // integer inference.\n"
        }
    };
    let (of_inputs, of_outputs) = if circuit.has_valid() {
        (
            "  input wire rst,\n  input wire in_valid,\n",
            "  output wire out_valid,\n",
        )
    } else {
        ("", "")
    };
    format!(
        "// {} inputs, {} outputs, {} cycles, initiation interval 1.\n\
         {ranges}// First word in the lowest bits; two's complement where a range has negative values.\n\
         module {module_name} (\n  input wire clk,\n{of_inputs}  input wire [{}:0] inputs,\n{of_outputs}  \
         output wire [{}:0] outputs\n);\n",
        circuit.inputs().len(),
        circuit.outputs().len(),
        circuit.cycles(),
        circuit.input_bits() - 1,
        circuit.output_bits() - 1,
    )
}

/// The declaration of a node's net, with its logic.
fn logic(circuit: &Circuit, wire: Wire, node: &Node) -> String {
    let width = node.width();
    let high = width - 1;
    let name = net(wire);
    match &node.operation {
        // Constants are written where they are read.
        Operation::Constant { .. } => String::new(),
        Operation::Register { .. } => format!("  reg [{high}:0] {name};\n"),
        Operation::Input { index } => {
            let port = circuit.inputs()[*index];
            let top = port.low_bit + port.width - 1;
            format!(
                "  wire [{high}:0] {name} = inputs[{top}:{}];\n",
                port.low_bit
            )
        }
        Operation::Add {
            left,
            right,
            subtract,
        } => {
            let left = extended(circuit, *left, width);
            let right = extended(circuit, *right, width);
            let sign = if *subtract { '-' } else { '+' };
            format!("  wire [{high}:0] {name} = {left} {sign} {right};\n")
        }
        Operation::Multiply { source, factor } => multiplier(circuit, wire, node, *source, *factor),
        Operation::Max { left, right } => maximum(circuit, wire, node, *left, *right),
        Operation::AtLeast { left, right } => {
            let borrow = difference(circuit, wire, *left, *right);
            format!("{}  wire [0:0] {name} = ~{};\n", borrow.0, borrow.1)
        }
        Operation::Select {
            chosen,
            high: first,
            low,
        } => format!(
            "  wire [{high}:0] {name} = {} ? {} : {};\n",
            net(*chosen),
            extended(circuit, *first, width),
            extended(circuit, *low, width)
        ),
        operation @ Operation::Digit { .. } => digit(circuit, wire, node, operation),
        Operation::Requantize {
            source,
            right_shift,
            range,
            modes,
        } => {
            let from = circuit.node(*source).range;
            let rule = Requantizer::new(from, *right_shift, *range, *modes);
            requantizer(circuit, wire, node, *source, &rule)
        }
        Operation::Steps {
            source,
            thresholds,
            codes,
        } => step_function(circuit, wire, node, *source, thresholds, codes),
        operation @ Operation::Table { .. } => table(circuit, wire, node, operation),
    }
}
