//! Scalar f64 exponential, logarithm and cosine made of correctly rounded operations only.
//!
//! The functions of the platform's math library may differ in the last bit from one machine to the
//! next; a stored score must not.

use std::f64::consts::{LN_2, LOG2_E, PI};

/// ln 2 in two parts; the first has few enough bits that small integers times it are exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// `e^x`, within a few ulp; 0 below -708 and infinite above 709.
#[must_use]
pub fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x < -708.0 {
        return 0.0;
    }
    if x > 709.0 {
        return f64::INFINITY;
    }
    let n = (x * LOG2_E).round_ties_even();
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let mut sum = 1.0;
    for k in (1..=16_u32).rev() {
        sum = 1.0 + sum * r / f64::from(k);
    }
    sum * f64::from_bits(((n as i64 + 1023) as u64) << 52)
}

/// Natural logarithm of a positive normal number, within a few ulp; NaN for anything else.
#[must_use]
pub fn ln(x: f64) -> f64 {
    if !x.is_normal() || x < 0.0 {
        return f64::NAN;
    }
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // ln m = 2 atanh((m - 1) / (m + 1)), with |argument| <= 0.172.
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    let mut sum = 0.0;
    for k in (0..=11_u32).rev() {
        sum = sum * square + 1.0 / f64::from(2 * k + 1);
    }
    exponent as f64 * LN_2 + 2.0 * t * sum
}

/// `cos(pi * t)` for `t` from 0 to 1.
#[must_use]
pub fn cos_pi(t: f64) -> f64 {
    if t > 0.75 {
        return -cos_pi(1.0 - t);
    }
    // Below a quarter by the series of the cosine, above as sin(pi (1/2 - t)).
    let by_sine = t > 0.25;
    let x = PI * if by_sine { 0.5 - t } else { t };
    let offset = u32::from(by_sine);
    let square = x * x;
    let mut sum = 1.0;
    for k in (1..=10_u32).rev() {
        let n = 2 * k + offset;
        sum = 1.0 - sum * square / f64::from(n * (n - 1));
    }
    if by_sine { x * sum } else { sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_to_the_platform() {
        for i in -700..=700 {
            let x = f64::from(i) * 0.99 + 0.123;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-14, "exp {x}");
            let y = x.exp();
            assert!((ln(y) - y.ln()).abs() <= 1e-15 * (1.0 + x.abs()), "ln {y}");
        }
        for i in 0..=1000 {
            let t = f64::from(i) / 1000.0;
            assert!((cos_pi(t) - (PI * t).cos()).abs() < 1e-15, "cos_pi {t}");
        }
    }

    #[test]
    fn ends() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-800.0), 0.0);
        assert_eq!(exp(800.0), f64::INFINITY);
        assert!(exp(f64::NAN).is_nan());
        assert_eq!(ln(1.0), 0.0);
        assert!(ln(0.0).is_nan() && ln(-1.0).is_nan() && ln(f64::INFINITY).is_nan());
        assert_eq!([cos_pi(0.0), cos_pi(0.5), cos_pi(1.0)], [1.0, 0.0, -1.0]);
    }
}
