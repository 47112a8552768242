//! What C++ and Rust have in common: constants, and one call a step.

use std::fmt::Write as _;

use bitfront_network::{Axis, Geometry, SoftmaxProgram};
use bitfront_quantizer::{Fixed, FixedRounding, Overflow};

use crate::plan::{Action, Plan, Slot, Step};
use crate::plan_activation::Rule;

/// Numbers in a line of a table.
const IN_LINE: usize = 24;

/// How far a distance of logits moves left to be an address of the table of exponentials, and how far a
/// product of both tables moves right to be a probability.
pub(crate) fn softmax_shifts(softmax: &SoftmaxProgram) -> [i32; 2] {
    let tables = &softmax.tables;
    let product = (tables.exp_fraction + tables.inverse_fraction) as i32;
    [
        tables.address_fraction as i32 - softmax.logit_fraction,
        product - tables.output_fraction as i32,
    ]
}

/// The language that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Cpp,
    Rust,
}

/// A network's constants and the body of its function.
pub(crate) struct Source {
    language: Language,
    pub(crate) constants: String,
    pub(crate) body: String,
}

impl Source {
    /// Constants and body of a plan; the body leaves the logits in [`Source::last`].
    pub(crate) fn of(plan: &Plan, language: Language) -> Self {
        let mut source = Self {
            language,
            constants: String::new(),
            body: String::new(),
        };
        for (at, step) in plan.steps.iter().enumerate() {
            source.step(at, step);
        }
        if let Some(softmax) = &plan.softmax {
            let wide = |table: &[u32]| table.iter().map(|v| i64::from(*v)).collect::<Vec<_>>();
            source.constant("exp", &wide(&softmax.exp));
            source.constant("inverse", &wide(&softmax.inverse));
        }
        source
    }

    /// The variable of the logits.
    pub(crate) fn last(plan: &Plan) -> String {
        variable(match plan.steps.len() {
            0 => Slot::Input,
            count => Slot::Step(count - 1),
        })
    }

    /// Writes a table in the narrowest type that holds it; answers with how it is passed on.
    fn constant(&mut self, name: &str, values: &[i64]) -> String {
        let (lo, hi) = values.iter().fold((0, 0), |(lo, hi), v| {
            (v.min(&lo).to_owned(), v.max(&hi).to_owned())
        });
        let widths = [8u32, 16, 32, 64];
        let fits = |width: &&u32| {
            let limit = 1i128 << (**width - 1);
            i128::from(lo) >= -limit && i128::from(hi) < limit
        };
        let width = widths.iter().find(fits).copied().unwrap_or(64);
        // No table is empty in C++.
        let values = if values.is_empty() { &[0] } else { values };
        let (name, open, close) = match self.language {
            Language::Cpp => {
                let open = format!("static constexpr std::int{width}_t {name}[] = {{");
                (name.to_owned(), open, "};")
            }
            Language::Rust => {
                let upper = name.to_uppercase();
                let open = format!("static {upper}: [i{width}; {}] = [", values.len());
                (format!("&{upper}"), open, "];")
            }
        };
        self.constants.push_str(&open);
        for line in values.chunks(IN_LINE) {
            let line: Vec<String> = line.iter().map(i64::to_string).collect();
            let _ = write!(self.constants, "\n    {},", line.join(", "));
        }
        let _ = writeln!(self.constants, "\n{close}");
        name
    }

    fn window(&self, window: &Geometry) -> String {
        let axis = |a: &Axis| {
            let Axis {
                input,
                output,
                size,
                stride,
                dilation,
                before,
            } = a;
            match self.language {
                Language::Cpp => {
                    format!("{{{input}, {output}, {size}, {stride}, {dilation}, {before}}}")
                }
                Language::Rust => format!(
                    "Axis {{ input: {input}, output: {output}, size: {size}, stride: {stride}, \
                     dilation: {dilation}, before: {before} }}"
                ),
            }
        };
        let (rows, columns) = (axis(&window.rows), axis(&window.columns));
        match self.language {
            Language::Cpp => format!("{{{rows}, {columns}}}"),
            Language::Rust => format!("&Window {{ rows: {rows}, columns: {columns} }}"),
        }
    }

    fn line(&mut self, step: &Step, target: &str, call: &str) {
        let name = step.name.replace(['\n', '\r', '\\'], " ");
        let _ = match self.language {
            Language::Cpp => writeln!(
                self.body,
                "  const detail::Values {target} = detail::{call};  // {name}"
            ),
            Language::Rust => writeln!(self.body, "    let {target} = {call}; // {name}"),
        };
    }

    /// A step of several calls, all with `target` last.
    fn lines(&mut self, step: &Step, target: &str, calls: &[String]) {
        let name = step.name.replace(['\n', '\r', '\\'], " ");
        let _ = match self.language {
            Language::Cpp => writeln!(self.body, "  detail::Values {target};  // {name}"),
            Language::Rust => writeln!(self.body, "    let mut {target} = Vec::new(); // {name}"),
        };
        for call in calls {
            let _ = match self.language {
                Language::Cpp => writeln!(self.body, "  detail::{call}, {target});"),
                Language::Rust => writeln!(self.body, "    {call}, &mut {target});"),
            };
        }
    }

    fn step(&mut self, at: usize, step: &Step) {
        let cpp = self.language == Language::Cpp;
        let target = variable(Slot::Step(at));
        let read = |slot: &Slot| {
            let name = variable(*slot);
            if cpp { name } else { format!("&{name}") }
        };
        let x = read(&step.sources[0]);
        let call = match &step.action {
            Action::Sums {
                window,
                depthwise,
                inputs,
                outputs,
                kernel,
                bias,
            } => {
                let kernel = self.constant(&format!("kernel{at}"), kernel);
                let bias = self.constant(&format!("bias{at}"), bias);
                let sizes = format!("{inputs}, {outputs}");
                let sizes = if cpp { sizes } else { format!("({sizes})") };
                let window = self.window(window);
                format!("sums({window}, {depthwise}, {sizes}, {kernel}, {bias}, {x})")
            }
            Action::Maxima { window, channels } => {
                format!("maxima({}, {channels}, {x})", self.window(window))
            }
            Action::Means {
                window,
                channels,
                factor,
            } => {
                let factor = self.constant(&format!("factor{at}"), factor);
                format!("means({}, {channels}, {factor}, {x})", self.window(window))
            }
            Action::Gather(places) => {
                let table = self.constant(&format!("places{at}"), places);
                let count = if cpp {
                    format!(", {}", places.len())
                } else {
                    String::new()
                };
                format!("gather({table}{count}, {x})")
            }
            Action::Copy => {
                let name = variable(step.sources[0]);
                let line = if cpp {
                    format!(
                        "  const detail::Values& {target} = {name};  // {}\n",
                        step.name
                    )
                } else {
                    format!("    let {target} = {name}.clone(); // {}\n", step.name)
                };
                self.body.push_str(&line);
                return;
            }
            Action::Scale { factor, offset } => {
                let channels = if cpp {
                    format!(", {}", factor.len())
                } else {
                    String::new()
                };
                let factor = self.constant(&format!("factor{at}"), factor);
                let offset = self.constant(&format!("offset{at}"), offset);
                format!("scale({factor}, {offset}{channels}, {x})")
            }
            Action::Add(factors) => {
                let mut calls = Vec::new();
                for (n, (slot, factor)) in step.sources.iter().zip(factors).enumerate() {
                    let channels = if cpp {
                        format!(", {}", factor.len())
                    } else {
                        String::new()
                    };
                    let table = self.constant(&format!("factor{at}_{n}"), factor);
                    calls.push(format!("add({table}{channels}, {}", read(slot)));
                }
                self.lines(step, &target, &calls);
                return;
            }
            Action::Concatenate(channels) => {
                let all: usize = channels.iter().sum();
                let mut before = 0;
                let mut calls = Vec::new();
                for (slot, channels) in step.sources.iter().zip(channels) {
                    calls.push(format!("join({before}, {channels}, {all}, {}", read(slot)));
                    before += channels;
                }
                self.lines(step, &target, &calls);
                return;
            }
            Action::Activation { channels, rule } => self.activation(at, *channels, rule, &x),
        };
        self.line(step, &target, &call);
    }

    fn activation(&mut self, at: usize, channels: usize, rule: &Rule, x: &str) -> String {
        let cpp = self.language == Language::Cpp;
        let count = if cpp {
            format!("{channels}, ")
        } else {
            String::new()
        };
        let shifts = |source: &mut Self, shift: &[i32]| {
            let wide: Vec<i64> = shift.iter().map(|s| i64::from(*s)).collect();
            source.constant(&format!("shift{at}"), &wide)
        };
        match rule {
            Rule::Round { shift, range } => {
                let shift = shifts(self, shift);
                let ends = format!("{}, {}", range.lo, range.hi);
                let ends = if cpp { ends } else { format!("({ends})") };
                format!("round({shift}, {count}{ends}, {x})")
            }
            Rule::Fixed { shift, fixed } => {
                let shift = shifts(self, shift);
                format!("fixed({shift}, {count}{}, {x})", self.fixed(fixed))
            }
            Rule::Steps {
                start,
                thresholds,
                codes,
            } => {
                let start = self.constant(&format!("start{at}"), start);
                let thresholds = self.constant(&format!("thresholds{at}"), thresholds);
                let codes = self.constant(&format!("codes{at}"), codes);
                format!("steps({start}, {thresholds}, {codes}, {channels}, {x})")
            }
            Rule::Table {
                start,
                lowest,
                codes,
            } => {
                let start = self.constant(&format!("start{at}"), start);
                let lowest = self.constant(&format!("lowest{at}"), lowest);
                let codes = self.constant(&format!("codes{at}"), codes);
                format!("table({start}, {lowest}, {codes}, {count}{x})")
            }
        }
    }

    fn fixed(&self, fixed: &Fixed) -> String {
        let (rounding, short_rounding) = match fixed.rounding {
            FixedRounding::Trn => ("Trn", "trn"),
            FixedRounding::TrnZero => ("TrnZero", "trn_zero"),
            FixedRounding::Rnd => ("Rnd", "rnd"),
            FixedRounding::RndZero => ("RndZero", "rnd_zero"),
            FixedRounding::RndMinInf => ("RndMinInf", "rnd_min_inf"),
            FixedRounding::RndInf => ("RndInf", "rnd_inf"),
            FixedRounding::RndConv => ("RndConv", "rnd_conv"),
        };
        let (overflow, short_overflow) = match fixed.overflow {
            Overflow::Wrap => ("Wrap", "wrap"),
            Overflow::WrapSm => ("WrapSm", "wrap_sm"),
            Overflow::Sat => ("Sat", "sat"),
            Overflow::SatZero => ("SatZero", "sat_zero"),
            Overflow::SatSym => ("SatSym", "sat_sym"),
        };
        let Fixed {
            signed,
            width,
            saturated_bits,
            ..
        } = fixed;
        let (low, high) = code_range(fixed);
        match self.language {
            Language::Cpp => format!(
                "detail::Fixed{{{signed}, {width}, detail::Rounding::{short_rounding}, \
                 detail::Overflow::{short_overflow}, {saturated_bits}, {low}, {high}}}"
            ),
            Language::Rust => format!(
                "&Fixed {{ signed: {signed}, width: {width}, rounding: Rounding::{rounding}, \
                 overflow: Overflow::{overflow}, saturated: {saturated_bits}, low: {low}, \
                 high: {high} }}"
            ),
        }
    }
}

/// Smallest and largest code of a fixed-point type.
fn code_range(fixed: &Fixed) -> (i64, i64) {
    if fixed.signed {
        let m = 1i64 << (fixed.width - 1);
        let symmetric = fixed.overflow == Overflow::SatSym && fixed.width > 1;
        (i64::from(symmetric) - m, m - 1)
    } else {
        (0, (1i64 << fixed.width) - 1)
    }
}

fn variable(slot: Slot) -> String {
    match slot {
        Slot::Input => "x".into(),
        Slot::Step(at) => format!("v{at}"),
    }
}
