//! Hardware.
pub mod costs;
