//! JSON pointers (RFC 6901).

use std::fmt::{self, Display};

/// A place in a JSON document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pointer(String);

impl Pointer {
    /// The whole document.
    pub(crate) fn root() -> Self {
        Self::default()
    }

    /// The member `key` (or item, by index) of this place.
    pub(crate) fn at(&self, key: impl Display) -> Self {
        let key = key.to_string().replace('~', "~0").replace('/', "~1");
        Self(format!("{}/{key}", self.0))
    }
}

impl From<Pointer> for String {
    fn from(pointer: Pointer) -> Self {
        pointer.0
    }
}

impl From<&Pointer> for String {
    fn from(pointer: &Pointer) -> Self {
        pointer.0.clone()
    }
}

impl Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The pointer of a deserializer's path.
pub(crate) fn from_path(path: &serde_path_to_error::Path) -> Pointer {
    use serde_path_to_error::Segment;
    path.iter()
        .fold(Pointer::root(), |pointer, segment| match segment {
            Segment::Seq { index } => pointer.at(index),
            Segment::Map { key } => pointer.at(key),
            Segment::Enum { .. } | Segment::Unknown => pointer,
        })
}

#[cfg(test)]
mod tests {
    use super::Pointer;

    #[test]
    fn escapes_as_the_rfc_says() {
        let pointer = Pointer::root().at("a/b").at(3).at("m~n");
        assert_eq!(pointer.to_string(), "/a~1b/3/m~0n");
        let document = serde_json::json!({"a/b": [0, 1, 2, {"m~n": 7}]});
        assert_eq!(
            document.pointer(&pointer.to_string()),
            Some(&serde_json::json!(7))
        );
    }
}
