//! Straight-through gradients, as `QKeras` has them.

use crate::squash::Real;
use crate::vector::round;
use crate::{Alpha, QuantizedRelu, Quantizer};

impl QuantizedRelu {
    /// The value above which nothing changes any more, for the gradient.
    pub(crate) fn gradient_bound(&self) -> Option<f64> {
        if self.is_quantized_clip {
            let limit = 2f64.powi(self.integer);
            Some(limit - 2f64.powi(-self.code_fraction()))
        } else {
            self.relu_upper_bound.map(f64::from)
        }
    }
}

impl Quantizer {
    /// Multiplies `gradient` in place by dq/dx at `x` (before quantization).
    ///
    /// | family | dq/dx |
    /// |---|---|
    /// | `quantized_bits`, `quantized_po2`, any `alpha` that is given, `bernoulli` | 1 |
    /// | `binary`, `ternary` and their stochastic forms without `alpha` | 1 - tanh(x)^2 |
    /// | `quantized_relu` | slope up to 0, 1 up to its bound, 0 above |
    /// | `quantized_relu_po2` | slope up to 0, 1 up to `max_value`, 0 above |
    /// | `quantized_linear` | 1 within its range, `1 - qnoise_factor` outside; with an automatic scale 1 |
    /// | `quantized_tanh`, `quantized_sigmoid` | the function's slope where the rounded value is not cut |
    /// | `quantized_ulaw` | the law's slope times the sigmoid's, 0 where it is cut |
    /// | `quantized_hswish` | the function's slope |
    /// | `ap_fixed` | 1 where the rounded value fits, 0 where it saturates; 1 everywhere if it wraps |
    ///
    /// `use_ste=False` multiplies by `1 - qnoise_factor`. `columns` is the last axis; no gradient
    /// here depends on it, since scales are constants.
    ///
    /// # Panics
    /// If the slices differ in length.
    pub fn straight_through(&self, x: &[f32], columns: usize, gradient: &mut [f32]) {
        assert_eq!(
            x.len(),
            gradient.len(),
            "x and gradient have the same length"
        );
        let _ = columns;
        match self {
            Self::Float | Self::QuantizedBits(_) | Self::QuantizedPo2(_) | Self::Bernoulli(_) => {}
            Self::Relu => clipped(x, gradient, 0.0, f32::INFINITY),
            Self::Binary(q) => through_tanh(q.alpha, x, gradient),
            Self::StochasticBinary(q) => through_tanh(q.alpha, x, gradient),
            Self::Ternary(q) => through_tanh(q.alpha, x, gradient),
            Self::StochasticTernary(q) => through_tanh(q.ternary.alpha, x, gradient),
            Self::QuantizedRelu(q) => {
                let bound = q.gradient_bound().map_or(f32::INFINITY, |b| b as f32);
                clipped(x, gradient, q.negative_slope, bound);
            }
            Self::QuantizedReluPo2(q) => {
                clipped(
                    x,
                    gradient,
                    q.negative_slope,
                    q.max_value.unwrap_or(f32::INFINITY),
                );
            }
            Self::QuantizedLinear(q) => {
                if let Some(alpha) = q.alpha.constant() {
                    let (lo, hi) = q.code_range();
                    let (lo, hi) = if q.is_sign() {
                        (-0.5, 0.5)
                    } else {
                        (lo as f64, hi as f64)
                    };
                    let scale = f64::from((f64::from(alpha) * q.unit()) as f32);
                    let outside = 1.0 - q.qnoise_factor;
                    each(x, gradient, |x| {
                        let at = f64::from(x) / scale;
                        if at >= lo && at <= hi { 1.0 } else { outside }
                    });
                }
            }
            Self::QuantizedTanh(q) => {
                let n = q.code_fraction();
                let (lo, hi) = q.code_range();
                each(x, gradient, |x| {
                    let code = (q.function(f64::from(x)) * 2f64.powi(n)).round_ties_even();
                    let inside = code >= lo as f64 && code <= hi as f64;
                    if inside {
                        q.slope(f64::from(x)) as f32
                    } else {
                        0.0
                    }
                });
            }
            Self::QuantizedSigmoid(q) => {
                let (lo, hi) = q.code_range();
                each(x, gradient, |x| {
                    let level = q.sigmoid.level(Real::of(f64::from(x)), q.bits as i32);
                    let inside = level >= lo && level <= hi;
                    if inside {
                        q.sigmoid.slope(f64::from(x)) as f32
                    } else {
                        0.0
                    }
                });
            }
            Self::QuantizedUlaw(q) => each(x, gradient, |x| q.slope(f64::from(x)) as f32),
            Self::QuantizedHswish(q) => each(x, gradient, |x| q.slope(x)),
            Self::Fixed(q) => each(x, gradient, |x| f32::from(u8::from(q.holds(x)))),
        }
        if !self.noise().straight_through {
            let factor = self.noise().gradient();
            for g in gradient {
                *g *= factor;
            }
        }
    }
}

#[inline]
fn each(x: &[f32], gradient: &mut [f32], slope: impl Fn(f32) -> f32) {
    for (g, &x) in gradient.iter_mut().zip(x) {
        *g *= slope(x);
    }
}

/// A rectifier's gradient: `slope` up to 0, 1 up to `bound`, 0 above.
#[inline]
fn clipped(x: &[f32], gradient: &mut [f32], slope: f32, bound: f32) {
    for (g, &x) in gradient.iter_mut().zip(x) {
        let inside = if x > 0.0 { 1.0 } else { slope };
        *g *= if x <= bound { inside } else { 0.0 };
    }
}

fn through_tanh(alpha: Alpha, x: &[f32], gradient: &mut [f32]) {
    if alpha == Alpha::None {
        for (g, &x) in gradient.iter_mut().zip(x) {
            *g *= tanh_slope(x);
        }
    }
}

/// `1 - tanh(x)^2 = 4 e^-2|x| / (1 + e^-2|x|)^2`, from +, x and / alone, so that it is the same on
/// every machine.
#[inline]
fn tanh_slope(x: f32) -> f32 {
    let e = exp_of_minus((2.0 * x.abs()).min(60.0));
    let sum = 1.0 + e;
    4.0 * e / (sum * sum)
}

/// e^-z for 0 <= z <= 60 within two ulp: 2^-n times the series of what is left.
#[inline]
fn exp_of_minus(z: f32) -> f32 {
    // ln 2 in two parts, the first short enough that n times it is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -0.000_212_194_44];
    let n = round(z * std::f32::consts::LOG2_E);
    let r = n * LN_2[0] - z + n * LN_2[1];
    let series = 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = series * r + 0.5;
    let series = series * r * r + r + 1.0;
    series * f32::from_bits((127 - n as i32).cast_unsigned() << 23)
}

#[cfg(test)]
mod tests {
    use super::tanh_slope;

    #[test]
    fn the_slope_of_tanh_is_right_to_a_few_ulp() {
        for i in -60_000..=60_000 {
            let x = i as f32 * 0.000_4;
            let e = (-2.0 * f64::from(x.abs())).exp();
            let expected = 4.0 * e / ((1.0 + e) * (1.0 + e));
            let error = (f64::from(tanh_slope(x)) - expected).abs();
            assert!(error <= 6e-7 * expected, "{x}: {error:e} of {expected:e}");
        }
        assert!(tanh_slope(f32::MAX) < 1e-20 && tanh_slope(f32::INFINITY) < 1e-20);
    }
}
