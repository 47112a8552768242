//! Devices: list.

pub mod list;
