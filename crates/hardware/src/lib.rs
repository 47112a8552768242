//! Costs, circuits and RTL of candidates: what a network takes on an FPGA.
//!
//! Three levels of knowing, each with its own type, so that they are never mixed:
//!
//! * [`candidate_costs`] (tier 0): from the quantizers alone, in microseconds, before training.
//! * [`program_costs`] (tier 1): from the actual weights. The trained network becomes a [`Circuit`] of
//!   shifts and additions, and its parts are priced.
//! * [`synthesis_report::SynthesisReport`]: what Yosys counted, for those that are synthesised. This crate
//!   writes the RTL, the test bench and the script, and reads the report; it starts no processes.
//!
//! [`Circuit`]: circuit::Circuit
//!
//! ```
//! use bitfront_hardware::circuit::Circuit;
//! use bitfront_hardware::{program_costs, verilog};
//! use bitfront_network::{Candidate, Head, IntegerProgram, Layer, Operation, SCALE_BITS, Weights};
//!
//! let dense = |name: &str| Layer::new(name, Operation::Dense {
//!     units: 2,
//!     kernel: "quantized_bits(4,1,alpha=1.0)".parse().unwrap(),
//!     bias: Some("quantized_bits(4,1,alpha=1.0)".parse().unwrap()),
//!     fold: None,
//! });
//! let relu = Operation::Activation { quantizer: "quantized_relu(4,2)".parse().unwrap() };
//! let candidate = Candidate {
//!     input_shape: vec![2],
//!     input_quantizer: "quantized_bits(6,2,alpha=1.0)".parse().unwrap(),
//!     layers: vec![dense("fc1"), Layer::new("relu1", relu), dense("fc2")],
//!     head: Head::ARG_MAX,
//!     scale_bits: SCALE_BITS,
//! };
//! let weights = Weights::build(&candidate, |tensor| match tensor.shape.len() {
//!     2 => vec![0.75, -1.0, 0.5, 0.25],
//!     _ => vec![0.25, 0.0],
//! });
//! let program = IntegerProgram::freeze(&candidate, &weights).unwrap();
//!
//! let circuit = Circuit::build(&program).unwrap();
//! circuit.check_against(&program).unwrap();
//! assert_eq!(circuit.evaluate(&[3, -4]), program.logits(&[3, -4]));
//! assert_eq!(program_costs(&program).unwrap().cycles, 3);
//! assert!(verilog::emit(&circuit, "tagger").contains("module tagger"));
//! ```
//!
//! # The LUT estimate against synthesis
//!
//! Random networks with 8-bit inputs; `w` and `a` are bits of weights and activations. LUT, FF, CARRY4 and
//! levels are Yosys 0.23's for `xcup` without DSP blocks; nothing is placed or routed. The factors are
//! fitted on the first twelve; the last four were not used. Tier 0 does not know the weights and so
//! cannot know zeros. Printed by
//!
//! ```text
//! cargo run --release -p bitfront-hardware --example calibrate
//! ```
//!
//! | network | adders | adder cells | requantizer bits | comparator bits | tier 0 | estimate | LUT | error % | FF estimate | FF | CARRY4 | levels | cycles | s |
//! |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
//! | 8-8 w6 | 86 | 784 | 0 | 0 | 838 | 810 | 826 | -1.9 | 186 | 186 | 235 | 15 | 2 | 7 |
//! | 8-8 w4, positive | 64 | 544 | 0 | 0 | 522 | 562 | 558 | +0.7 | 174 | 174 | 180 | 12 | 2 | 6 |
//! | 16-8-5 w6 a6 | 232 | 2072 | 68 | 0 | 2179 | 2206 | 2165 | +1.9 | 334 | 334 | 659 | 23 | 4 | 10 |
//! | 16-16-16-5 w2 a3 | 315 | 1751 | 178 | 0 | 1782 | 1980 | 2000 | -1.0 | 260 | 260 | 633 | 17 | 4 | 9 |
//! | 16-16-16-5 w3 a4, 50 % zeros | 249 | 1447 | 190 | 0 | 2995 | 1677 | 1670 | +0.4 | 284 | 284 | 579 | 18 | 4 | 7 |
//! | 16-16-16-5 w4 a4, 70 % zeros | 183 | 1001 | 149 | 0 | 3997 | 1177 | 1170 | +0.6 | 277 | 277 | 427 | 17 | 4 | 7 |
//! | 16-16-16-5 w4 a4 | 516 | 3556 | 208 | 0 | 3997 | 3873 | 3863 | +0.3 | 310 | 310 | 1225 | 22 | 4 | 13 |
//! | 16-16-16-5 w6 a6, 60 % zeros | 368 | 2736 | 242 | 0 | 7266 | 3059 | 3143 | -2.7 | 363 | 363 | 920 | 20 | 4 | 14 |
//! | 16-16-5 w4, signed a5 | 244 | 1975 | 127 | 0 | 2675 | 2162 | 2128 | +1.6 | 263 | 263 | 684 | 20 | 3 | 10 |
//! | 16-12-5 w3, step functions | 150 | 1081 | 0 | 802 | 1466 | 1258 | 1273 | -1.2 | 208 | 208 | 401 | 19 | 3 | 15 |
//! | 16-16-16-5 w2, step functions | 152 | 779 | 0 | 1115 | 1782 | 1001 | 966 | +3.6 | 219 | 219 | 315 | 15 | 4 | 14 |
//! | 8-24-5 w4, step functions | 142 | 846 | 0 | 1493 | 2448 | 1137 | 1168 | -2.7 | 219 | 219 | 337 | 17 | 3 | 12 |
//! | held out: 16-16-16-5 w5 a5, 40 % zeros | 444 | 3185 | 247 | 0 | 5540 | 3527 | 3558 | -0.9 | 347 | 347 | 1092 | 22 | 4 | 12 |
//! | held out: 16-16-5 w4 a4 | 297 | 2383 | 101 | 0 | 2598 | 2559 | 2597 | -1.5 | 244 | 244 | 789 | 21 | 3 | 18 |
//! | held out: 16-12-8-5 w4, symmetric a4 | 264 | 1829 | 101 | 0 | 2386 | 1986 | 1949 | +1.9 | 254 | 254 | 685 | 19 | 4 | 15 |
//! | held out: 12-10-5 w3, step functions | 112 | 753 | 0 | 670 | 939 | 896 | 893 | +0.3 | 156 | 156 | 274 | 19 | 3 | 6 |
//!
//! Mean relative error: 1.5 % (worst 3.6 %) on the fitted, 1.1 % (worst 1.9 %) on the held out networks.
//! The flip-flop estimate is exact on all sixteen.
//!
//! Layer graphs of the tests, 5-bit inputs. "sequence" has convolutions and a frozen scale, "image"
//! convolutions, both pools and a batch normalisation, "residual" sums, a join and batch normalisations,
//! "maxima" pools beside dense layers at every position. Only the factor of the maxima was fitted, on
//! the first two. Printed by the same command with the argument `graph`.
//!
//! | network | adders | adder cells | requantizer bits | comparator bits | maximum bits | tier 0 | estimate | LUT | error % | FF estimate | FF | CARRY4 | levels | cycles | s |
//! |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
//! | graph: maxima | 48 | 200 | 128 | 0 | 208 | 658 | 642 | 596 | +7.7 | 248 | 248 | 168 | 12 | 3 | 8 |
//! | graph: maxima at every position | 106 | 468 | 0 | 0 | 156 | 780 | 717 | 850 | -15.6 | 279 | 279 | 292 | 18 | 2 | 11 |
//! | held out: graph: maxima | 36 | 140 | 124 | 0 | 208 | 658 | 576 | 644 | -10.6 | 248 | 248 | 176 | 14 | 3 | 9 |
//! | held out: graph: maxima at every position | 107 | 468 | 0 | 0 | 148 | 780 | 705 | 818 | -13.8 | 287 | 287 | 291 | 18 | 2 | 9 |
//! | held out: graph: sequence | 150 | 729 | 161 | 0 | 0 | 1026 | 908 | 904 | +0.4 | 226 | 217 | 308 | 18 | 4 | 11 |
//! | held out: graph: image | 1051 | 5767 | 265 | 0 | 678 | 9519 | 7229 | 7072 | +2.2 | 965 | 965 | 2266 | 22 | 6 | 36 |
//! | held out: graph: residual | 99 | 458 | 47 | 0 | 0 | 735 | 518 | 454 | +14.1 | 322 | 304 | 198 | 20 | 5 | 12 |
//!
//! Mean relative error of the held out graphs: 8.2 %. Maxima are the least certain part: a bit of one
//! takes between 1.3 and 2.4 LUTs, by what stands behind it.

pub mod adder_graph;
pub mod circuit;
pub mod costs;
mod lut_estimate;
mod program_costs;
pub mod synthesis_report;
mod tier0;
pub mod verilog;

pub use lut_estimate::Inventory;
pub use program_costs::{Costs, circuit_costs, program_costs};
pub use tier0::{Tier0, candidate_costs};
