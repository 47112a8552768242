//! Parts of a requantizer: what it drops and appends, and the ranges on the way to its codes.

use bitfront_network::Interval;

/// `clamp(floor + up, range)`, with `up` whether the dropped bits round up.
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
    /// Sums that are looked at: where the floor is not below the codes, and to one step beyond them.
    pub(crate) inside: Interval,
    /// The codes.
    pub(crate) range: Interval,
}

impl Requantizer {
    /// The requantizer of sources in `source`, shifted right by `right_shift` bits.
    pub(crate) fn new(source: Interval, right_shift: i32, range: Interval) -> Self {
        let dropped = right_shift.max(0).unsigned_abs();
        let appended = right_shift.min(0).unsigned_abs();
        let floor = Interval {
            lo: source.lo >> dropped.min(63) << appended,
            hi: source.hi >> dropped.min(63) << appended,
        };
        let rounded = Interval {
            lo: floor.lo,
            hi: floor.hi + i64::from(dropped > 0),
        };
        let inside = Interval {
            lo: rounded.lo.max(range.lo),
            hi: rounded.hi.min(range.hi + 1),
        };
        Self {
            dropped,
            appended,
            floor,
            rounded,
            inside,
            range,
        }
    }

    /// Whether sums are compared with the highest code.
    pub(crate) fn saturates_above(&self) -> bool {
        self.rounded.hi > self.range.hi
    }

    /// Whether floors are compared with the lowest code.
    pub(crate) fn saturates_below(&self) -> bool {
        self.floor.lo < self.range.lo
    }

    /// Bits of the floor that anything depends on: those of the sum, and those that comparisons with
    /// the bounds look at. A bound next to a power of two is one reduction of the bits above it.
    pub(crate) fn read_floor_bits(&self) -> u64 {
        let width = self.floor.width().max(1);
        let all = low_bits(width);
        let sign = if self.floor.lo < 0 {
            1 << (width - 1)
        } else {
            0
        };
        let mut read = low_bits(self.inside.width().max(1)) & all;
        if self.floor.hi > self.range.hi {
            let beyond = self.range.hi + 1;
            read |= if beyond > 0 && beyond.unsigned_abs().is_power_of_two() {
                all & !low_bits(beyond.trailing_zeros()) | sign
            } else {
                all
            };
        }
        if self.saturates_below() {
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
        let bits = |source| Requantizer::new(source, 0, relu).read_floor_bits();
        assert_eq!(bits(source), 0b10_0011_1111);
        // One that does reduces them.
        assert_eq!(bits(Interval { hi: 64, ..source }), 0b11_1111_1111);
        // A bound that is no power of two is compared with everything.
        let symmetric = Interval { lo: -31, hi: 31 };
        let read = Requantizer::new(source, 0, symmetric).read_floor_bits();
        assert_eq!(read, 0b11_1111_1111);
    }
}
