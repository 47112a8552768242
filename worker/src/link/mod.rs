//! The worker's side of the protocol: one channel, deadlines, retries, artifact streams.

mod artifacts;
mod backoff;
mod client;

pub(crate) use artifacts::{Artifact, digest_of, download, hex, upload};
pub(crate) use backoff::Backoff;
pub(crate) use client::{Link, is_passing, retry};
