//! The coordinator-worker protocol `bitfront.worker.v1`, generated from `bitfront/worker/v1/worker.proto`.
//!
//! The generated file is checked in, so that a build needs no generator; `tests/drift.rs` fails when
//! it no longer matches the `.proto`, and rewrites it when `BITFRONT_BLESS=1` is set.

/// Version 1 of the protocol: messages, the client and the server trait.
#[allow(
    missing_docs,
    clippy::pedantic,
    clippy::allow_attributes,
    unreachable_pub,
    reason = "generated code"
)]
#[rustfmt::skip]
#[path = "generated/bitfront.worker.v1.rs"]
pub mod v1;
