//! Requantizers in Verilog.

use super::compared::Compared;
use super::expression::{literal, net, sign_bit, window};
use crate::circuit::{Circuit, Node, Requantizer, Wire};
use bitfront_quantizer::{FixedRounding, Overflow};
use std::fmt::Write;

/// Rounds, then fits into the range of codes.
///
/// With `q` the floor and `r` the sum of `q` and whether it rounds up: where codes saturate, they are the
/// bound that `q` itself passes, or `r` in the few bits of the result and one more; where they wrap, the
/// lowest bits of `r`; else `r` in all its bits, or what the mode has for those beyond the range.
pub(crate) fn requantizer(
    circuit: &Circuit,
    wire: Wire,
    node: &Node,
    source: Wire,
    rule: &Requantizer,
) -> String {
    let name = net(wire);
    let mut text = String::new();
    let (floor, range) = (rule.floor, rule.range);
    let floor_width = floor.width().max(1);
    let width = rule.inside.width().max(1);
    let _ = writeln!(
        text,
        "  wire [{}:0] {name}_q = {};",
        floor_width - 1,
        floor_bits(circuit, source, rule, floor_width)
    );
    let mut sum = floor_bits(circuit, source, rule, width);
    if let Some(up) = rounds_up(circuit, source, rule) {
        let _ = writeln!(text, "  wire {name}_up = {up};");
        let fill = if width > 1 {
            format!("{{{}, {name}_up}}", literal(width - 1, 0))
        } else {
            format!("{name}_up")
        };
        sum = format!("{sum} + {fill}");
    }
    let _ = writeln!(text, "  wire [{}:0] {name}_r = {sum};", width - 1);
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
    if rule.saturates() {
        // The upper bound first: on the way out of it the floor decides, at it the rounding.
        if rule.compares_above() {
            let mut over = Vec::new();
            if floor.hi > range.hi {
                over.push(q.at_least(range.hi + 1));
            }
            if rule.rounded != floor && floor.lo <= range.hi {
                over.push(r.is_one_beyond(range.hi));
            }
            let top = literal(node.width(), range.hi);
            value = format!("({}) ? {top} : {value}", over.join(" | "));
        }
        if rule.compares_below() {
            let bottom = literal(node.width(), range.lo);
            value = format!("({}) ? {bottom} : {value}", q.below(range.lo));
        }
    } else if !rule.cuts() {
        let mut beyond = Vec::new();
        if rule.compares_above() {
            beyond.push(r.at_least(range.hi + 1));
        }
        if rule.compares_below() {
            beyond.push(r.below(range.lo));
        }
        let (declared, other) = beyond_range(&name, node, rule, &r);
        text.push_str(&declared);
        value = format!("({}) ? {other} : {value}", beyond.join(" | "));
    }
    let _ = writeln!(text, "  wire [{}:0] {name} = {value};", node.width() - 1);
    text
}

/// The lowest bits of the source without those that are dropped, with those that are appended.
fn floor_bits(circuit: &Circuit, source: Wire, rule: &Requantizer, count: u32) -> String {
    let (drop, append) = (rule.dropped, rule.appended);
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
}

/// Whether the dropped bits round up; `None` where nothing does.
fn rounds_up(circuit: &Circuit, source: Wire, rule: &Requantizer) -> Option<String> {
    let drop = rule.dropped;
    if rule.rounded == rule.floor {
        return None;
    }
    let half = window(circuit, source, drop - 1, drop - 1);
    // What decides at a half, with the bits below it.
    let below = |at_half: Option<String>| {
        let rest = (drop > 1).then(|| format!("|{}", window(circuit, source, drop - 2, 0)));
        match (rest, at_half) {
            (Some(rest), Some(at_half)) => format!("{half} & ({rest} | {at_half})"),
            (Some(rest), None) => format!("{half} & ({rest})"),
            (None, Some(at_half)) => format!("{half} & {at_half}"),
            (None, None) => literal(1, 0),
        }
    };
    let from = circuit.node(source);
    let negative = || {
        if from.is_signed() {
            sign_bit(from, &net(source))
        } else {
            literal(1, 0)
        }
    };
    Some(match rule.modes.rounding {
        FixedRounding::Trn => return None,
        FixedRounding::TrnZero => {
            format!(
                "{} & (|{})",
                negative(),
                window(circuit, source, drop - 1, 0)
            )
        }
        FixedRounding::Rnd => half,
        FixedRounding::RndZero => below(Some(negative())),
        FixedRounding::RndMinInf => below(None),
        FixedRounding::RndInf => below(Some(format!("~{}", negative()))),
        FixedRounding::RndConv => below(Some(window(circuit, source, drop, drop))),
    })
}

/// The code of a sum `r` beyond the range that neither saturates nor falls to its lowest bits alone, and
/// what is declared for it.
fn beyond_range(name: &str, node: &Node, rule: &Requantizer, r: &Compared) -> (String, String) {
    if rule.modes.overflow == Overflow::SatZero {
        return (String::new(), literal(node.width(), 0));
    }
    let bits = rule.range.width().max(1);
    let signed = rule.range.is_signed();
    let saturated = rule.modes.saturated_bits.min(bits);
    let mut text = String::new();
    // One bit more than a code has: what wraps to and fro looks at it.
    let _ = writeln!(
        text,
        "  wire [{bits}:0] {name}_s = {};",
        r.resized(bits + 1)
    );
    let negative = if r.signed {
        format!("{name}_r[{}]", r.width - 1)
    } else {
        literal(1, 0)
    };
    let bit = |at: u32| format!("{name}_s[{at}]");
    let flips = (rule.modes.overflow == Overflow::WrapSm).then(|| match saturated {
        0 => format!("{} ^ {}", bit(bits), bit(bits - 1)),
        1 => format!("{} ^ {negative}", bit(bits - 1)),
        several => format!("~({} ^ {negative})", bit(bits - several)),
    });
    let low = format!("{name}_s[{}:0]", bits - 1);
    let low = match flips {
        Some(flips) => {
            let _ = writeln!(text, "  wire {name}_flips = {flips};");
            format!("{low} ^ {{{bits}{{{name}_flips}}}}")
        }
        None => low,
    };
    let _ = writeln!(text, "  wire [{}:0] {name}_low = {low};", bits - 1);
    // The saturated bits are those of the extreme on the number's side.
    let mut parts = Vec::new();
    if saturated > 0 && signed {
        parts.push(negative.clone());
    }
    let ones = saturated - u32::from(saturated > 0 && signed);
    if ones > 0 {
        parts.push(format!("{{{ones}{{~{negative}}}}}"));
    }
    if bits > saturated {
        parts.push(format!("{name}_low[{}:0]", bits - saturated - 1));
    }
    let _ = writeln!(
        text,
        "  wire [{}:0] {name}_w = {{{}}};",
        bits - 1,
        parts.join(", ")
    );
    let other = Compared {
        name: format!("{name}_w"),
        width: bits,
        signed,
    };
    (text, other.resized(node.width()))
}
