//! Batch normalisation and mean constants: folded into weights, or frozen a channel each.
//!
//! The rule this module keeps: one definition, whoever asks. Everything is computed in f64 with
//! IEEE operations alone (`+ - * / sqrt`), in the order written here, and rounded once at the end:
//! to f32 for folded weights, to significant bits for frozen constants. So training, freezing and
//! the fake-quantized pass see the same numbers on every machine.

use bitfront_quantizer::significant;

use crate::{LayerWeights, Part};

/// A batch normalisation as trained: `gamma * (x - mean) / sqrt(variance + epsilon) + beta`, a
/// channel each.
#[derive(Clone, Copy, Debug)]
pub struct Normalisation<'a> {
    gamma: &'a [f32],
    beta: &'a [f32],
    mean: &'a [f32],
    variance: &'a [f32],
    epsilon: f32,
}

/// A constant `mantissa * 2^exponent`; the mantissa is odd, or zero with exponent 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constant {
    /// Signed mantissa.
    pub mantissa: i64,
    /// Power of two it is multiplied with.
    pub exponent: i32,
}

/// A batch normalisation as a circuit computes it: `x * scale + offset`, a channel each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrozenNormalisation {
    /// Multiplier of each channel.
    pub scale: Vec<Constant>,
    /// Offset of each channel.
    pub offset: Vec<Constant>,
}

impl Constant {
    /// The constant of at most `bits` significant bits that is nearest to `x`.
    pub fn nearest(x: f64, bits: u32) -> Self {
        let (mantissa, exponent) = significant(x, bits);
        Self { mantissa, exponent }
    }

    /// Its value; exact wherever `mantissa * 2^exponent` is a normal f64.
    pub fn value(self) -> f64 {
        self.mantissa as f64 * 2f64.powi(self.exponent)
    }
}

impl<'a> Normalisation<'a> {
    /// The normalisation of a layer with the weights `gamma`, `beta`, `mean` and `variance`.
    ///
    /// # Errors
    /// A weight that is not finite, or a variance below zero, as a sentence's end.
    pub fn of(weights: &'a LayerWeights, epsilon: f32) -> Result<Self, String> {
        let finite = |part: Part| {
            let values = weights.part(part);
            match values.iter().position(|v| !v.is_finite()) {
                Some(at) => Err(format!(
                    "has the {part} {} in channel {at}; accepted are numbers",
                    values[at]
                )),
                None => Ok(values),
            }
        };
        let variance = finite(Part::Variance)?;
        if let Some(at) = variance.iter().position(|v| *v < 0.0) {
            return Err(format!(
                "has the variance {} in channel {at}; accepted is at least 0",
                variance[at]
            ));
        }
        Ok(Self {
            gamma: finite(Part::Gamma)?,
            beta: finite(Part::Beta)?,
            mean: finite(Part::Mean)?,
            variance,
            epsilon,
        })
    }

    /// `gamma / sqrt(variance + epsilon)` of each channel.
    pub fn factors(&self) -> Vec<f64> {
        let factor = |(gamma, variance): (&f32, &f32)| {
            f64::from(*gamma) / (f64::from(*variance) + f64::from(self.epsilon)).sqrt()
        };
        self.gamma.iter().zip(self.variance).map(factor).collect()
    }

    /// `beta + (bias - mean) * factor` of each channel; `None` is a bias of zero.
    pub fn offsets(&self, bias: Option<&[f32]>) -> Vec<f64> {
        let offset = |(channel, factor): (usize, f64)| {
            let bias = bias.map_or(0.0, |bias| f64::from(bias[channel]));
            f64::from(self.beta[channel]) + (bias - f64::from(self.mean[channel])) * factor
        };
        self.factors().into_iter().enumerate().map(offset).collect()
    }

    /// Kernel and bias with this normalisation folded in.
    ///
    /// Element `i` of a kernel belongs to output channel `i % outputs`: that is the last axis of a
    /// dense or convolution kernel, and `c * multiplier + m` in a depthwise kernel
    /// (`taps x channels x multiplier`). A layer without a bias gets one here, which is why a folded
    /// layer needs a quantizer for it.
    pub fn fold(&self, kernel: &[f32], bias: Option<&[f32]>) -> (Vec<f32>, Vec<f32>) {
        let factors = self.factors();
        let kernel = kernel.iter().zip(factors.iter().cycle());
        let kernel = kernel.map(|(k, factor)| (f64::from(*k) * factor) as f32);
        let bias = self.offsets(bias).into_iter().map(|b| b as f32);
        (kernel.collect(), bias.collect())
    }

    /// The constants of each channel: the scale is the factor with at most `scale_bits` significant
    /// bits, the offset is what that rounded scale leaves of `beta - mean * scale`, with at most
    /// `offset_bits`.
    pub fn freeze(&self, scale_bits: u32, offset_bits: u32) -> FrozenNormalisation {
        let scale: Vec<Constant> = self
            .factors()
            .into_iter()
            .map(|factor| Constant::nearest(factor, scale_bits))
            .collect();
        let offset = |(channel, scale): (usize, &Constant)| {
            let moved = f64::from(self.mean[channel]) * scale.value();
            Constant::nearest(f64::from(self.beta[channel]) - moved, offset_bits)
        };
        FrozenNormalisation {
            offset: scale.iter().enumerate().map(offset).collect(),
            scale,
        }
    }
}

/// The constant that a mean over `count` elements multiplies their sum with: `1 / count` with at
/// most `bits` significant bits (a power of two where `count` is one).
pub fn reciprocal(count: usize, bits: u32) -> Constant {
    Constant::nearest(1.0 / count as f64, bits)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn weights(gamma: &[f32], beta: &[f32], mean: &[f32], variance: &[f32]) -> LayerWeights {
        let parts = [
            (Part::Gamma, gamma.to_vec()),
            (Part::Beta, beta.to_vec()),
            (Part::Mean, mean.to_vec()),
            (Part::Variance, variance.to_vec()),
        ];
        LayerWeights {
            parts: BTreeMap::from(parts),
        }
    }

    #[test]
    fn folding_by_hand() {
        // Factors: 2 / sqrt(3 + 1) = 1, -3 / sqrt(8 + 1) = -1, 0.
        let weights = weights(
            &[2.0, -1.5, 0.0],
            &[0.5, 0.25, 7.0],
            &[1.0, 2.0, 3.0],
            &[3.0, 1.25, 5.0],
        );
        let normalisation = Normalisation::of(&weights, 1.0).expect("accepted");
        assert_eq!(normalisation.factors(), [1.0, -1.0, 0.0]);
        let (kernel, bias) =
            normalisation.fold(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], Some(&[0.5, 0.5, 0.5]));
        assert_eq!(kernel, [1.0, -2.0, 0.0, 4.0, -5.0, 0.0]);
        assert_eq!(bias, [0.0, 1.75, 7.0]);
        let (_, bias) = normalisation.fold(&[], None);
        assert_eq!(bias, [-0.5, 2.25, 7.0]);
    }

    #[test]
    fn constants_follow_the_rounded_scale() {
        // Factor 0.7: one bit makes it 0.5, so the mean takes 0.5 * 3, not 0.7 * 3, from beta.
        let weights = weights(&[0.7], &[0.25], &[3.0], &[0.0]);
        let normalisation = Normalisation::of(&weights, 1.0).expect("accepted");
        let frozen = normalisation.freeze(1, 24);
        let constant = |mantissa, exponent| Constant { mantissa, exponent };
        assert_eq!(frozen.scale, [constant(1, -1)]);
        assert_eq!(frozen.offset, [constant(-5, -2)]);
        assert_eq!(normalisation.freeze(3, 1).scale, [constant(3, -2)]);
        assert_eq!(normalisation.freeze(3, 1).offset, [constant(-1, 1)]);
    }

    #[test]
    fn reciprocals_of_powers_of_two_are_exact() {
        for shift in 0..12 {
            let expected = Constant {
                mantissa: 1,
                exponent: -shift,
            };
            assert_eq!(reciprocal(1 << shift, 1), expected);
        }
        // A third with 4 bits: 11/32.
        assert_eq!(reciprocal(3, 4).value(), 11.0 / 32.0);
    }

    #[test]
    fn bad_weights_are_named() {
        let bad = weights(&[1.0, 1.0], &[0.0; 2], &[0.0; 2], &[1.0, -0.5]);
        let error = Normalisation::of(&bad, 0.001).expect_err("a variance below zero");
        assert_eq!(
            error,
            "has the variance -0.5 in channel 1; accepted is at least 0"
        );
        let bad = weights(&[1.0, f32::NAN], &[0.0; 2], &[0.0; 2], &[1.0; 2]);
        let error = Normalisation::of(&bad, 0.001).expect_err("not a number");
        assert!(
            error.starts_with("has the gamma NaN in channel 1"),
            "{error}"
        );
    }
}
