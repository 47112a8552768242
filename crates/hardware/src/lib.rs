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
//! # Carry cells, levels and Fmax
//!
//! Carry cells are those of each chain (adders, comparisons of maxima, roundings), four bits a cell ([`Circuit::carry_estimate`](circuit::Circuit::carry_estimate));
//! levels follow each bit through LUTs and chains ([`Circuit::levels_estimate`](circuit::Circuit::levels_estimate)). Nothing of
//! them is fitted. On the 23 networks below carry cells are 1.2 % off in the median and 4.9 % at worst, levels exact on nine and at most
//! three off. Block RAMs are none: an unrolled circuit has its weights in its wiring. Fmax is that of the delay model
//! ([`DelayModel`](circuit::DelayModel)), modelled and not measured: Yosys has no timing of the family, and nothing is placed here.
//!
//! # The LUT estimate against synthesis
//!
//! Random networks with 8-bit inputs; `w` and `a` are bits of weights and activations. LUT, FF, CARRY4 and
//! levels are Yosys 0.23's for `xcup` without DSP blocks; nothing is placed or routed. The factors are
//! fitted on the first twelve and the first and third graph below, once for all (adder cells were then
//! counted a little differently); those held out were not used. Tier 0 does not know the weights and so
//! cannot know zeros. Printed by
//!
//! ```text
//! cargo run --release -p bitfront-hardware --example calibrate
//! ```
//!
//! | network | adders | adder cells | requantizer bits | comparator bits | tier 0 | estimate | LUT | error % | FF estimate | FF | CARRY4 | levels | cycles | s |
//! |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
//! | 8-8 w6 | 83 | 717 | 0 | 0 | 838 | 749 | 711 | +5.3 | 186 | 186 | 240 | 17 | 2 | 3 |
//! | 8-8 w4, positive | 62 | 493 | 0 | 0 | 522 | 515 | 487 | +5.7 | 174 | 174 | 178 | 15 | 2 | 3 |
//! | 16-8-5 w6 a6 | 219 | 1921 | 68 | 0 | 2162 | 2055 | 2036 | +0.9 | 354 | 354 | 619 | 25 | 4 | 5 |
//! | 16-16-16-5 w2 a3 | 303 | 1634 | 178 | 0 | 1736 | 1835 | 1900 | -3.4 | 260 | 260 | 609 | 19 | 4 | 5 |
//! | 16-16-16-5 w3 a4, 50 % zeros | 246 | 1366 | 190 | 0 | 2942 | 1563 | 1607 | -2.7 | 284 | 284 | 578 | 19 | 4 | 5 |
//! | 16-16-16-5 w4 a4, 70 % zeros | 182 | 962 | 149 | 0 | 3944 | 1112 | 1145 | -2.9 | 277 | 277 | 432 | 21 | 4 | 4 |
//! | 16-16-16-5 w4 a4 | 506 | 3418 | 208 | 0 | 3944 | 3719 | 3706 | +0.4 | 310 | 310 | 1211 | 24 | 4 | 7 |
//! | 16-16-16-5 w6 a6, 60 % zeros | 367 | 2643 | 242 | 0 | 7198 | 2934 | 3103 | -5.4 | 363 | 363 | 915 | 22 | 4 | 6 |
//! | 16-16-5 w4, signed a5 | 240 | 1892 | 127 | 0 | 2645 | 2067 | 2078 | -0.5 | 263 | 263 | 682 | 22 | 3 | 5 |
//! | 16-12-5 w3, step functions | 146 | 1041 | 0 | 802 | 1446 | 1222 | 1228 | -0.5 | 208 | 208 | 393 | 19 | 3 | 5 |
//! | 16-16-16-5 w2, step functions | 150 | 747 | 0 | 1115 | 1736 | 968 | 954 | +1.5 | 219 | 219 | 307 | 17 | 4 | 5 |
//! | 8-24-5 w4, step functions | 141 | 812 | 0 | 1493 | 2402 | 1100 | 1123 | -2.0 | 219 | 219 | 358 | 18 | 3 | 6 |
//! | held out: 16-16-16-5 w5 a5, 40 % zeros | 433 | 3008 | 247 | 0 | 5479 | 3319 | 3319 | +0.0 | 347 | 347 | 1086 | 23 | 4 | 7 |
//! | held out: 16-16-5 w4 a4 | 295 | 2319 | 101 | 0 | 2571 | 2494 | 2512 | -0.7 | 244 | 244 | 797 | 24 | 3 | 5 |
//! | held out: 16-12-8-5 w4, symmetric a4 | 254 | 1693 | 101 | 0 | 2352 | 1841 | 1859 | -1.0 | 255 | 255 | 677 | 21 | 4 | 5 |
//! | held out: 12-10-5 w3, step functions | 110 | 715 | 0 | 670 | 924 | 860 | 842 | +2.1 | 156 | 156 | 283 | 20 | 3 | 4 |
//!
//! Mean relative error: 2.6 % (worst 5.7 %) on the fitted, 1.0 % (worst 2.1 %) on the held out networks.
//! The flip-flop estimate is exact on all sixteen.
//!
//! Layer graphs of the tests, 5-bit inputs. "sequence" has convolutions and a frozen scale, "image"
//! convolutions, both pools and a batch normalisation, "residual" sums, a join and batch normalisations,
//! "maxima" pools beside dense layers at every position. Printed by the same command with the argument
//! `graph`.
//!
//! | network | adders | adder cells | requantizer bits | comparator bits | maximum bits | tier 0 | estimate | LUT | error % | FF estimate | FF | CARRY4 | levels | cycles | s |
//! |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
//! | graph: maxima | 48 | 192 | 128 | 0 | 208 | 639 | 621 | 588 | +5.6 | 248 | 248 | 172 | 12 | 3 | 3 |
//! | held out: graph: maxima | 40 | 144 | 124 | 0 | 208 | 639 | 568 | 648 | -12.3 | 248 | 248 | 184 | 16 | 3 | 4 |
//! | graph: maxima at every position | 106 | 470 | 0 | 0 | 156 | 792 | 736 | 821 | -10.4 | 279 | 279 | 302 | 20 | 2 | 3 |
//! | held out: graph: maxima at every position | 112 | 479 | 0 | 0 | 148 | 792 | 733 | 869 | -15.7 | 523 | 523 | 300 | 20 | 3 | 3 |
//! | held out: graph: sequence | 148 | 704 | 143 | 0 | 0 | 986 | 838 | 876 | -4.3 | 217 | 217 | 320 | 18 | 4 | 4 |
//! | held out: graph: image | 1025 | 5574 | 265 | 0 | 678 | 9520 | 7079 | 6746 | +4.9 | 989 | 989 | 2360 | 22 | 6 | 12 |
//! | held out: graph: residual | 98 | 439 | 47 | 0 | 0 | 722 | 492 | 443 | +11.1 | 325 | 310 | 190 | 21 | 5 | 4 |
//!
//! Mean relative error of the held out graphs: 9.7 %. Maxima are the least certain part: a bit of one
//! takes between 1.3 and 2.4 LUTs, by what stands behind it.

pub mod adder_graph;
pub mod circuit;
pub mod costs;
pub mod design;
pub mod device;
pub mod engine;
pub mod fit;
mod lut_estimate;
pub mod netlist;
mod program_costs;
pub mod streamed;
pub mod synthesis_report;
mod tier0;
pub mod verilog;

pub use lut_estimate::Inventory;
pub use program_costs::{Costs, LUTS_PER_DSP, circuit_costs, program_costs, streamed_costs};
pub use tier0::{Tier0, candidate_costs, pruned_candidate_costs};
