//! Buffers of f32 that start on a 64-byte line, and the row padding that goes with them.

use std::ops::{Deref, DerefMut};

/// Values in a vector block; rows are padded to a multiple of it.
pub const LANES: usize = 16;

/// Distance between the rows of a matrix with `columns` columns: the next multiple of [`LANES`].
#[must_use]
pub const fn stride(columns: usize) -> usize {
    columns.next_multiple_of(LANES)
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Block([f32; LANES]);

/// A fixed number of f32 values, 64-byte aligned.
#[derive(Clone)]
pub struct Buffer {
    blocks: Vec<Block>,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        Self {
            blocks: vec![Block([0.0; LANES]); len.div_ceil(LANES)],
            len,
        }
    }

    /// A padded copy of a dense row-major matrix of `columns` columns.
    ///
    /// # Panics
    /// When the length is not a multiple of `columns`.
    #[must_use]
    pub fn padded(dense: &[f32], columns: usize) -> Self {
        assert!(
            columns > 0 && dense.len().is_multiple_of(columns),
            "a dense matrix of {columns} columns cannot have {} values",
            dense.len()
        );
        let step = stride(columns);
        let mut out = Self::zeroed(dense.len() / columns * step);
        for (to, from) in out.chunks_exact_mut(step).zip(dense.chunks_exact(columns)) {
            to[..columns].copy_from_slice(from);
        }
        out
    }

    /// The dense copy of a padded matrix of `columns` columns.
    #[must_use]
    pub fn dense(&self, columns: usize) -> Vec<f32> {
        self.chunks_exact(stride(columns))
            .flat_map(|row| row[..columns].iter().copied())
            .collect()
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: blocks are `repr(C)` arrays of f32 without padding (64 bytes of values, aligned to
        // 64), laid out one after another, and `len <= blocks.len() * LANES`.
        unsafe { std::slice::from_raw_parts(self.blocks.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.blocks.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_and_alignment() {
        let buffer = Buffer::padded(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3);
        assert_eq!(buffer.len(), 2 * 16);
        assert_eq!(buffer.as_ptr() as usize % 64, 0);
        assert_eq!(&buffer[..4], &[1.0, 2.0, 3.0, 0.0]);
        assert_eq!(&buffer[16..20], &[4.0, 5.0, 6.0, 0.0]);
        assert_eq!(buffer.dense(3), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!([stride(1), stride(16), stride(17)], [16, 16, 32]);
    }
}
