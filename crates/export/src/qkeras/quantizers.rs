//! Which quantizers QKeras 0.9 has, as it writes them.

use bitfront_quantizer::{
    Alpha, FixedRounding, Noise, Overflow, QuantizedBits, Quantizer, Rounding, ScaleExponents,
};

/// What QKeras would write for a quantizer with a fixed scale that computes the same there and here;
/// `None` if it has none.
///
/// A scale that is left open is written as 1: QKeras gives a kernel without one a scale of its own.
pub(super) fn text(quantizer: &Quantizer) -> Option<String> {
    let own = match *quantizer {
        Quantizer::QuantizedBits(mut bits) => {
            // One signed bit is a sign; scales that are no powers of two round values to f32; and
            // TensorFlow has no power of two with a negative whole exponent.
            let known = bits.rounding == Rounding::Nearest
                && bits.noise == Noise::default()
                && bits.exponents == ScaleExponents::default()
                && bits.integer >= 0
                && bits.bits > u32::from(bits.keep_negative);
            bits.alpha = power_of_two(bits.alpha)?;
            known.then_some(Quantizer::QuantizedBits(bits))?
        }
        Quantizer::QuantizedRelu(relu) => {
            let known = relu.rounding == Rounding::Nearest
                && relu.noise == Noise::default()
                && relu.integer >= 0
                && relu.relu_upper_bound.is_none()
                && quantizer.is_uniform();
            known.then_some(*quantizer)?
        }
        Quantizer::Binary(mut binary) => {
            let known = binary.rounding == Rounding::Nearest
                && binary.exponents == ScaleExponents::default();
            binary.alpha = power_of_two(binary.alpha)?;
            known.then_some(Quantizer::Binary(binary))?
        }
        Quantizer::Ternary(mut ternary) => {
            ternary.alpha = power_of_two(ternary.alpha)?;
            (ternary.rounding == Rounding::Nearest).then_some(Quantizer::Ternary(ternary))?
        }
        Quantizer::Fixed(fixed) => {
            let clips = matches!(fixed.overflow, Overflow::Sat | Overflow::SatSym);
            let known = fixed.rounding == FixedRounding::RndConv && clips && fixed.width > 1;
            let integer = fixed.integer - i32::from(fixed.signed);
            let known = known && integer >= 0;
            let bits = QuantizedBits {
                bits: fixed.width,
                integer,
                symmetric: fixed.signed && fixed.overflow == Overflow::SatSym,
                keep_negative: fixed.signed,
                alpha: Alpha::Constant(1.0),
                rounding: Rounding::Nearest,
                noise: Noise::default(),
                exponents: ScaleExponents::default(),
            };
            known.then_some(Quantizer::QuantizedBits(bits))?
        }
        _ => return None,
    };
    Some(own.to_string())
}

fn power_of_two(alpha: Alpha) -> Option<Alpha> {
    match alpha {
        Alpha::None => Some(Alpha::Constant(1.0)),
        Alpha::Constant(scale) => {
            let power = scale > 0.0 && scale.log2().fract() == 0.0;
            power.then_some(alpha)
        }
        Alpha::Auto | Alpha::AutoPo2 => None,
    }
}

/// A signed grid of at least `width` bits in steps of `2^exponent`.
pub(super) fn grid(width: u32, exponent: i32) -> String {
    // One signed bit would be -1 and 1, and no bits left of the point are the least there are.
    let width = width.max(2).max((1 - exponent).max(0).unsigned_abs());
    format!(
        "quantized_bits({width},{},alpha=1.0)",
        width as i32 - 1 + exponent
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_scales_are_written_out_and_others_refused() {
        let written = |text: &str| super::text(&text.parse().unwrap());
        let expect = |own: &str, theirs: &str| assert_eq!(written(own).as_deref(), Some(theirs));
        expect("quantized_bits(4,1)", "quantized_bits(4,1,alpha=1.0)");
        expect(
            "quantized_bits(4,1,alpha=0.25)",
            "quantized_bits(4,1,alpha=0.25)",
        );
        expect("quantized_relu(6,2)", "quantized_relu(6,2)");
        expect("ternary", "ternary(alpha=1.0)");
        expect(
            "ap_fixed<8,4,AP_RND_CONV,AP_SAT>",
            "quantized_bits(8,3,alpha=1.0)",
        );
        expect(
            "ap_ufixed<6,2,AP_RND_CONV,AP_SAT>",
            "quantized_bits(6,2,keep_negative=0,alpha=1.0)",
        );
        for other in [
            "ternary(alpha='auto')",
            "quantized_bits(4,1,alpha='auto_po2')",
            "ap_fixed<8,4,AP_RND,AP_SAT>",
            "ap_fixed<8,4,AP_RND_CONV,AP_WRAP>",
            "quantized_bits(4,1,alpha=0.7)",
            "quantized_bits(4,-1,alpha=1.0)",
            "quantized_tanh(4)",
        ] {
            assert_eq!(written(other), None, "{other}");
        }
    }

    #[test]
    fn a_grid_has_its_step() {
        for (width, exponent) in [(1, 0), (6, -5), (9, 3), (4, -9)] {
            let quantizer: Quantizer = grid(width, exponent).parse().unwrap();
            let own = quantizer.grid(bitfront_quantizer::Role::Kernel).unwrap();
            assert_eq!(own.fraction, -exponent);
            assert!(own.hi >= (1 << (width.max(2) - 1)) - 1);
            assert!(super::text(&quantizer).is_some());
        }
    }
}
