//! The compact encoding of Apache Thrift, in which Parquet writes its headers; only reading.
//!
//! The rule this module keeps: every element that is read or passed over takes at least a byte of the input, and
//! structures within structures end at [`DEPTH`], so that no input runs long or deep.

/// Most structures within each other.
const DEPTH: u8 = 24;

/// Why some bytes are no structure.
pub(super) type Fault = &'static str;

const SHORT: Fault = "a header ends too early";

/// Bytes and how far they were read.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u8,
}

/// The type of a field or an element, as written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(u8);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            depth: 0,
        }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(SHORT)?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], Fault> {
        let end = usize::try_from(count)
            .ok()
            .and_then(|count| self.at.checked_add(count))
            .ok_or(SHORT)?;
        let taken = self.bytes.get(self.at..end).ok_or(SHORT)?;
        self.at = end;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number of a header has more than ten bytes")
    }

    fn zigzag(&mut self) -> Result<i64, Fault> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// An integer of any width.
    pub(super) fn integer(&mut self, kind: Kind) -> Result<i64, Fault> {
        match kind.0 {
            3 => Ok(i64::from(self.byte()? as i8)),
            4..=6 => self.zigzag(),
            _ => Err("a header has something else in place of an integer"),
        }
    }

    /// A truth value of a field: its type says it.
    pub(super) fn truth(kind: Kind) -> Result<bool, Fault> {
        match kind.0 {
            1 => Ok(true),
            2 => Ok(false),
            _ => Err("a header has something else in place of a truth value"),
        }
    }

    pub(super) fn text(&mut self, kind: Kind) -> Result<&'a str, Fault> {
        if kind.0 != 8 {
            return Err("a header has something else in place of a text");
        }
        let length = self.varint()?;
        str::from_utf8(self.take(length)?).map_err(|_| "a text of a header is not UTF-8")
    }

    /// Calls `each` for every element of a list, which it must read or skip.
    pub(super) fn list(
        &mut self,
        kind: Kind,
        mut each: impl FnMut(&mut Self, Kind) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if kind.0 != 9 {
            return Err("a header has something else in place of a list");
        }
        let (size, kind) = self.list_start()?;
        for _ in 0..size {
            each(self, kind)?;
        }
        Ok(())
    }

    fn list_start(&mut self) -> Result<(u64, Kind), Fault> {
        let head = self.byte()?;
        let size = match head >> 4 {
            15 => self.varint()?,
            size => u64::from(size),
        };
        Ok((size, Kind(head & 15)))
    }

    /// Calls `each` for every field of a structure; fields that it does not take (`false`) are passed over.
    pub(super) fn structure(
        &mut self,
        kind: Kind,
        each: impl FnMut(&mut Self, i64, Kind) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        if kind.0 != 12 {
            return Err("a header has something else in place of a structure");
        }
        self.fields(each)
    }

    /// As [`Reader::structure`], for one that stands by itself.
    pub(super) fn fields(
        &mut self,
        mut each: impl FnMut(&mut Self, i64, Kind) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        self.enter()?;
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                break;
            }
            id = match head >> 4 {
                0 => self.zigzag()?,
                step => id.wrapping_add(i64::from(step)),
            };
            let kind = Kind(head & 15);
            if !each(self, id, kind)? {
                self.skip(kind)?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn enter(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("the structures of a header stand too deep in each other");
        }
        Ok(())
    }

    /// Passes over the value of a field.
    fn skip(&mut self, kind: Kind) -> Result<(), Fault> {
        match kind.0 {
            1 | 2 => Ok(()),
            _ => self.skip_element(kind),
        }
    }

    /// Passes over an element of a list, where truth values take a byte.
    fn skip_element(&mut self, kind: Kind) -> Result<(), Fault> {
        match kind.0 {
            1..=3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.take(8).map(drop),
            8 => {
                let length = self.varint()?;
                self.take(length).map(drop)
            }
            9 | 10 => {
                self.enter()?;
                let (size, kind) = self.list_start()?;
                for _ in 0..size {
                    self.skip_element(kind)?;
                }
                self.depth -= 1;
                Ok(())
            }
            11 => {
                self.enter()?;
                let size = self.varint()?;
                if size > 0 {
                    let kinds = self.byte()?;
                    for _ in 0..size {
                        self.skip_element(Kind(kinds >> 4))?;
                        self.skip_element(Kind(kinds & 15))?;
                    }
                }
                self.depth -= 1;
                Ok(())
            }
            12 => self.fields(|_, _, _| Ok(false)),
            13 => self.take(16).map(drop),
            _ => Err("a header has a field of an unknown type"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_texts_and_unknown_fields() {
        // 1: i32 -3; 2: list of two i32 1, 2; 5: text "ab"; 6: true; 7: struct with a double; end.
        let bytes = [
            0x15, 5, 0x19, 0x25, 2, 4, 0x38, 2, b'a', b'b', 0x11, 0x1c, 0x17, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0,
        ];
        let mut seen = Vec::new();
        let mut reader = Reader::new(&bytes);
        reader
            .fields(|reader, id, kind| {
                match id {
                    1 => seen.push(reader.integer(kind)?.to_string()),
                    5 => seen.push(reader.text(kind)?.to_owned()),
                    6 => seen.push(Reader::truth(kind)?.to_string()),
                    _ => return Ok(false),
                }
                Ok(true)
            })
            .unwrap();
        assert_eq!(seen, ["-3", "ab", "true"]);
        assert_eq!(reader.position(), bytes.len());
        for end in 0..bytes.len() {
            assert!(
                Reader::new(&bytes[..end])
                    .fields(|_, _, _| Ok(false))
                    .is_err()
            );
        }
    }

    #[test]
    fn depth_and_length_have_an_end() {
        let deep = [0x1c; 4000];
        assert!(Reader::new(&deep).fields(|_, _, _| Ok(false)).is_err());
        let long = [
            0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0,
        ];
        assert!(Reader::new(&long).fields(|_, _, _| Ok(false)).is_err());
    }
}
