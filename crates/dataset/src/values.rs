//! Feature values: in memory of their own, or in a mapped file that every process of a machine shares.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use bitfront_kernel::Map;

/// A list of f32 values; reads as a slice.
#[derive(Clone)]
pub struct Values(Source);

#[derive(Clone)]
enum Source {
    Owned(Vec<f32>),
    Mapped(Arc<Map>, Range<usize>),
}

impl Values {
    /// Values in a range of a map's bytes; `None` where it leaves the map or is not on whole values.
    pub(crate) fn mapped(map: &Arc<Map>, bytes: Range<usize>) -> Option<Self> {
        map.floats(bytes.clone())?;
        Some(Self(Source::Mapped(Arc::clone(map), bytes)))
    }

    /// The values to change: mapped ones are copied first.
    pub(crate) fn to_mut(&mut self) -> &mut Vec<f32> {
        if let Source::Mapped(..) = self.0 {
            self.0 = Source::Owned(self.to_vec());
        }
        match &mut self.0 {
            Source::Owned(values) => values,
            Source::Mapped(..) => unreachable!("copied above"),
        }
    }
}

impl Deref for Values {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Source::Owned(values) => values,
            Source::Mapped(map, bytes) => map.floats(bytes.clone()).unwrap_or_default(),
        }
    }
}

impl Default for Values {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Self {
        Self(Source::Owned(values))
    }
}

impl<T: AsRef<[f32]> + ?Sized> PartialEq<T> for Values {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

impl AsRef<[f32]> for Values {
    fn as_ref(&self) -> &[f32] {
        self
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
