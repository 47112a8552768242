//! Estimators: list.

pub mod list;
pub mod view;
