//! Verilog of a shared stage: its table of weights, its multipliers, the tree of lanes and the accumulators.

use std::fmt::Write;

use bitfront_network::Interval;

use super::products::Made;
use super::shared::{Shared, signed_bits};
use super::verilog::{bus_bits, counter_bits};
use crate::circuit::Port;
use crate::verilog::literal;

const ZERO: Interval = Interval { lo: 0, hi: 0 };

/// Multipliers and accumulators of a shared stage: `start` and `words` for the circuit that finishes.
pub(super) fn shared_logic(shared: &Shared, sums: &[Port]) -> String {
    let cycles = shared.cycles();
    let count = counter_bits(cycles as u64);
    let number = |value: usize| literal(count, value as i64);
    let (lanes, outputs) = (shared.lanes, shared.outputs);
    let mut text = format!("  reg [{}:0] cycle;\n", count - 1);
    let bus = if shared.parts > 1 {
        let _ = write!(
            text,
            "  // The beat is held and used part by part.\n  reg [{}:0] held;\n  reg take;\n  \
             always @(posedge clk) begin\n    if (in_valid) held <= inputs;\n    if (rst) begin\n      \
             take <= 1'b0;\n      cycle <= {zero};\n    end else if (in_valid) begin\n      take <= 1'b1;\n      \
             cycle <= {zero};\n    end else if (take) begin\n      take <= cycle != {last};\n      \
             cycle <= cycle + {one};\n    end\n  end\n",
            bus_bits(&shared.ports) - 1,
            zero = number(0),
            one = number(1),
            last = number(cycles - 1),
        );
        "held"
    } else {
        let _ = write!(
            text,
            "  wire take = in_valid;\n  always @(posedge clk) begin\n    if (rst) cycle <= {zero};\n    \
             else if (take) cycle <= (cycle == {last}) ? {zero} : cycle + {one};\n  end\n",
            zero = number(0),
            one = number(1),
            last = number(cycles - 1),
        );
        "inputs"
    };
    for lane in 0..lanes {
        let _ = writeln!(
            text,
            "  reg [{}:0] x{lane};",
            signed_bits(shared.word(lane)) - 1
        );
        for j in 0..outputs {
            let bits = shared.weight_bits(lane, j) - shared.zeros(lane, j);
            if bits > 0 {
                let _ = writeln!(text, "  reg [{}:0] w{lane}_{j};", bits - 1);
            }
        }
    }
    text.push_str("  always @(posedge clk) begin\n    case (cycle)\n");
    for cycle in 0..cycles {
        // The last entry is the default, so that none is left out.
        let label = if cycle + 1 == cycles {
            "default".to_owned()
        } else {
            number(cycle)
        };
        let _ = writeln!(
            text,
            "      {label}: begin {} {} end",
            weights_of_cycle(shared, cycle),
            words_of_part(shared, cycle % shared.parts, bus),
        );
    }
    text.push_str("    endcase\n  end\n");
    let trees: Vec<Vec<Vec<Node>>> = (0..outputs).map(|j| nodes(shared, j)).collect();
    for (j, tree) in trees.iter().enumerate() {
        text.push_str(&products_and_sums(shared, tree, j));
    }
    let levels = shared.levels();
    let stages = levels + 2;
    let _ = write!(
        text,
        "  reg [{s}:0] valid;\n  reg [{s}:0] first;\n  reg [{s}:0] last;\n  always @(posedge clk) begin\n    \
         valid <= rst ? {} : {{valid[{t}:0], take}};\n    first <= {{first[{t}:0], cycle == {}}};\n    \
         last <= {{last[{t}:0], cycle == {}}};\n  end\n",
        literal(stages as u32, 0),
        number(0),
        number(cycles - 1),
        s = stages - 1,
        t = stages - 2,
    );
    let top = stages - 1;
    let _ = write!(
        text,
        "  reg start;\n  always @(posedge clk) start <= rst ? 1'b0 : valid[{top}] & last[{top}];\n"
    );
    for (j, (partial, tree)) in shared.partial.iter().zip(&trees).enumerate() {
        let root = tree[levels][0];
        let bits = signed_bits(*partial) - root.zeros;
        let sum = operand(&tree[levels], levels, 0, j, (bits, root.zeros))
            .unwrap_or_else(|| literal(bits, 0));
        let _ = write!(
            text,
            "  reg [{h}:0] sum{j};\n  always @(posedge clk) if (valid[{top}]) \
             sum{j} <= (first[{top}] ? {} : sum{j}) + {sum};\n",
            literal(bits, 0),
            h = bits - 1,
        );
    }
    let words = sums.iter().enumerate().rev().map(|(j, port)| {
        let zeros = trees[j][levels][0].zeros;
        let bits = signed_bits(shared.partial[j]) - zeros;
        shifted(&format!("sum{j}"), bits, zeros, port.width)
    });
    let words: Vec<String> = words.collect();
    let _ = writeln!(
        text,
        "  wire [{}:0] words = {{{}}};",
        bus_bits(sums) - 1,
        words.join(", ")
    );
    text
}

/// A product or a sum of products: its range, and its low zeros, which its register does not hold.
#[derive(Clone, Copy)]
struct Node {
    range: Interval,
    zeros: u32,
}

impl Node {
    fn is_zero(self) -> bool {
        self.range == ZERO
    }

    /// Bits of its register.
    fn bits(self) -> u32 {
        signed_bits(self.range) - self.zeros
    }
}

/// The tree of an output: its products, then each level of sums.
fn nodes(shared: &Shared, output: usize) -> Vec<Vec<Node>> {
    let ranges = shared.tree(output);
    let node = |(range, zeros): (&Interval, u32)| Node {
        range: *range,
        zeros,
    };
    let zeros = (0..shared.lanes).map(|lane| shared.zeros(lane, output));
    let mut tree: Vec<Vec<Node>> = vec![ranges[0].iter().zip(zeros).map(node).collect()];
    for level in &ranges[1..] {
        let below = &tree[tree.len() - 1];
        let zeros = below.chunks(2).map(|pair| {
            let some = pair.iter().filter(|node| !node.is_zero());
            some.map(|node| node.zeros).min().unwrap_or(0)
        });
        let level = level.iter().zip(zeros).map(node).collect();
        tree.push(level);
    }
    tree
}

/// Products of an output and the tree that adds its lanes, a register behind each; what is always zero is left out.
fn products_and_sums(shared: &Shared, tree: &[Vec<Node>], j: usize) -> String {
    let mut text = String::new();
    for (lane, node) in tree[0].iter().enumerate() {
        if !node.is_zero() {
            let bits = node.bits();
            let made = shared.made(lane, j);
            let hint = match made {
                Made::Block => "(* use_dsp = \"yes\" *) ",
                Made::Luts | Made::Rows => "",
            };
            let product = match made {
                // Of a factor, bits above the product's change nothing.
                Made::Block | Made::Luts => {
                    let factor = |net: String, own: u32| {
                        if own > bits {
                            signed_to(&net, own, bits)
                        } else {
                            net
                        }
                    };
                    let word = factor(format!("x{lane}"), signed_bits(shared.word(lane)));
                    let own = shared.weight_bits(lane, j) - node.zeros;
                    let weight = factor(format!("w{lane}_{j}"), own);
                    format!("$signed({word}) * $signed({weight})")
                }
                Made::Rows => rows(shared, lane, j, bits),
            };
            let _ = write!(
                text,
                "  {hint}reg [{}:0] t0_{lane}_{j};\n  always @(posedge clk) t0_{lane}_{j} <= {product};\n",
                bits - 1,
            );
        }
    }
    for (level, below) in tree.windows(2).enumerate() {
        for (at, node) in below[1].iter().enumerate() {
            let bits = node.bits();
            let word = |from: usize| operand(&below[0], level, from, j, (bits, node.zeros));
            let words: Vec<String> = [word(2 * at), word(2 * at + 1)]
                .into_iter()
                .flatten()
                .collect();
            if words.is_empty() {
                continue;
            }
            let level = level + 1;
            let _ = write!(
                text,
                "  reg [{}:0] t{level}_{at}_{j};\n  always @(posedge clk) t{level}_{at}_{j} <= {};\n",
                bits - 1,
                words.join(" + ")
            );
        }
    }
    text
}

/// A product of `bits` bits, row by row of the weight's, so that synthesis finds no multiplier for a DSP block in it. The highest
/// row counts below zero.
fn rows(shared: &Shared, lane: usize, j: usize, bits: u32) -> String {
    let word = signed_to(&format!("x{lane}"), signed_bits(shared.word(lane)), bits);
    let of_weight = shared.weight_bits(lane, j) - shared.zeros(lane, j);
    let row = |bit: u32| format!("(({{{bits}{{w{lane}_{j}[{bit}]}}}} & {word}) << {bit})");
    let low: Vec<String> = (0..of_weight - 1).map(row).collect();
    format!("{} - {}", low.join(" + "), row(of_weight - 1))
}

/// A node of a tree as a two's complement word of `bits`, without as many low zeros as the word's reader leaves out; `None` for
/// one that is always zero, or none.
fn operand(
    level: &[Node],
    number: usize,
    at: usize,
    j: usize,
    (bits, zeros): (u32, u32),
) -> Option<String> {
    let node = level.get(at).filter(|node| !node.is_zero())?;
    let net = format!("t{number}_{at}_{j}");
    Some(shifted(&net, node.bits(), node.zeros - zeros, bits))
}

/// A two's complement net of `own` bits above `zeros` low zeros, as a word of `bits`.
fn shifted(net: &str, own: u32, zeros: u32, bits: u32) -> String {
    let word = signed_to(net, own, bits - zeros);
    if zeros == 0 {
        word
    } else {
        format!("{{{word}, {}}}", literal(zeros, 0))
    }
}

/// The weights of a cycle.
fn weights_of_cycle(shared: &Shared, cycle: usize) -> String {
    let mut words = Vec::new();
    for lane in 0..shared.lanes {
        for j in 0..shared.outputs {
            let zeros = shared.zeros(lane, j);
            let bits = shared.weight_bits(lane, j) - zeros;
            if bits > 0 {
                let weight = literal(bits, shared.weight(cycle, lane, j) >> zeros);
                words.push(format!("w{lane}_{j} <= {weight};"));
            }
        }
    }
    words.join(" ")
}

/// The words of a part, each with a sign bit.
fn words_of_part(shared: &Shared, part: usize, bus: &str) -> String {
    let words = (0..shared.lanes).map(|lane| {
        let bits = signed_bits(shared.word(lane));
        let word = shared.ports.get(part * shared.lanes + lane).map_or_else(
            || literal(bits, 0),
            |port| {
                let high = port.low_bit + port.width - 1;
                let word = format!("{bus}[{high}:{}]", port.low_bit);
                let missing = bits - port.width;
                match (missing, port.range.lo < 0) {
                    // That of a channel that is always zero has one bit and no sign.
                    (0, false) => word,
                    (_, true) => format!("{{{{{missing}{{{bus}[{high}]}}}}, {word}}}"),
                    (_, false) => format!("{{{}, {word}}}", literal(missing, 0)),
                }
            },
        );
        format!("x{lane} <= {word};")
    });
    let words: Vec<String> = words.collect();
    words.join(" ")
}

/// A two's complement net of `from` bits as `to` bits.
fn signed_to(net: &str, from: u32, to: u32) -> String {
    if to <= from {
        return format!("{net}[{}:0]", to - 1);
    }
    format!("{{{{{}{{{net}[{}]}}}}, {net}}}", to - from, from - 1)
}
