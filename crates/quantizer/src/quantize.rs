//! Fake-quantization and its straight-through gradient.
