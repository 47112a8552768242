//! Branch-free f32 loops for families with a fixed scale, for the training engine's inner loops;
//! uniform grids with a power-of-two step run on the vector kernels.
//!
//! The rule this module keeps: every loop gives the value of [`Scalar`]
//! bit for bit (property tests hold both against the integer definition); where f32 could not, the
//! loop is refused and the scalar definition runs.

use bitfront_kernel::{Kernels, Steps};

use crate::arguments::power_of_two as power_of_two_of;
use crate::po2::{EPSILON, Exponents};
use crate::scalar::Scalar;

/// Adding and subtracting 1.5 * 2^23 rounds any |p| <= 2^22 half to even, on every CPU level.
const ROUNDER: f32 = 12_582_912.0;

/// Codes beyond this need another rounding.
const LARGEST_ROUNDED: f64 = 4_194_304.0;

/// Fraction bits of the smallest f32 mantissa whose square is above 2.
const ROOT_OF_TWO: u32 = {
    let mut mantissa = 11_863_283u64;
    while mantissa * mantissa <= 1 << 47 {
        mantissa += 1;
    }
    assert!((mantissa - 1) * (mantissa - 1) <= 1 << 47);
    (mantissa - (1 << 23)) as u32
};

/// Fake-quantizes a slice; whether this family and width has a loop. Minus zero never comes out.
pub(crate) fn apply(scalar: &Scalar, x: &[f32], y: &mut [f32]) -> bool {
    match *scalar {
        Scalar::Uniform {
            to_code,
            lo,
            hi,
            step,
            cap,
        } => {
            uniform([to_code, lo, hi, step, cap].map(|v| v as f32), x, y);
        }
        Scalar::Leaky {
            to_code,
            hi,
            step,
            slope,
            below,
            cap,
        } if hi <= LARGEST_ROUNDED => {
            let [to_code, hi, step, slope, below, cap] =
                [to_code, hi, step, slope, below, cap].map(|v| v as f32);
            let (negative, floor) = (to_code * slope, below - 1.0);
            each(x, y, |x| {
                let above = round((x * to_code).max(0.0).min(hi));
                let below = round((x * negative).max(floor).min(0.0)).max(below);
                ((above + below) * step + 0.0).min(cap)
            });
        }
        // One bit turns the parity of ties, which f32 cannot hold.
        Scalar::Sigmoid {
            to_half_code,
            shift,
            hi,
            step,
            cap,
        } if shift > 1.0 && shift <= LARGEST_ROUNDED => {
            let [to_half_code, shift, hi, step, cap] =
                [to_half_code, shift, hi, step, cap].map(|v| v as f32);
            each(x, y, |x| {
                let half = round((x * to_half_code).max(-shift).min(shift));
                ((2.0 * half).max(0.0).min(hi) * step).min(cap)
            });
        }
        Scalar::Sign { below, above } => {
            let (below, above) = (below as f32, above as f32);
            each(x, y, |x| if x >= 0.0 { above } else { below });
        }
        Scalar::Ternary { threshold, scale } => {
            let (threshold, scale) = (threshold as f32, scale as f32);
            each(x, y, |x| {
                let outside = if x.abs() >= threshold { scale } else { 0.0 };
                if x < 0.0 { 0.0 - outside } else { outside }
            });
        }
        Scalar::Po2(exponents) => {
            let power = power_of_two(exponents);
            each(x, y, |x| {
                let magnitude = power(x.abs());
                if x < 0.0 { 0.0 - magnitude } else { magnitude }
            });
        }
        Scalar::ReluPo2 { exponents, slope } => {
            let (power, slope) = (power_of_two(exponents), slope as f32);
            let leaky = slope != 0.0;
            each(x, y, |x| {
                let negative = x < 0.0;
                let magnitude = power(if negative { -x * slope } else { x.max(0.0) });
                if negative & leaky {
                    0.0 - magnitude
                } else {
                    magnitude
                }
            });
        }
        Scalar::Identity => y.copy_from_slice(x),
        Scalar::Rectifier => each(x, y, |x| x.max(0.0) + 0.0),
        Scalar::Leaky { .. }
        | Scalar::Sigmoid { .. }
        | Scalar::Divided { .. }
        | Scalar::Squashed { .. }
        | Scalar::Tanh(_)
        | Scalar::Logistic(_)
        | Scalar::Hswish { .. }
        | Scalar::Ulaw(_)
        | Scalar::Fixed(_) => return false,
    }
    true
}

/// `clamp(round_half_even(x * to_code), lo, hi) * step`, at most `cap`.
#[inline]
fn uniform([to_code, lo, hi, step, cap]: [f32; 5], x: &[f32], y: &mut [f32]) {
    if cap == f32::INFINITY
        && let Some(fraction) = power_of_two_of(to_code)
        && step * to_code == 1.0
        && let Some(steps) = Steps::new(fraction, lo, hi)
    {
        Kernels::detect().fake_quantize(steps, x, y);
    } else if f64::from(hi.max(-lo)) <= LARGEST_ROUNDED {
        each(x, y, |x| {
            (round((x * to_code).max(lo).min(hi)) * step).min(cap)
        });
    } else {
        each(x, y, |x| {
            let code = (x * to_code).max(lo).min(hi).round_ties_even();
            (code * step + 0.0).min(cap)
        });
    }
}

#[inline]
fn each(x: &[f32], y: &mut [f32], value: impl Fn(f32) -> f32) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = value(x);
    }
}

/// Rounds |p| <= 2^22 half to even, never to minus zero.
#[inline]
pub(crate) fn round(p: f32) -> f32 {
    (p + ROUNDER) - ROUNDER
}

/// The nearest power of two of a magnitude, on its bits.
#[inline]
fn power_of_two(exponents: Exponents) -> impl Fn(f32) -> f32 {
    let (min, top) = (exponents.min, exponents.highest());
    let (quadratic, floor) = (exponents.quadratic, exponents.floor);
    // In quadratic form limits hold for half the exponent.
    let (low, high) = if quadratic {
        (2 * min, top)
    } else {
        (min, top)
    };
    move |magnitude: f32| {
        let bits = magnitude.to_bits();
        let (whole, fraction) = ((bits >> 23) as i32 - 127, bits & 0x007f_ffff);
        let exponent = if quadratic {
            let half = whole >> 1;
            let up = (whole & 1) & (i32::from(fraction != 0) | (half & 1)) & i32::from(!floor);
            2 * (half + up)
        } else {
            whole + i32::from(fraction >= ROOT_OF_TWO && !floor)
        };
        let limited = exponent.min(high).max(low);
        let exponent = if magnitude >= EPSILON { limited } else { min };
        // Below the normal range the original flushes to zero.
        f32::from_bits(((exponent + 127).max(0) as u32) << 23)
    }
}
