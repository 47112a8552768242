//! Synthesis jobs: request, list, show, cancel.

pub mod cancel;
pub mod list;
pub mod request;
pub mod show;
pub mod view;
