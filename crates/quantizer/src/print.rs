//! Canonical text of a quantizer.
