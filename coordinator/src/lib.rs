//! The coordinator: REST for users, gRPC for workers, Postgres for everything that must last.

pub mod artifacts;
pub mod config;
pub mod error;
pub mod ids;
pub mod private_postgres;
pub mod state;
pub mod store;
pub mod wake;

pub use config::Config;
pub use state::State;
