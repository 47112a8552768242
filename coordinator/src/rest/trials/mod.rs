//! Trials: list, show, front, logs.

pub mod front;
pub mod list;
pub mod log;
pub mod show;
pub(in crate::rest) mod usage;
pub mod view;
