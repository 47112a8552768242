//! Workers: list.

pub mod list;
