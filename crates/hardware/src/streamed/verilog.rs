//! Verilog-2001 of a streamed circuit: a module for each stage and each circuit of one beat, and the top.
//!
//! Ports of the top module: `clk`, `rst` (synchronous, one cycle is enough), `in_valid`, `in_ready`, `inputs`,
//! `out_valid`, `outputs`. A beat is taken at an edge where `in_valid` and `in_ready` are high; outputs do not wait.

use std::fmt::Write;

use super::shared_verilog::shared_logic;
use super::window::Window;
use super::{Front, Stage, StreamedCircuit};
use crate::circuit::Port;
use crate::verilog::{emit, literal};

impl StreamedCircuit {
    /// Plain Verilog-2001. Two equal circuits give the same text.
    pub fn verilog(&self, module: &str) -> String {
        let mut text = String::new();
        for (index, stage) in self.stages.iter().enumerate() {
            text.push_str(&emit(&stage.core, &format!("{module}_core{index}")));
            text.push('\n');
            text.push_str(&stage_module(stage, module, index));
            text.push('\n');
        }
        text.push_str(&self.top(module));
        text
    }

    fn top(&self, module: &str) -> String {
        let bits = |ports: &[Port]| bus_bits(ports) - 1;
        let mut text = format!(
            "// {} beats a row, {} output beats, {} cycles without a pause, initiation interval {}.\n\
             module {module} (\n  input wire clk,\n  input wire rst,\n  input wire in_valid,\n  \
             output wire in_ready,\n  input wire [{}:0] inputs,\n  output wire out_valid,\n  \
             output wire [{}:0] outputs\n);\n",
            self.beats,
            self.output_beats,
            self.latency,
            self.initiation_interval(),
            bits(&self.inputs),
            bits(self.outputs()),
        );
        if self.gap == 0 {
            text.push_str("  assign in_ready = 1'b1;\n");
        } else {
            let (beat, rest) = (counter_bits(self.beats as u64), counter_bits(self.gap + 1));
            let _ = write!(
                text,
                "  // Between rows the stages finish: {gap} cycles take no beat.\n  \
                 reg [{}:0] beat;\n  reg [{}:0] rest;\n  assign in_ready = rest == {};\n  \
                 always @(posedge clk) begin\n    if (rst) begin\n      beat <= {};\n      rest <= {};\n    \
                 end else if (in_valid & in_ready) begin\n      \
                 if (beat == {}) begin\n        beat <= {};\n        rest <= {};\n      \
                 end else beat <= beat + {};\n    end else if (~in_ready) rest <= rest - {};\n  end\n",
                beat - 1,
                rest - 1,
                literal(rest, 0),
                literal(beat, 0),
                literal(rest, 0),
                literal(beat, self.beats as i64 - 1),
                literal(beat, 0),
                literal(rest, self.gap as i64),
                literal(beat, 1),
                literal(rest, 1),
                gap = self.gap,
            );
        }
        text.push_str("  wire valid0 = in_valid & in_ready;\n");
        let _ = writeln!(text, "  wire [{}:0] bus0 = inputs;", bits(&self.inputs));
        for (index, stage) in self.stages.iter().enumerate() {
            let (from, to) = (index, index + 1);
            let _ = write!(
                text,
                "  wire valid{to};\n  wire [{}:0] given{to};\n  {module}_stage{index} stage{index} (\n    \
                 .clk(clk), .rst(rst), .in_valid(valid{from}), .inputs(bus{from}), \
                 .out_valid(valid{to}), .outputs(given{to})\n  );\n",
                bits(stage.core.outputs()),
            );
            if let Some(next) = self.stages.get(to) {
                text.push_str(&resized(stage.core.outputs(), next.ports(), to));
            }
        }
        let last = self.stages.len();
        let _ = write!(
            text,
            "  assign out_valid = valid{last};\n  assign outputs = given{last};\nendmodule\n"
        );
        text
    }
}

impl Stage {
    /// Words of the beats that it takes.
    fn ports(&self) -> &[Port] {
        match &self.front {
            Front::Pointwise => self.core.inputs(),
            Front::Window(window) => &window.ports,
            Front::Shared(shared) => &shared.ports,
        }
    }
}

/// `bus{index}`: the words of `given{index}` as wide as the next stage reads them.
fn resized(given: &[Port], wanted: &[Port], index: usize) -> String {
    let words = given.iter().zip(wanted).rev().map(|(from, to)| {
        let high = from.low_bit + from.width.min(to.width) - 1;
        let word = format!("given{index}[{high}:{}]", from.low_bit);
        if to.width <= from.width {
            return word;
        }
        let missing = to.width - from.width;
        if from.range.lo < 0 {
            format!("{{{missing}{{given{index}[{high}]}}}}, {word}")
        } else {
            format!("{}, {word}", literal(missing, 0))
        }
    });
    let words: Vec<String> = words.collect();
    format!(
        "  wire [{}:0] bus{index} = {{{}}};\n",
        bus_bits(wanted) - 1,
        words.join(", ")
    )
}

fn stage_module(stage: &Stage, module: &str, index: usize) -> String {
    let mut text = format!(
        "module {module}_stage{index} (\n  input wire clk,\n  input wire rst,\n  input wire in_valid,\n  \
         input wire [{}:0] inputs,\n  output wire out_valid,\n  output wire [{}:0] outputs\n);\n",
        bus_bits(stage.ports()) - 1,
        bus_bits(stage.core.outputs()) - 1,
    );
    match &stage.front {
        Front::Pointwise => {
            text.push_str("  wire start = in_valid;\n");
            let _ = writeln!(
                text,
                "  wire [{}:0] words = inputs;",
                bus_bits(stage.ports()) - 1
            );
        }
        Front::Window(window) => text.push_str(&window_logic(window)),
        Front::Shared(shared) => text.push_str(&shared_logic(shared, stage.core.inputs())),
    }
    let cycles = stage.core.cycles();
    let older = if cycles > 1 {
        format!("{{running[{}:0], start}}", cycles - 2)
    } else {
        "start".to_owned()
    };
    let _ = write!(
        text,
        "  {module}_core{index} core (.clk(clk), .inputs(words), .outputs(outputs));\n  \
         reg [{}:0] running;\n  always @(posedge clk) running <= rst ? {} : {older};\n  \
         assign out_valid = running[{}];\nendmodule\n",
        cycles - 1,
        literal(cycles, 0),
        cycles - 1,
    );
    text
}

/// The shift register of a window: `start` and `words` for the circuit of one position.
fn window_logic(window: &Window) -> String {
    let bits = bus_bits(&window.ports);
    let entries = window.entries() as u32;
    let (rows, columns) = (&window.geometry.rows, &window.geometry.columns);
    let (positions, flush) = (window.positions(), window.flush());
    let count = counter_bits((positions + flush + 1) as u64);
    let (row_bits, column_bits) = (
        counter_bits(rows.output as u64),
        counter_bits(columns.output as u64),
    );
    let number = |value: usize| literal(count, value as i64);
    let shifted = if entries > 1 {
        format!("{{line[{}:0], inputs}}", bits * (entries - 1) - 1)
    } else {
        "inputs".to_owned()
    };
    let first = window.due(0) as usize;
    let row_step = rows.stride * columns.input - (columns.output - 1) * columns.stride;
    let mut text = format!(
        "  // {positions} beats an image, then {flush} empty ones; newest entry in the lowest bits.\n  \
         reg [{}:0] line;\n  reg [{n}:0] pushed;\n  reg [{n}:0] due;\n  reg [{}:0] row;\n  \
         reg [{}:0] column;\n  reg start;\n  wire push = in_valid | (pushed >= {});\n  \
         wire hit = push & (pushed == due);\n  always @(posedge clk) if (push) line <= {shifted};\n",
        bits * entries - 1,
        row_bits - 1,
        column_bits - 1,
        number(positions),
        n = count - 1,
    );
    let _ = write!(
        text,
        "  always @(posedge clk) begin\n    if (rst) begin\n      pushed <= {zero};\n      due <= {first};\n      \
         row <= {row0};\n      column <= {column0};\n      start <= 1'b0;\n    end else begin\n      start <= hit;\n      \
         if (push) pushed <= (pushed == {last}) ? {zero} : pushed + {one};\n      if (hit) begin\n        \
         if (column == {column_end}) begin\n          column <= {column0};\n          \
         if (row == {row_end}) begin\n            row <= {row0};\n            due <= {first};\n          \
         end else begin\n            row <= row + {row1};\n            due <= due + {row_step};\n          end\n        \
         end else begin\n          column <= column + {column1};\n          due <= due + {step};\n        end\n      \
         end\n    end\n  end\n",
        zero = number(0),
        one = number(1),
        first = number(first),
        last = number(positions + flush - 1),
        row0 = literal(row_bits, 0),
        row1 = literal(row_bits, 1),
        row_end = literal(row_bits, rows.output as i64 - 1),
        column0 = literal(column_bits, 0),
        column1 = literal(column_bits, 1),
        column_end = literal(column_bits, columns.output as i64 - 1),
        row_step = number(row_step),
        step = number(columns.stride),
    );
    for (name, axis, width) in [("row", rows, row_bits), ("column", columns, column_bits)] {
        for tap in 0..axis.size {
            if let Some(inside) = inside(name, axis, tap, width) {
                let _ = write!(
                    text,
                    "  reg {name}_inside{tap};\n  always @(posedge clk) {name}_inside{tap} <= {inside};\n"
                );
            }
        }
    }
    let words = (0..window.geometry.taps()).rev().map(|tap| {
        let low = window.delay(tap) as u32 * bits;
        let word = format!("line[{}:{low}]", low + bits - 1);
        let (a, b) = (tap / columns.size, tap % columns.size);
        let masks: Vec<String> = [
            ("row", rows, a, row_bits),
            ("column", columns, b, column_bits),
        ]
        .into_iter()
        .filter(|(name, axis, tap, width)| inside(name, axis, *tap, *width).is_some())
        .map(|(name, _, tap, _)| format!("{name}_inside{tap}"))
        .collect();
        if masks.is_empty() {
            word
        } else {
            format!("{word} & {{{bits}{{{}}}}}", masks.join(" & "))
        }
    });
    let words: Vec<String> = words.collect();
    let _ = write!(
        text,
        "  wire [{}:0] words = {{\n    {}\n  }};\n",
        bits * window.geometry.taps() as u32 - 1,
        words.join(",\n    ")
    );
    text
}

/// When a tap of an axis lies inside of the image, by the counter of outputs; `None`: always.
pub(super) fn inside(
    counter: &str,
    axis: &bitfront_network::Axis,
    tap: usize,
    width: u32,
) -> Option<String> {
    let holds = |out: usize| axis.source(out, tap).is_some();
    let first = (0..axis.output).find(|out| holds(*out));
    let last = (0..axis.output).rev().find(|out| holds(*out));
    let (Some(first), Some(last)) = (first, last) else {
        return Some("1'b0".to_owned());
    };
    let mut terms = Vec::new();
    if first > 0 {
        terms.push(format!("({counter} >= {})", literal(width, first as i64)));
    }
    if last + 1 < axis.output {
        terms.push(format!("({counter} <= {})", literal(width, last as i64)));
    }
    (!terms.is_empty()).then(|| terms.join(" & "))
}

pub(super) fn bus_bits(ports: &[Port]) -> u32 {
    ports.iter().map(|port| port.width).sum()
}

/// Bits of a counter with so many values, at least 1.
pub(super) fn counter_bits(values: u64) -> u32 {
    (64 - values.saturating_sub(1).leading_zeros()).max(1)
}
