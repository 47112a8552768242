//! Verilog-2001 of a circuit, a Verilator test bench for it, and the vectors that bench reads.
//!
//! The rule this module keeps: one adder a line, on unsigned wires, with sign extension written out
//! as a concatenation. The same function takes up to five times the LUTs when it is written with
//! `signed` arithmetic, because synthesis then merges whole sums into one compressor. Only products for DSP
//! blocks are signed: that is how synthesis finds them.
//!
//! Ports of the module: `clk`, `inputs` and `outputs`. Both buses are packed in order, the first
//! feature and the first logit in the lowest bits, each word as wide as its range needs
//! ([`Circuit::inputs`](crate::circuit::Circuit::inputs) and
//! [`Circuit::outputs`](crate::circuit::Circuit::outputs) have the positions), two's complement where
//! the range has negative values. A circuit with flags of valid rows also has `rst`, `in_valid` and `out_valid`.

mod axi_stream;
mod bench;
mod bus;
mod compared;
mod digit;
mod emit;
mod expression;
mod maximum;
mod multiplier;
mod requantizer;
mod self_check;
mod step_function;
mod table;
mod valid;

pub use axi_stream::axi_stream;
pub(crate) use bench::reads_and_writes;
pub use bench::{BenchReport, BenchReportError, parse_bench_report, test_bench, vectors_file};
pub use bus::{pack_hex, pack_words};
pub use emit::emit;
pub(crate) use expression::literal;
pub use self_check::{axi_stream_bench, verilog_bench};
pub use valid::{valid_bench, with_valid};

use crate::engine::Engine;

/// Verilog of the cells that a synthesised network may consist of, for simulating its netlist: of `UltraScale+` LUT1-6,
/// INV, MUXF7-9, CARRY4, CARRY8, FDRE, FDSE, of the routers' families those of [`ICE40`](crate::engine::nextpnr::ICE40) and
/// [`ECP5`](crate::engine::nextpnr::ECP5). Anything else is unknown to it, so that a netlist with other
/// cells cannot be simulated.
pub fn cells(engine: Engine) -> &'static str {
    match engine {
        Engine::Yosys | Engine::Vivado | Engine::Vitis => include_str!("cells.v"),
        Engine::Ice40 => include_str!("cells_ice40.v"),
        Engine::Ecp5 => include_str!("cells_ecp5.v"),
    }
}
