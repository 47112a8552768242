//! Read-only maps of files that hold f32 values.
//!
//! The rule this module keeps: a map is made only of files that nobody writes to once they have their
//! name (see decision 12), which no type can say: whoever maps one promises it. What is in them is looked at by the caller
//! before it is used.

use std::fs::File;
use std::io;
use std::ops::Range;

/// A file as memory, shared with every process that maps it.
#[derive(Debug)]
pub struct Map(memmap2::Mmap);

impl Map {
    /// Maps the whole file.
    ///
    /// # Errors
    /// The system's.
    ///
    /// # Safety
    /// While the map lives, no process writes to the file or cuts it: bytes behind shared references would change, or end
    /// the process where they are gone. Removing it, or renaming another one over it, is no such change.
    pub unsafe fn new(file: &File) -> io::Result<Self> {
        // SAFETY: the mapping is read-only and private to this value; that the file keeps its bytes is the caller's
        // promise; every bit pattern is a valid u8 and a valid f32.
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Self(map))
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The values in a range of bytes; `None` where it leaves the file or is not on whole values.
    #[must_use]
    pub fn floats(&self, bytes: Range<usize>) -> Option<&[f32]> {
        let bytes = self.0.get(bytes)?;
        // SAFETY: every bit pattern is a valid f32.
        match unsafe { bytes.align_to::<f32>() } {
            ([], values, []) => Some(values),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn values_as_written_and_nothing_beyond_the_end() {
        let mut file = tempfile::tempfile().unwrap();
        for value in [1.0_f32, -2.5, 3.0] {
            file.write_all(&value.to_ne_bytes()).unwrap();
        }
        // SAFETY: the file has no name, and nothing is written to it any more.
        let map = unsafe { Map::new(&file) }.unwrap();
        assert_eq!(map.bytes().len(), 12);
        assert_eq!(map.floats(4..12), Some(&[-2.5_f32, 3.0][..]));
        assert_eq!(map.floats(2..6), None);
        assert_eq!(map.floats(4..16), None);
    }
}
