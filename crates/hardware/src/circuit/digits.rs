//! Canonical signed digits: an integer as the fewest signed powers of two.

/// One non-zero digit: plus or minus `2^shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digit {
    /// Its power of two.
    pub shift: u32,
    /// Whether it is subtracted.
    pub negative: bool,
}

/// The non-zero digits of an integer, lowest first, no two of them adjacent.
///
/// ```
/// use bitfront_hardware::circuit::signed_digits;
/// assert_eq!(signed_digits(7).len(), 2); // 8 - 1
/// assert!(signed_digits(0).is_empty());
/// ```
pub fn signed_digits(value: i64) -> Vec<Digit> {
    let mut rest = i128::from(value);
    let mut shift = 0;
    let mut digits = Vec::new();
    while rest != 0 {
        if rest & 1 == 1 {
            // 1 when the two lowest bits are 01, -1 when they are 11: the next digit is then zero.
            let digit = 2 - (rest & 3);
            digits.push(Digit {
                shift,
                negative: digit < 0,
            });
            rest -= digit;
        }
        rest >>= 1;
        shift += 1;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_sum_to_the_value_and_are_never_adjacent(value in -(1_i64 << 40)..(1 << 40)) {
            let digits = signed_digits(value);
            let sum: i64 = digits
                .iter()
                .map(|d| if d.negative { -(1_i64 << d.shift) } else { 1 << d.shift })
                .sum();
            prop_assert_eq!(sum, value);
            prop_assert!(digits.windows(2).all(|pair| pair[1].shift > pair[0].shift + 1));
        }
    }
}
