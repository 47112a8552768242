//! Events: streams with replay, and lists.

pub mod stream;
