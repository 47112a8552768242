//! REST under `/api/v1`: one handler file a resource and verb; `router.rs` is the table of contents.

pub mod extract;
pub mod health;
mod incoming;
pub mod paging;
pub mod router;

pub mod artifacts;
pub mod datasets;
pub mod devices;
pub mod estimators;
pub mod events;
pub mod models;
pub mod searches;
pub mod synthesis;
pub mod trials;
pub mod workers;
