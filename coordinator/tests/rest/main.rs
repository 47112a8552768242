//! Tests of the REST side, the server and the page's files against a real Postgres, in one binary.
//!
//! They need `BITFRONT_TEST_DATABASE_URL`, a server where databases may be created; `scripts/with-postgres` runs a command
//! with one.

mod access;
#[path = "../it/support/database.rs"]
mod database;
mod devices;
mod estimators;
mod events;
mod faults;
mod lists;
mod models;
mod openapi;
mod site;
mod submit;
mod support;
mod tls;
mod trials;
mod uploads;
