//! Bit widths that are learned with the weights, so that one run gives a front of candidates.
//!
//! [`learn`] trains convolutions and dense layers in a row. Every weight has fraction bits of its own, and every channel of every
//! layer's input a range and fraction bits (or units and layers have: [`Granularity`]), all real numbers
//! that are rounded for the passes. A penalty on
//! effective bit operations (EBOPs), whose weight grows during the run, makes them narrower; after each
//! epoch the formats become an exact [`Candidate`](bitfront_network::Candidate). The approach is HGQ's
//! (Sun et al., arXiv 2405.00645); `docs/learned-bits.md` has the formulas and where they differ.
//!
//! The rule this room keeps: the points are a pure function of (task, settings, seed), bit for bit, on
//! every CPU level, and a point's figures are those of its integer program.

mod between;
mod bits;
mod candidate;
mod engine;
#[cfg(test)]
mod engine_tests;
mod error;
mod footprint;
mod formats;
mod layer;
mod learn;
mod settings;
mod tensor;

pub use error::LearnError;
pub use footprint::learning_bytes;
pub use learn::{EpochPoint, Point, Task, learn, learn_at};
pub use settings::{Granularity, Settings};
