//! Tests of the coordinator against a real Postgres, in one binary.
//!
//! They need `BITFRONT_TEST_DATABASE_URL`, a server where databases may be created; `scripts/with-postgres` runs a command
//! with one.

mod engine_versions;
mod engines;
mod fencing;
mod front;
mod leasing;
mod life;
mod proposals;
mod runs;
mod searches;
mod sharing;
mod support;
mod worker_service;
