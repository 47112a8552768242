//! The integer network as a Rust file of its own.
//!
//! The rule this module keeps: the file needs the standard library alone, and is a module of any
//! edition from 2021 on.

use std::fmt::Write as _;

use bitfront_network::{IntegerProgram, SoftmaxProgram};

use crate::ExportError;
use crate::plan::Plan;
use crate::source::{Language, Source, softmax_shifts};

const RUNTIME: &str = include_str!("rust_runtime.rs");

pub(crate) fn text(program: &IntegerProgram) -> Result<String, ExportError> {
    let plan = Plan::of(program, "rust")?;
    let source = Source::of(&plan, Language::Rust);
    let range = plan.input_range;
    let mut text = format!(
        "//! An integer network, written by `bitfront export --to rust`.
//! Candidate {digest}.
//!
//! Inputs are codes: value = code * 2^-INPUT_FRACTION, within INPUT_RANGE, channels last. `logits`
//! gives codes with the fraction OUTPUT_FRACTION.
#![allow(dead_code, clippy::all, clippy::pedantic)]
#![cfg_attr(rustfmt, rustfmt_skip)]

/// Input codes of a row.
pub const INPUTS: usize = {inputs};
/// Logits of a row.
pub const OUTPUTS: usize = {outputs};
/// Bits of an input code right of the binary point.
pub const INPUT_FRACTION: i32 = {input_fraction};
/// Smallest and largest input code.
pub const INPUT_RANGE: (i32, i32) = ({low}, {high});
/// Bits of a logit right of the binary point.
pub const OUTPUT_FRACTION: i32 = {output_fraction};

",
        digest = program.candidate.digest(),
        inputs = plan.inputs,
        outputs = plan.outputs,
        input_fraction = plan.input_fraction,
        low = range.lo,
        high = range.hi,
        output_fraction = plan.output_fraction,
    );
    if plan.input_rounds {
        text.push_str(
            "/// The code of a standardised input: the nearest, ties to even, clipped.
pub fn input_code(value: f32) -> i32 {
    let scaled = f64::from(value) * 2f64.powi(INPUT_FRACTION);
    let (low, high) = INPUT_RANGE;
    if scaled.is_nan() {
        return low;
    }
    (scaled.clamp(f64::from(low), f64::from(high))).round_ties_even() as i32
}

",
        );
    }
    let _ = write!(
        text,
        "/// Logits of one row of input codes.
///
/// # Panics
/// If there are not [`INPUTS`] codes.
pub fn logits(codes: &[i32]) -> Vec<i64> {{
    assert_eq!(codes.len(), INPUTS, \"one row of codes\");
    let x: Vec<i64> = codes.iter().map(|c| i64::from(*c)).collect();
{}    {}
}}

",
        source.body,
        Source::last(&plan),
    );
    if plan.classifies {
        text.push_str(
            "/// Class of one row: the largest logit, the lowest index on a tie.
///
/// # Panics
/// As [`logits`].
pub fn classify(codes: &[i32]) -> usize {
    let all = logits(codes);
    (1..all.len()).fold(0, |best, j| if all[j] > all[best] { j } else { best })
}

",
        );
    }
    if let Some(softmax) = &plan.softmax {
        text.push_str(&probabilities(softmax));
    }
    text.push_str(RUNTIME);
    text.push('\n');
    text.push_str(&source.constants);
    Ok(text)
}

fn probabilities(softmax: &SoftmaxProgram) -> String {
    let tables = &softmax.tables;
    let [address_shift, down] = softmax_shifts(softmax);
    format!(
        "/// Probabilities of one row by the integer softmax, in units of 2^-{output}.
///
/// # Panics
/// As [`logits`].
pub fn probabilities(codes: &[i32]) -> Vec<u32> {{
    let softmax = Softmax {{
        address_bits: {bits},
        address_shift: {address_shift},
        exp_fraction: {exp},
        inverse_shift: {inverse_shift},
        down: {down},
        output_fraction: {output},
    }};
    softmax.probabilities(&EXP, &INVERSE, &logits(codes))
}}

",
        output = tables.output_fraction,
        bits = tables.address_bits,
        exp = tables.exp_fraction,
        inverse_shift = softmax.inverse_shift,
    )
}
