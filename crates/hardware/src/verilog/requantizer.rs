//! Requantizers in Verilog.

use super::compared::Compared;
use super::expression::{literal, net, window};
use crate::circuit::{Circuit, Node, Requantizer, Wire};
use bitfront_network::Interval;
use std::fmt::Write;

/// Rounds half to even, then saturates.
///
/// With `q` the floor and `r` whether it rounds up, `clamp(q + r)` is the bound that `q` itself
/// passes, or `q + r` in the few bits of the result and one more.
pub(crate) fn requantizer(
    circuit: &Circuit,
    wire: Wire,
    node: &Node,
    source: Wire,
    right_shift: i32,
    range: Interval,
) -> String {
    let name = net(wire);
    let from = circuit.node(source);
    let mut text = String::new();
    let rule = Requantizer::new(from.range, right_shift, range);
    let (drop, append, floor) = (rule.dropped, rule.appended, rule.floor);
    let floor_width = floor.width().max(1);
    let width = rule.inside.width().max(1);
    let floor_bits = |count: u32| {
        let room = count.saturating_sub(append);
        let mut parts = Vec::new();
        if room > 0 {
            parts.push(window(circuit, source, drop + room - 1, drop));
        }
        if append > 0 {
            parts.push(literal(append.min(count), 0));
        }
        match parts.as_slice() {
            [only] => only.clone(),
            several => format!("{{{}}}", several.join(", ")),
        }
    };
    let _ = writeln!(
        text,
        "  wire [{}:0] {name}_q = {};",
        floor_width - 1,
        floor_bits(floor_width)
    );
    let low_q = floor_bits(width);
    if drop > 0 {
        let half = window(circuit, source, drop - 1, drop - 1);
        let odd = window(circuit, source, drop, drop);
        let more = if drop > 1 {
            format!("(|{} | {odd})", window(circuit, source, drop - 2, 0))
        } else {
            odd
        };
        let _ = writeln!(text, "  wire {name}_up = {half} & {more};");
        let fill = if width > 1 {
            format!("{{{}, {name}_up}}", literal(width - 1, 0))
        } else {
            format!("{name}_up")
        };
        let _ = writeln!(
            text,
            "  wire [{}:0] {name}_r = {low_q} + {fill};",
            width - 1
        );
    } else {
        let _ = writeln!(text, "  wire [{}:0] {name}_r = {low_q};", width - 1);
    }
    let q = Compared {
        name: format!("{name}_q"),
        width: floor_width,
        signed: floor.lo < 0,
    };
    let r = Compared {
        name: format!("{name}_r"),
        width,
        signed: rule.inside.lo < 0,
    };
    let mut value = r.resized(node.width());
    // The upper bound first: on the way out of it the floor decides, at it the rounding.
    if rule.saturates_above() {
        let mut over = Vec::new();
        if floor.hi > range.hi {
            over.push(q.at_least(range.hi + 1));
        }
        if drop > 0 && floor.lo <= range.hi {
            over.push(r.is_one_beyond(range.hi));
        }
        let top = literal(node.width(), range.hi);
        value = format!("({}) ? {top} : {value}", over.join(" | "));
    }
    if rule.saturates_below() {
        let bottom = literal(node.width(), range.lo);
        value = format!("({}) ? {bottom} : {value}", q.below(range.lo));
    }
    let _ = writeln!(text, "  wire [{}:0] {name} = {value};", node.width() - 1);
    text
}
