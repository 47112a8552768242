//! Hardware.
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
