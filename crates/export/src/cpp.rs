//! The integer network as a C++14 header of its own.
//!
//! The rule this module keeps: the header needs the standard library alone, and integers of 64 bits.

use std::fmt::Write as _;

use bitfront_network::{IntegerProgram, SoftmaxProgram};

use crate::ExportError;
use crate::plan::Plan;
use crate::source::{Language, Source, softmax_shifts};

const RUNTIME: &str = include_str!("cpp_runtime.hpp");

pub(crate) fn text(program: &IntegerProgram) -> Result<String, ExportError> {
    let plan = Plan::of(program, "cpp")?;
    let source = Source::of(&plan, Language::Cpp);
    let range = plan.input_range;
    let mut text = format!(
        "// An integer network, written by `bitfront export --to cpp`.
// Candidate {digest}.
//
// Inputs are codes: value = code * 2^-input_fraction, from input_low to input_high, channels last.
// logits() gives codes with the fraction output_fraction.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bitfront_network {{

constexpr int inputs = {inputs};
constexpr int outputs = {outputs};
constexpr int input_fraction = {input_fraction};
constexpr std::int32_t input_low = {low}, input_high = {high};
constexpr int output_fraction = {output_fraction};

{RUNTIME}
namespace constants {{
{constants}}}  // namespace constants

",
        digest = program.candidate.digest(),
        inputs = plan.inputs,
        outputs = plan.outputs,
        input_fraction = plan.input_fraction,
        low = range.lo,
        high = range.hi,
        output_fraction = plan.output_fraction,
        constants = source.constants,
    );
    if plan.input_rounds {
        text.push_str(
            "// The code of a standardised input: the nearest, ties to even, clipped.
inline std::int32_t input_code(float value) {
  const double scaled = std::ldexp(static_cast<double>(value), input_fraction);
  if (!(scaled > input_low)) return input_low;
  if (scaled >= input_high) return input_high;
  const double floor = std::floor(scaled), rest = scaled - floor;
  const bool up = rest > 0.5 || (rest == 0.5 && std::fmod(floor, 2.0) != 0.0);
  return static_cast<std::int32_t>(floor) + (up ? 1 : 0);
}

",
        );
    }
    let _ = write!(
        text,
        "// Logits of one row of {} input codes.
inline std::vector<std::int64_t> logits(const std::int32_t* codes) {{
  using namespace constants;
  const detail::Values x(codes, codes + inputs);
{}  return {};
}}
",
        plan.inputs,
        source.body,
        Source::last(&plan),
    );
    if plan.classifies {
        text.push_str(
            "
// Class of one row: the largest logit, the lowest index on a tie.
inline int classify(const std::int32_t* codes) {
  const std::vector<std::int64_t> all = logits(codes);
  return static_cast<int>(std::max_element(all.begin(), all.end()) - all.begin());
}
",
        );
    }
    if let Some(softmax) = &plan.softmax {
        text.push_str(&probabilities(softmax));
    }
    text.push_str("\n}  // namespace bitfront_network\n");
    Ok(text)
}

fn probabilities(softmax: &SoftmaxProgram) -> String {
    let tables = &softmax.tables;
    let [address_shift, down] = softmax_shifts(softmax);
    format!(
        "
// Probabilities of one row by the integer softmax, in units of 2^-{output}.
inline std::vector<std::uint32_t> probabilities(const std::int32_t* codes) {{
  const detail::Softmax softmax{{{bits}, {address_shift}, {exp}, {inverse_shift}, {down}, {output}}};
  return softmax.probabilities(constants::exp, constants::inverse, logits(codes));
}}
",
        output = tables.output_fraction,
        bits = tables.address_bits,
        exp = tables.exp_fraction,
        inverse_shift = softmax.inverse_shift,
    )
}
