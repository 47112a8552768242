//! Whether a weight that is zero stays zero.

use crate::Quantizer;

impl Quantizer {
    /// Whether 0 is quantized to 0, at evaluation and in training, beside whatever other values and in
    /// a column of zeros alone: what pruned weights need.
    ///
    /// ```
    /// let keeps = |text: &str| text.parse::<bitfront_quantizer::Quantizer>().unwrap().maps_zero_to_zero();
    /// assert!(keeps("quantized_bits(4,0,alpha='auto_po2')") && keeps("ternary()"));
    /// assert!(!keeps("binary(alpha=1.0)") && !keeps("quantized_po2(4)"));
    /// ```
    pub fn maps_zero_to_zero(&self) -> bool {
        // These draw other levels for it in training.
        if matches!(
            self,
            Self::StochasticBinary(_) | Self::Bernoulli(_) | Self::StochasticTernary(_)
        ) {
            return false;
        }
        // The last column is zeros alone, so that a scale that is found has nothing to go by.
        let x = [0.0, -0.75, 0.0, 0.5, 0.0, 0.0, 0.25, -1.5, 0.0];
        let mut y = [f32::NAN; 9];
        self.quantize(&x, 3, &mut y);
        x.iter().zip(&y).all(|(x, y)| *x != 0.0 || *y == 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_with_a_zero_keep_it_and_the_others_are_told() {
        let keeps = |text: &str| text.parse::<Quantizer>().unwrap().maps_zero_to_zero();
        for text in [
            "float",
            "quantized_bits(6,0,alpha=1.0)",
            "quantized_bits(4,1,1,alpha='auto')",
            "quantized_bits(4,1,1,alpha='auto_po2')",
            "quantized_bits(4,1,use_stochastic_rounding=1,alpha=1.0)",
            "quantized_linear(4,1,alpha='auto')",
            "ternary()",
            "ternary(alpha='auto')",
            "ternary(alpha='auto_po2')",
            "ternary(alpha='auto',use_stochastic_rounding=1)",
            "ap_fixed<6,2,RND,SAT>",
            "ap_fixed<6,2>",
            "quantized_ulaw(4,1)",
        ] {
            assert!(keeps(text), "{text}");
        }
        for text in [
            "binary()",
            "binary(alpha=1.0)",
            "binary(alpha='auto')",
            "stochastic_binary()",
            "stochastic_ternary(alpha='auto')",
            "bernoulli()",
            "quantized_po2(4)",
            "quantized_relu_po2(4)",
            "quantized_bits(1,0,alpha=1.0)",
            "quantized_linear(1,0)",
            "quantized_sigmoid(4)",
        ] {
            assert!(!keeps(text), "{text}");
        }
    }

    #[test]
    fn rounding_by_chance_keeps_zero_in_training_too() {
        let x = [0.0, -0.75, 0.0, 0.5, 0.0, 0.0, 0.25, -1.5, 0.0];
        for text in [
            "quantized_bits(4,1,use_stochastic_rounding=1,alpha=1.0)",
            "quantized_linear(4,1,alpha='auto',use_stochastic_rounding=1)",
            "quantized_linear(4,1,use_stochastic_rounding=1)",
            "ternary(alpha='auto',use_stochastic_rounding=1)",
        ] {
            let quantizer: Quantizer = text.parse().unwrap();
            assert!(quantizer.maps_zero_to_zero(), "{text}");
            let mut word = 12_345_u32;
            for _ in 0..200 {
                let mut draw = || {
                    word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    word
                };
                let mut y = [f32::NAN; 9];
                quantizer.quantize_training(&x, 3, &mut y, &mut draw);
                for (x, y) in x.iter().zip(&y) {
                    assert!(*x != 0.0 || *y == 0.0, "{text}: {y:?}");
                }
            }
        }
    }
}
