//! The Verilator test bench of a streamed circuit and its vectors.

use std::fmt::Write;

use super::StreamedCircuit;
use crate::verilog::{pack_hex, reads_and_writes};

impl StreamedCircuit {
    /// A C++ test bench for the module that [`StreamedCircuit::verilog`] wrote under the same name.
    ///
    /// It streams all rows without a pause and checks the cycles that are said, then streams them again
    /// with pauses from a fixed seed, and compares every bit of every output beat both times. It prints the
    /// line of [`parse_bench_report`](crate::verilog::parse_bench_report), its exit codes are those of
    /// [`test_bench`](crate::verilog::test_bench); cycles that differ count as a mismatch of row 0.
    pub fn test_bench(&self, module: &str) -> String {
        let bits = |ports: &[crate::circuit::Port]| ports.iter().map(|p| p.width).sum::<u32>();
        let (input_bits, output_bits) = (bits(&self.inputs), bits(self.outputs()));
        let (drive, sample) = reads_and_writes(input_bits, output_bits);
        TEMPLATE
            .replace("@MODULE@", module)
            .replace("@INPUT_WORDS@", &input_bits.div_ceil(32).to_string())
            .replace("@OUTPUT_WORDS@", &output_bits.div_ceil(32).to_string())
            .replace("@BEATS@", &self.beats.to_string())
            .replace("@OUTPUT_BEATS@", &self.output_beats.to_string())
            .replace("@LATENCY@", &self.latency.to_string())
            .replace("@INTERVAL@", &self.initiation_interval().to_string())
            .replace("@DRIVE@", &drive.replace("row.in", "in"))
            .replace("@SAMPLE@", &sample)
    }

    /// The vectors file: a line a beat, `i HEX` for those of a row's input, then `o HEX` for those of its output.
    ///
    /// # Panics
    /// Unless both have as many whole rows.
    pub fn vectors_file(&self, inputs: &[i64], expected: &[i64]) -> String {
        let (words, outputs) = (self.inputs.len(), self.outputs().len());
        let (row, row_out) = (words * self.beats, outputs * self.output_beats);
        assert_eq!(inputs.len() / row * row, inputs.len(), "whole rows");
        assert_eq!(inputs.len() / row * row_out, expected.len(), "as many rows");
        let mut text = String::new();
        for (row, logits) in inputs.chunks(row).zip(expected.chunks(row_out)) {
            for beat in row.chunks(words) {
                let _ = writeln!(text, "i {}", pack_hex(&self.inputs, beat));
            }
            for beat in logits.chunks(outputs) {
                let _ = writeln!(text, "o {}", pack_hex(self.outputs(), beat));
            }
        }
        text
    }
}

const TEMPLATE: &str = r#"// Streams the rows of a vectors file through @MODULE@, without and with pauses, and compares every output bit.
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
static const long BEATS = @BEATS@;
static const long OUTPUT_BEATS = @OUTPUT_BEATS@;
static const long LATENCY = @LATENCY@;
static const long INTERVAL = @INTERVAL@;

typedef std::vector<uint32_t> Beat;

// Hexadecimal, highest digit first, into 32-bit words, lowest first.
static bool read_hex(const std::string& text, Beat& words) {
  int place = 0;
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, ++place) {
    int value = *digit >= '0' && *digit <= '9'   ? *digit - '0'
                : *digit >= 'a' && *digit <= 'f' ? *digit - 'a' + 10
                                                 : -1;
    if (value < 0) return false;
    if (size_t(place / 8) >= words.size()) {
      if (value != 0) return false;
      continue;
    }
    words[place / 8] |= uint32_t(value) << (4 * (place % 8));
  }
  return place > 0;
}

struct Run {
  long mismatches = 0, first = -1, latency = -1, interval = -1, rows = 0;
};

static Run run(const std::vector<Beat>& ins, const std::vector<Beat>& outs, bool pauses) {
  Run found;
  auto context = std::make_unique<VerilatedContext>();
  // What nothing drives or sets is zeros in one run and ones in the other: outputs that depend on it differ in one.
  context->randReset(pauses);
  auto top = std::make_unique<V@MODULE@>(context.get());
  auto edge = [&]() {
    top->clk = 0;
    top->eval();
    top->clk = 1;
    top->eval();
  };
  top->rst = 1;
  top->in_valid = 0;
  edge();
  edge();
  top->rst = 0;
  size_t sent = 0, got_beats = 0;
  long now = 0;
  uint64_t state = 88172645463325252ull;
  long idle = 0;
  while (got_beats < outs.size() && idle < 4 * (LATENCY + INTERVAL) + 1000) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    const bool offer = sent < ins.size() && (!pauses || (state >> 20) % 3 != 0);
    top->in_valid = offer;
    if (offer) {
      const uint32_t* in = ins[sent].data();
      @DRIVE@
    }
    top->clk = 0;
    top->eval();
    const bool taken = offer && top->in_ready;
    top->clk = 1;
    top->eval();
    if (taken) {
      if (sent == size_t(BEATS)) found.interval = now;
      sent++;
    }
    now++;
    idle++;
    if (taken) idle = 0;
    if (!top->out_valid) continue;
    idle = 0;
    uint32_t got[OUTPUT_WORDS];
    @SAMPLE@
    if (std::memcmp(got, outs[got_beats].data(), sizeof got) != 0) {
      found.mismatches++;
      if (found.first < 0) found.first = long(got_beats) / OUTPUT_BEATS;
    }
    got_beats++;
    if (long(got_beats) == OUTPUT_BEATS) found.latency = now;
    if (got_beats % OUTPUT_BEATS == 0) found.rows++;
  }
  if (got_beats < outs.size()) {
    found.mismatches++;
    if (found.first < 0) found.first = long(got_beats) / OUTPUT_BEATS;
  }
  top->final();
  return found;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: " << argv[0] << " VECTORS\n";
    return 2;
  }
  std::ifstream file(argv[1]);
  std::vector<Beat> ins, outs;
  std::string line;
  for (long number = 1; std::getline(file, line); number++) {
    std::istringstream fields(line);
    std::string kind, hex;
    fields >> kind >> hex;
    Beat beat(kind == "i" ? INPUT_WORDS : OUTPUT_WORDS);
    if ((kind != "i" && kind != "o") || !read_hex(hex, beat)) {
      std::cerr << "cannot read line " << number << " of " << argv[1] << "\n";
      return 2;
    }
    (kind == "i" ? ins : outs).push_back(beat);
  }
  const long rows = long(ins.size()) / BEATS;
  Run streamed = run(ins, outs, false);
  Run paused = run(ins, outs, true);
  long mismatches = streamed.mismatches + paused.mismatches;
  long first = streamed.first >= 0 ? streamed.first : paused.first;
  if (rows > 0 && streamed.latency != LATENCY) {
    std::cerr << "latency " << streamed.latency << " where " << LATENCY << " is said\n";
    mismatches++;
    if (first < 0) first = 0;
  }
  if (rows > 1 && streamed.interval != INTERVAL) {
    std::cerr << "interval " << streamed.interval << " where " << INTERVAL << " is said\n";
    mismatches++;
    if (first < 0) first = 0;
  }
  std::printf("vectors %ld mismatches %ld first %ld\n", rows, mismatches, first);
  return rows > 0 && mismatches == 0 ? 0 : 1;
}
"#;
