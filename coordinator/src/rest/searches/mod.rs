//! Searches: submit, list, show, pause, resume, cancel.

pub mod cancel;
pub mod list;
pub mod pause;
pub mod resume;
pub mod show;
pub mod submit;
pub mod view;
