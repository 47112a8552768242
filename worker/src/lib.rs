//! The worker: leases units of work, trains and scores trials, synthesises circuits, drains.
//!
//! A [`run`] is one process's life. The dispatcher registers and leases as much as there are free
//! slots; an executor runs each leased attempt, its CPU work on a thread of its own; the heartbeat
//! renews all leases in one batch and carries curves and log tails; each attempt's watchdog ends it
//! when its lease ran out on this machine's clock.
//!
//! Only this room runs outside tools ([`tools`]).

mod attempt;
mod cache;
mod config;
mod context;
mod dispatcher;
mod error;
mod executor;
mod heartbeat;
mod link;
mod log;
mod memory;
mod synthesis;
mod tools;
mod trial;

pub use config::{Config, DEFAULT_CACHE_LIMIT, Kind, Limits};
pub use dispatcher::run;
pub use error::WorkerError;
pub use memory::available_memory;
pub use synthesis::{Mismatch, SynthesisResult, file_name, measure_with_yosys};
pub use tools::{SYNTHESIS_TOOLS, Tool, Tools, tools};
pub use trial::{ScoreError, score, splits};
