//! Models that searches start from: upload, list, show.

pub mod list;
pub mod show;
pub mod upload;
pub mod view;
