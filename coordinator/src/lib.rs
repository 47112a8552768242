//! The coordinator: REST for users, gRPC for workers, Postgres for everything that must last.

pub mod artifacts;
pub mod ask;
pub mod auth;
pub mod config;
pub mod error;
pub mod events;
pub mod grpc;
pub mod ids;
pub mod lease;
pub mod models;
pub mod page;
pub mod private_postgres;
pub mod problem;
mod ranking;
pub mod reaper;
pub mod rest;
pub mod server;
pub mod state;
pub mod store;
pub mod telemetry;
pub mod wake;

pub use config::Config;
pub use reaper::spawn_background;
pub use server::{Running, ServeError, serve};
pub use state::State;
