//! The worker against a coordinator in the same process: the whole way of a unit of work, and what
//! happens when leases, coordinators or workers go away.

mod fake;
mod fixture;
#[path = "../../../testdata/known-bits/check.rs"]
mod known_bits;

mod distillation;
mod drain;
mod leases;
mod outage;
mod pruning;
mod start;
mod synthesis;
mod tls;
mod trial;
mod values;
