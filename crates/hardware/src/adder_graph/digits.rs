//! Canonical signed digits of integers.

/// The digits that are not zero, as (weight's logarithm, negative), lowest first.
pub(super) fn signed_digits(value: i64) -> impl Iterator<Item = (u32, bool)> {
    let mut rest = i128::from(value);
    let mut weight = 0;
    std::iter::from_fn(move || {
        if rest == 0 {
            return None;
        }
        let zeros = rest.trailing_zeros();
        weight += zeros;
        rest >>= zeros;
        // An odd rest: 1 more than a multiple of four, or 1 less.
        let negative = rest & 3 == 3;
        rest += if negative { 1 } else { -1 };
        Some((weight, negative))
    })
}

/// How many digits are not zero.
pub(super) fn digit_count(value: i64) -> u32 {
    let magnitude = u128::from(value.unsigned_abs());
    ((magnitude * 3) ^ magnitude).count_ones()
}

#[cfg(test)]
mod tests {
    use super::{digit_count, signed_digits};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_sum_to_the_value_and_none_are_neighbours(value in -(1_i64 << 50)..1 << 50) {
            let digits: Vec<_> = signed_digits(value).collect();
            let sum: i64 = digits.iter().map(|&(weight, negative)| {
                if negative { -(1_i64 << weight) } else { 1_i64 << weight }
            }).sum();
            prop_assert_eq!(sum, value);
            prop_assert_eq!(digits.len() as u32, digit_count(value));
            prop_assert!(digits.windows(2).all(|pair| pair[1].0 > pair[0].0 + 1));
        }
    }
}
