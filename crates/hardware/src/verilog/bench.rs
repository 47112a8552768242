//! The Verilator test bench, its vectors and its report.

use super::bus::pack_hex;
use crate::circuit::Circuit;
use std::fmt::Write;

/// A C++ test bench for the module that [`emit`](super::emit) wrote under the same name.
///
/// Build it with `verilator --cc --exe --build MODULE.v BENCH.cpp --top-module MODULE` and give it
/// the path of a vectors file. It streams the rows back to back, one a clock, expects the logits of
/// each row exactly [`Circuit::cycles`] clock edges after the row was put on the bus, and compares
/// every output bit; twice, with all that nothing drives or sets at zero, then at one. On standard
/// output it prints
/// `vectors N mismatches M first R` (`R` is the first row that differs, -1 if none). The exit code is
/// 0 only when every row was equal and there was at least one; 2 for a file it cannot read.
///
/// Of a circuit with flags of valid rows the second pass is with pauses in which the bus carries other rows; `out_valid` must
/// say of each clock whether a row is out, and a reset take back what is on its way.
pub fn test_bench(circuit: &Circuit, module_name: &str) -> String {
    let input_bits = circuit.input_bits();
    let output_bits = circuit.output_bits();
    let runs = if circuit.has_valid() {
        WITH_FLAGS
    } else {
        PLAIN
    };
    TEMPLATE
        .replace("@RUNS@", runs)
        .replace("@MODULE@", module_name)
        .replace("@CYCLES@", &circuit.cycles().to_string())
        .replace("@INPUT_WORDS@", &input_bits.div_ceil(32).to_string())
        .replace("@OUTPUT_WORDS@", &output_bits.div_ceil(32).to_string())
        .replace("@DRIVE@", &drive(input_bits))
        .replace("@SAMPLE@", &sample(output_bits))
}

/// The vectors file: one line a row, the packed input bus and the expected packed output bus in
/// hexadecimal. `inputs` are rows of input codes, `expected` rows of logit codes.
///
/// # Panics
/// Unless both have as many whole rows.
pub fn vectors_file(circuit: &Circuit, inputs: &[i64], expected: &[i64]) -> String {
    let (columns, outputs) = (circuit.inputs().len(), circuit.outputs().len());
    assert_eq!(inputs.len() % columns, 0, "whole rows");
    assert_eq!(
        inputs.len() / columns * outputs,
        expected.len(),
        "as many rows"
    );
    let mut text = String::new();
    for (row, logits) in inputs.chunks(columns).zip(expected.chunks(outputs)) {
        let _ = writeln!(
            text,
            "{} {}",
            pack_hex(circuit.inputs(), row),
            pack_hex(circuit.outputs(), logits)
        );
    }
    text
}

/// What a test bench found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BenchReport {
    /// Rows compared.
    pub vectors: u64,
    /// Rows with at least one wrong output bit.
    pub mismatches: u64,
    /// The first of them.
    pub first: Option<u64>,
}

/// A test bench's output without a report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no line `vectors N mismatches M first R` in the test bench's output: `{0}`")]
pub struct BenchReportError(String);

/// Reads the report from what a test bench printed.
///
/// # Errors
/// [`BenchReportError`] when there is no such line.
pub fn parse_bench_report(output: &str) -> Result<BenchReport, BenchReportError> {
    output
        .lines()
        .find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let ["vectors", vectors, "mismatches", mismatches, "first", first] = fields[..] else {
                return None;
            };
            Some(BenchReport {
                vectors: vectors.parse().ok()?,
                mismatches: mismatches.parse().ok()?,
                first: match first {
                    "-1" => None,
                    row => Some(row.parse().ok()?),
                },
            })
        })
        .ok_or_else(|| BenchReportError(output.chars().take(400).collect()))
}

/// C++ that puts `row.in` on the input bus, and that reads the output bus into `got`.
pub(crate) fn reads_and_writes(input_bits: u32, output_bits: u32) -> (String, String) {
    (drive(input_bits), sample(output_bits))
}

fn drive(bits: u32) -> String {
    match bits {
        ..=32 => "top->inputs = row.in[0];".to_owned(),
        33..=64 => "top->inputs = row.in[0] | (uint64_t(row.in[1]) << 32);".to_owned(),
        _ => "for (int k = 0; k < INPUT_WORDS; k++) top->inputs[k] = row.in[k];".to_owned(),
    }
}

fn sample(bits: u32) -> String {
    match bits {
        ..=32 => "got[0] = top->outputs;".to_owned(),
        33..=64 => {
            "got[0] = uint32_t(top->outputs); got[1] = uint32_t(top->outputs >> 32);".to_owned()
        }
        _ => "for (int k = 0; k < OUTPUT_WORDS; k++) got[k] = top->outputs[k];".to_owned(),
    }
}

const PLAIN: &str = r"    for (long edge = 0; edge < count + CYCLES - 1; edge++) {
      const Row& row = rows[edge < count ? edge : count - 1];
      @DRIVE@
      top->clk = 0;
      top->eval();
      top->clk = 1;
      top->eval();
      const long done = edge - (CYCLES - 1);
      if (done < 0) continue;
      uint32_t got[OUTPUT_WORDS];
      @SAMPLE@
      if (std::memcmp(got, rows[done].out, sizeof got) != 0) wrong[done] = true;
    }
";

/// Pauses are those of a fixed congruential generator.
const WITH_FLAGS: &str = r"    // Rows by the edges that took them, -1 in a pause; those before a reset never come out.
    std::vector<long> taken;
    long sent = 0, given = 0;
    for (long edge = -2; given < count && edge < 16 * (count + CYCLES); edge++) {
      state = state * 1664525u + 1013904223u;
      const bool pauses = edge >= 0 && (sent == count || (pass == 1 && (state >> 24) % 3 != 0));
      const Row& row = rows[pauses ? long(state % count) : sent];
      @DRIVE@
      top->rst = edge == -1;
      top->in_valid = !pauses;
      top->clk = 0;
      top->eval();
      top->clk = 1;
      top->eval();
      if (edge == -1 && top->out_valid) wrong[0] = true;
      if (edge < 0) continue;
      taken.push_back(pauses ? -1 : sent);
      if (!pauses) sent++;
      const long done = edge < CYCLES - 1 ? -1 : taken[edge - (CYCLES - 1)];
      if (bool(top->out_valid) != (done >= 0)) wrong[given] = true;
      if (done < 0) continue;
      given++;
      uint32_t got[OUTPUT_WORDS];
      @SAMPLE@
      if (std::memcmp(got, rows[done].out, sizeof got) != 0) wrong[done] = true;
    }
";

const TEMPLATE: &str = r#"// Streams the rows of a vectors file through @MODULE@, one a clock, and compares every output bit.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "V@MODULE@.h"
#include "verilated.h"

static const int INPUT_WORDS = @INPUT_WORDS@;
static const int OUTPUT_WORDS = @OUTPUT_WORDS@;
static const long CYCLES = @CYCLES@;

struct Row {
  uint32_t in[INPUT_WORDS];
  uint32_t out[OUTPUT_WORDS];
};

// Hexadecimal, highest digit first, into 32-bit words, lowest first.
static bool read_hex(const std::string& text, uint32_t* words, int count) {
  std::memset(words, 0, sizeof(uint32_t) * count);
  int place = 0;
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, ++place) {
    int value = *digit >= '0' && *digit <= '9'   ? *digit - '0'
                : *digit >= 'a' && *digit <= 'f' ? *digit - 'a' + 10
                                                 : -1;
    if (value < 0) return false;
    if (place / 8 >= count) {
      if (value != 0) return false;
      continue;
    }
    words[place / 8] |= uint32_t(value) << (4 * (place % 8));
  }
  return place > 0;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " VECTORS\n";
    return 2;
  }
  std::ifstream file(argv[1]);
  std::vector<Row> rows;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string in, out;
    Row row;
    if (!(fields >> in >> out) || !read_hex(in, row.in, INPUT_WORDS) ||
        !read_hex(out, row.out, OUTPUT_WORDS)) {
      std::cerr << "cannot read line " << rows.size() + 1 << " of " << argv[1] << "\n";
      return 2;
    }
    rows.push_back(row);
  }
  const long count = long(rows.size());
  std::vector<bool> wrong(rows.size());
  uint32_t state = 1;
  for (int pass = 0; count > 0 && pass < 2; pass++) {
    // What nothing drives or sets is zeros in one pass and ones in the other: outputs that depend on it differ in one.
    auto context = std::make_unique<VerilatedContext>();
    context->randReset(pass);
    auto top = std::make_unique<V@MODULE@>(context.get());
    top->clk = 0;
    top->eval();
@RUNS@    top->final();
  }
  long mismatches = 0, first = -1;
  for (long row = 0; row < count; row++) {
    if (!wrong[row]) continue;
    mismatches++;
    if (first < 0) first = row;
  }
  std::printf("vectors %ld mismatches %ld first %ld\n", count, mismatches, first);
  return count > 0 && mismatches == 0 ? 0 : 1;
}
"#;
