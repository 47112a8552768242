//! One number of an HDF5 file, from its bytes.

use hdf5_pure::{Datatype, DatatypeByteOrder, FloatingPointLayout};

/// How a number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    kind: Kind,
    bytes: usize,
    big: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Float,
    Signed,
    Unsigned,
}

impl Number {
    /// `None` for what is no plain number: IEEE floats of 4 or 8 bytes, integers of 1 to 8. An enumeration is
    /// read as its integers, as which numpy stores truth values.
    pub(super) fn of(kind: &Datatype) -> Option<Self> {
        let (kind, size, order) = match kind {
            Datatype::FloatingPoint {
                size,
                byte_order,
                layout,
            } => {
                let known = (*size == 4 && *layout == FloatingPointLayout::IEEE754_BINARY32)
                    || (*size == 8 && *layout == FloatingPointLayout::IEEE754_BINARY64);
                (known.then_some(Kind::Float)?, *size, byte_order)
            }
            Datatype::FixedPoint {
                size,
                byte_order,
                layout,
            } => {
                let whole = layout.bit_offset == 0
                    && u32::from(layout.bit_precision) == size.saturating_mul(8)
                    && matches!(size, 1 | 2 | 4 | 8);
                let kind = if layout.signed {
                    Kind::Signed
                } else {
                    Kind::Unsigned
                };
                (whole.then_some(kind)?, *size, byte_order)
            }
            Datatype::Enumeration { base_type, .. } => {
                return matches!(**base_type, Datatype::FixedPoint { .. })
                    .then(|| Self::of(base_type))
                    .flatten();
            }
            _ => return None,
        };
        let big = match order {
            DatatypeByteOrder::LittleEndian => false,
            DatatypeByteOrder::BigEndian => true,
            DatatypeByteOrder::Vax => return None,
        };
        Some(Self {
            kind,
            bytes: size as usize,
            big,
        })
    }

    pub(super) fn is_integer(self) -> bool {
        self.kind != Kind::Float
    }

    pub(super) fn is_byte(self) -> bool {
        self.kind == Kind::Unsigned && self.bytes == 1
    }

    pub(super) fn bytes(self) -> usize {
        self.bytes
    }

    fn bits(self, bytes: &[u8]) -> u64 {
        let mut bits = 0;
        for at in 0..self.bytes {
            let byte = if self.big { self.bytes - 1 - at } else { at };
            bits |= u64::from(bytes.get(byte).copied().unwrap_or(0)) << (8 * at);
        }
        bits
    }

    /// The integer in the first bytes; unsigned ones beyond 63 bits become the largest.
    pub(super) fn integer(self, bytes: &[u8]) -> i64 {
        let bits = self.bits(bytes);
        if self.kind == Kind::Signed {
            let unused = 64 - 8 * self.bytes as u32;
            return (bits << unused) as i64 >> unused;
        }
        i64::try_from(bits).unwrap_or(i64::MAX)
    }

    /// The number in the first bytes, rounded to f32 once.
    pub(super) fn value(self, bytes: &[u8]) -> f32 {
        match (self.kind, self.bytes) {
            (Kind::Float, 4) => f32::from_bits(self.bits(bytes) as u32),
            (Kind::Float, _) => f64::from_bits(self.bits(bytes)) as f32,
            (Kind::Signed, _) => self.integer(bytes) as f32,
            (Kind::Unsigned, _) => self.bits(bytes) as f32,
        }
    }
}
