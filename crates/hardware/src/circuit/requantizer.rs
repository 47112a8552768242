//! Parts of a requantizer: what it drops and appends, and the ranges on the way to its codes.

use bitfront_network::Interval;
use bitfront_quantizer::{FixedRounding, Modes, Overflow};

/// `floor + up` fitted into the range, with `up` whether the dropped bits round up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Requantizer {
    /// Bits of the source that are dropped on the right.
    pub(crate) dropped: u32,
    /// Zero bits that are appended on the right.
    pub(crate) appended: u32,
    /// The source without the dropped bits, with the appended ones.
    pub(crate) floor: Interval,
    /// The same after rounding.
    pub(crate) rounded: Interval,
    /// Sums that are looked at. Where codes saturate: where the floor is not below the codes, and to one
    /// step beyond them if it is rounded. Where they wrap: the codes. Else all of them.
    pub(crate) inside: Interval,
    /// The codes.
    pub(crate) range: Interval,
    /// How the source is rounded and fitted.
    pub(crate) modes: Modes,
}

impl Requantizer {
    /// The requantizer of sources in `source`, shifted right by `right_shift` bits.
    pub(crate) fn new(source: Interval, right_shift: i32, range: Interval, modes: Modes) -> Self {
        let dropped = right_shift.max(0).unsigned_abs();
        let appended = right_shift.min(0).unsigned_abs();
        let floor = Interval {
            lo: source.lo >> dropped.min(63) << appended,
            hi: source.hi >> dropped.min(63) << appended,
        };
        let rounded = Interval {
            lo: floor.lo,
            hi: floor.hi + i64::from(dropped > 0 && modes.rounding != FixedRounding::Trn),
        };
        let inside = match modes.overflow {
            Overflow::Sat | Overflow::SatSym => {
                let beyond = i64::from(modes.rounding != FixedRounding::Trn);
                Interval {
                    lo: rounded.lo.max(range.lo),
                    hi: rounded.hi.min(range.hi + beyond),
                }
            }
            Overflow::Wrap if modes.saturated_bits == 0 => range,
            _ => rounded,
        };
        Self {
            dropped,
            appended,
            floor,
            rounded,
            inside,
            range,
            modes,
        }
    }

    /// Whether the highest bits of a sum fall away, and nothing else becomes of it.
    pub(crate) fn cuts(&self) -> bool {
        self.modes.overflow == Overflow::Wrap && self.modes.saturated_bits == 0
    }

    /// Whether codes are the nearest extreme beyond the range.
    pub(crate) fn saturates(&self) -> bool {
        matches!(self.modes.overflow, Overflow::Sat | Overflow::SatSym)
    }

    /// Whether sums are compared with the highest code.
    pub(crate) fn compares_above(&self) -> bool {
        self.rounded.hi > self.range.hi && !self.cuts()
    }

    /// Whether floors, or sums that do not saturate, are compared with the lowest code.
    pub(crate) fn compares_below(&self) -> bool {
        self.floor.lo < self.range.lo && !self.cuts()
    }

    /// Whether it takes no logic: bits fall away on either side.
    pub(crate) fn is_wires(&self) -> bool {
        self.rounded == self.floor && !self.compares_above() && !self.compares_below()
    }

    /// Whether the way to round depends on the source's sign.
    pub(crate) fn rounds_by_sign(&self) -> bool {
        use FixedRounding::{RndInf, RndZero, TrnZero};
        self.dropped > 0 && matches!(self.modes.rounding, TrnZero | RndZero | RndInf)
    }

    /// How many bits of the source decide whether it rounds up.
    pub(crate) fn deciding_bits(&self) -> u32 {
        match self.modes.rounding {
            _ if self.dropped == 0 => 0,
            FixedRounding::Trn => 0,
            FixedRounding::Rnd => 1,
            FixedRounding::RndMinInf => self.dropped,
            _ => self.dropped + 1,
        }
    }

    /// Bits of the floor that anything depends on: those of the sum, and those that comparisons with
    /// the bounds look at. A bound next to a power of two is one reduction of the bits above it.
    pub(crate) fn read_floor_bits(&self) -> u64 {
        let width = self.floor.width().max(1);
        let all = low_bits(width);
        if !self.saturates() && !self.cuts() {
            return all;
        }
        let sign = if self.floor.lo < 0 {
            1 << (width - 1)
        } else {
            0
        };
        let mut read = low_bits(self.inside.width().max(1)) & all;
        if self.cuts() {
            return read;
        }
        if self.floor.hi > self.range.hi {
            let beyond = self.range.hi + 1;
            read |= if beyond > 0 && beyond.unsigned_abs().is_power_of_two() {
                all & !low_bits(beyond.trailing_zeros()) | sign
            } else {
                all
            };
        }
        if self.compares_below() {
            let bound = self.range.lo;
            read |= if bound == 0 {
                sign
            } else if bound < 0 && bound.unsigned_abs().is_power_of_two() {
                all & !low_bits(bound.trailing_zeros())
            } else {
                all
            };
        }
        read
    }
}

/// A mask of the `count` lowest bits.
pub(crate) fn low_bits(count: u32) -> u64 {
    1_u64.checked_shl(count).map_or(u64::MAX, |next| next - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectifier_that_does_not_reach_its_highest_code_reads_no_bits_above_it() {
        let relu = Interval { lo: 0, hi: 63 };
        let source = Interval { lo: -347, hi: 58 };
        let modes = Modes::NEAREST_EVEN;
        let bits = |source| Requantizer::new(source, 0, relu, modes).read_floor_bits();
        assert_eq!(bits(source), 0b10_0011_1111);
        // One that does reduces them.
        assert_eq!(bits(Interval { hi: 64, ..source }), 0b11_1111_1111);
        // A bound that is no power of two is compared with everything.
        let symmetric = Interval { lo: -31, hi: 31 };
        let read = Requantizer::new(source, 0, symmetric, modes).read_floor_bits();
        assert_eq!(read, 0b11_1111_1111);
    }
}
