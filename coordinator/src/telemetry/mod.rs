//! What the coordinator says about itself: metrics, and the name of each.

pub mod metrics;
