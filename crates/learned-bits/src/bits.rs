//! Powers of two, roundings and widths of f32 numbers, made of correctly rounded operations only.

/// Adding and taking away this rounds magnitudes up to 2^22 half to even.
const ROUNDER: f32 = 12_582_912.0;

/// `2^exponent`, -126 to 127.
pub(crate) fn power(exponent: i32) -> f32 {
    f32::from_bits(((exponent + 127) as u32) << 23)
}

/// The nearest integer, half to even, for magnitudes up to 2^22.
pub(crate) fn round(x: f32) -> f32 {
    (x + ROUNDER) - ROUNDER
}

/// Integer bits of a magnitude: the least `i` with `|x| < 2^i`; `x` is normal and not zero.
pub(crate) fn integer_bits(x: f32) -> i32 {
    (x.to_bits() >> 23 & 0xff) as i32 - 126
}

/// Fraction bits of a number: the least `f` for which it is a multiple of `2^-f`; `x` is normal and not
/// zero.
pub(crate) fn fraction_bits(x: f32) -> i32 {
    let bits = x.to_bits();
    let zeros = (bits & 0x7f_ffff | 0x80_0000).trailing_zeros() as i32;
    150 - zeros - (bits >> 23 & 0xff) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_numbers() {
        for (x, integer, fraction) in [
            (1.0, 1, 0),
            (-0.75, 0, 2),
            (6.0, 3, -1),
            (0.015_625, -5, 6),
            (-3.125, 2, 3),
        ] {
            assert_eq!(
                (integer_bits(x), fraction_bits(x)),
                (integer, fraction),
                "{x}"
            );
        }
        assert_eq!([-2.5, 3.5, 0.49].map(round), [-2.0, 4.0, 0.0]);
        assert_eq!((power(-3), power(5)), (0.125, 32.0));
    }
}
