//! Straight-through gradients, as `QKeras` has them.

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
    /// | `quantized_bits`, `quantized_po2`, any `alpha` that is given | 1 |
    /// | `binary`, `stochastic_binary`, `ternary` without `alpha` | 1 - tanh(x)^2 |
    /// | `quantized_relu` | slope up to 0, 1 up to its bound, 0 above |
    /// | `quantized_relu_po2` | slope up to 0, 1 up to `max_value`, 0 above |
    ///
    /// `columns` is the last axis; no gradient here depends on it, since scales are constants.
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
            Self::Float | Self::QuantizedBits(_) | Self::QuantizedPo2(_) => {}
            Self::Relu => clipped(x, gradient, 0.0, f32::INFINITY),
            Self::Binary(q) | Self::StochasticBinary(q) => through_tanh(q.alpha, x, gradient),
            Self::Ternary(q) => through_tanh(q.alpha, x, gradient),
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
        }
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
            let t = tanh(x);
            *g *= 1.0 - t * t;
        }
    }
}

/// Hyperbolic tangent from arithmetic alone, so that it is the same on every machine.
fn tanh(x: f32) -> f32 {
    let magnitude = f64::from(x.abs()).min(20.0);
    let t = 1.0 - 2.0 / (exp(2.0 * magnitude) + 1.0);
    (if x < 0.0 { -t } else { t }) as f32
}

/// e^x for 0 <= x <= 40 within a few ulp of f64: 2^k times the series of the rest.
fn exp(x: f64) -> f64 {
    let k = (x * std::f64::consts::LOG2_E).round_ties_even();
    let r = x - k * std::f64::consts::LN_2;
    let series = (1..=13)
        .rev()
        .fold(1.0, |sum, n| 1.0 + sum * r / f64::from(n));
    series * 2f64.powi(k as i32)
}

#[cfg(test)]
mod tests {
    use super::tanh;

    #[test]
    fn tanh_is_the_library_tanh_within_an_ulp() {
        for i in -4000..=4000 {
            let x = i as f32 * 0.005;
            let expected = f64::from(x).tanh();
            let error = (f64::from(tanh(x)) - expected).abs();
            assert!(error <= 6.0e-8 * expected.abs() + 1.0e-16, "tanh({x})");
        }
    }
}
