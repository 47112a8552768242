//! Verilog expressions on unsigned wires.

use crate::circuit::{Circuit, Node, Operand, Operation, Wire};

/// The net that carries a wire.
pub(crate) fn net(wire: Wire) -> String {
    format!("n{}", wire.0)
}

/// `value` modulo `2^width` as a sized literal.
pub(crate) fn literal(width: u32, value: i64) -> String {
    let bits = value as u64;
    let bits = if width < 64 {
        bits & ((1_u64 << width) - 1)
    } else {
        bits
    };
    format!("{width}'h{bits:x}")
}

/// A repeated bit, `{4{n7[3]}}`.
fn repeated(count: u32, bit: &str) -> String {
    format!("{{{count}{{{bit}}}}}")
}

/// Bits `high..=low` of a net of `width` bits.
fn slice(net: &str, width: u32, high: u32, low: u32) -> String {
    if low == 0 && high + 1 == width {
        net.to_owned()
    } else if high == low {
        format!("{net}[{high}]")
    } else {
        format!("{net}[{high}:{low}]")
    }
}

/// An operand as exactly `width` unsigned bits: shifted by zeros on the right, extended by its sign
/// or by zeros on the left, or cut there where the result is known to be narrower.
pub(crate) fn extended(circuit: &Circuit, operand: Operand, width: u32) -> String {
    let node = circuit.node(operand.wire);
    if let Operation::Constant { value } = node.operation {
        return literal(width, value << operand.shift);
    }
    if operand.shift >= width {
        return literal(width, 0);
    }
    let room = width - operand.shift;
    let used = node.width().min(room);
    let name = net(operand.wire);
    let mut parts = Vec::new();
    if room > used {
        let missing = room - used;
        parts.push(if node.is_signed() {
            repeated(missing, &sign_bit(node, &name))
        } else {
            literal(missing, 0)
        });
    }
    parts.push(slice(&name, node.width(), used - 1, 0));
    if operand.shift > 0 {
        parts.push(literal(operand.shift, 0));
    }
    match parts.as_slice() {
        [only] => only.clone(),
        several => format!("{{{}}}", several.join(", ")),
    }
}

/// The highest bit of a signed net.
pub(crate) fn sign_bit(node: &Node, name: &str) -> String {
    slice(name, node.width(), node.width() - 1, node.width() - 1)
}

/// Bits `high..=low` of a wire, extended on the left as needed.
pub(crate) fn window(circuit: &Circuit, wire: Wire, high: u32, low: u32) -> String {
    let node = circuit.node(wire);
    let name = net(wire);
    let top = node.width() - 1;
    if high <= top {
        return slice(&name, node.width(), high, low);
    }
    let fill = |count| {
        if node.is_signed() {
            repeated(count, &sign_bit(node, &name))
        } else {
            literal(count, 0)
        }
    };
    if low > top {
        return fill(high - low + 1);
    }
    format!(
        "{{{}, {}}}",
        fill(high - top),
        slice(&name, node.width(), top, low)
    )
}
