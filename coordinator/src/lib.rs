//! The coordinator: REST for users, gRPC for workers, Postgres for everything that must last.

pub mod artifacts;
pub mod ask;
pub mod auth;
pub mod config;
pub mod error;
pub mod grpc;
pub mod ids;
pub mod lease;
pub mod private_postgres;
pub mod problem;
mod ranking;
pub mod reaper;
pub mod state;
pub mod store;
pub mod wake;

pub use config::Config;
pub use reaper::spawn_background;
pub use state::State;
