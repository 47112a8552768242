//! Hardware.
pub mod circuit;
pub mod costs;
pub mod synthesis_report;
pub mod verilog;
